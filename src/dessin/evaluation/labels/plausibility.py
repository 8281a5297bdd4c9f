"""How plausible a label is: whether it looks like the labels that were given, or like any other one.

Confident learning compares one probability with the mean of its class. Here a small logistic model weighs
more evidence: it learns to tell the labels that drawings have (nearly all right) from all labels that they
could have had instead, so its odds estimate how many times likelier a right label looks like this than a
wrong one. A wrong label counts by how much the drawings of a class are taken for it. As in learning from
positive and unlabelled examples (Elkan & Noto, KDD 2008) the few wrong ones among the given do no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from dessin.evaluation.labels.confident import Floats, Labels, class_means, self_confidence

_BLOCK_VALUES = 1_000_000
_STEPS = 30
_RIDGE = 1.0
_ENOUGH = 1e-9


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for each label of each drawing: its probability and place, and two traits of its class.

    `logs` (N, C) are log probabilities, `places` (N, C) logs of a label's place among them, from the first;
    equal ones share theirs. `threshold` (C,) is the log of the class's self-confidence, `standing` (C,) how
    far its label usually stands out among a drawing's log probabilities, in their standard deviations.
    """

    logs: Floats
    places: Floats
    given: Labels
    threshold: Floats
    standing: Floats

    def of(self, rows: slice) -> Floats:
        """Evidence (n, C, K) for every label of some drawings; the last of the K is a constant."""
        logs = self.logs[rows]
        best, mean = logs.max(axis=1, keepdims=True), logs.mean(axis=1, keepdims=True)
        parts = (logs, self.places[rows], best, mean, self.threshold, self.standing, np.ones(1))
        return np.stack([np.broadcast_to(part, logs.shape) for part in parts], axis=2)

    def blocks(self) -> Iterator[slice]:
        size = max(1, _BLOCK_VALUES // self.logs.shape[1])
        return (slice(start, start + size) for start in range(0, len(self.logs), size))


def label_odds(logs: Floats, given: Labels) -> Floats:
    """Log odds (N, C) of each label of each drawing to look like a given one rather than like another one.

    `logs` (N, C) are log probabilities of models that did not see the drawing, `given` (N,) class numbers.
    """
    evidence = _evidence(logs, given)
    weights = _fitted(evidence, _confusions(logs, given))
    return np.concatenate([evidence.of(rows) @ weights for rows in evidence.blocks()])


def _evidence(logs: Floats, given: Labels) -> Evidence:
    classes = logs.shape[1]
    own = logs[np.arange(len(given)), given]
    spread = np.maximum(logs.std(axis=1), _ENOUGH)
    return Evidence(
        logs=logs,
        places=np.log(rankdata(-logs, axis=1)),
        given=given,
        threshold=np.log(self_confidence(np.exp(logs), given)),
        standing=class_means((own - logs.mean(axis=1)) / spread, given, classes),
    )


def _confusions(logs: Floats, given: Labels) -> Floats:
    """How much the drawings of each class (row) are taken for each other one, (C, C); rows sum to 1 or 0."""
    classes = logs.shape[1]
    mass = np.zeros((classes, classes))
    np.add.at(mass, given, np.exp(logs))
    np.fill_diagonal(mass, 0.0)
    shares: Floats = mass / np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return shares


def _fitted(evidence: Evidence, confusions: Floats) -> Floats:
    """The weights (K,) of the logistic model, by Newton's method with a small ridge."""
    weights = np.zeros(evidence.of(slice(0, 1)).shape[2])
    loss, slope, curvature = _derivatives(evidence, confusions, weights)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, slope)
        for halving in range(_STEPS):
            moved = weights - step / 2**halving
            after = _derivatives(evidence, confusions, moved)
            if after[0] <= loss:
                break
        gain = loss - after[0]
        if gain <= _ENOUGH * len(evidence.given):
            break
        weights, (loss, slope, curvature) = moved, after
    return weights


def _derivatives(
    evidence: Evidence, confusions: Floats, weights: Floats
) -> tuple[float, Floats, NDArray[np.float64]]:
    """The penalised loss with its gradient (K,) and Hessian (K, K)."""
    penalty = np.full(len(weights), _RIDGE)
    loss = float((penalty * weights**2).sum()) / 2
    slope, curvature = penalty * weights, np.diag(penalty)
    for rows in evidence.blocks():
        seen, given = evidence.of(rows), evidence.given[rows]
        place = (np.arange(len(given)), given)
        counts = confusions[given]
        counts[place] = 1.0
        truth = np.zeros_like(counts)
        truth[place] = 1.0
        odds = seen @ weights
        chance = expit(odds)
        loss += float((counts * (np.logaddexp(0.0, odds) - truth * odds)).sum())
        slope = slope + np.einsum("nc,nck->k", counts * (chance - truth), seen)
        flat = seen.reshape(-1, len(weights))
        curvature = curvature + (flat * (counts * chance * (1 - chance)).reshape(-1, 1)).T @ flat
    return loss, slope, curvature
