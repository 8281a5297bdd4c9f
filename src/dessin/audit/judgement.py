"""Which labels may be wrong, judged by the answers of models that did not see the image in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dessin.errors import DessinError
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.statistics.temperature import log_probabilities

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# As many average drawings are added to each class, so that three drawings of a class make no threshold alone.
_PRIOR = 5.0
_BLOCK_VALUES = 1_000_000
_STEPS = 30
_RIDGE = 1.0
_ENOUGH = 1e-9


def class_means(values: Floats, given: Labels, classes: int) -> Floats:
    """The mean of `values` (N,) in each class, (C,), drawn towards the mean of all: classes can be tiny."""
    counts = np.bincount(given, minlength=classes)
    sums = np.bincount(given, values, minlength=classes)
    means: Floats = (sums + _PRIOR * values.mean()) / (counts + _PRIOR)
    return means


def self_confidence(probabilities: Floats, given: Labels) -> Floats:
    """Each class's threshold, (C,): the mean probability of the class for drawings that are labelled so."""
    own = probabilities[np.arange(len(given)), given]
    return class_means(own, given, probabilities.shape[1])


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
    # Loaded here: an audit without predictions need not wait for it.
    from scipy.stats import rankdata

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


# A label is implausible where it is as odd as the oddest of the labels that drawings do not have: this share
# of them. Right labels are rarely among these, and wrong ones about as often as any other label.
ODDEST = 0.3


@dataclass(frozen=True, eq=False)
class Judgement:
    """The labels of N drawings, judged.

    Attributes:
        quality: (N,) from 0, the label looks like one that its drawing does not have, to 1.
        suggested: (N,) the most probable other class.
        suspects: (N,) bool, the labels of lowest quality, as many as `noise` says.
        noise: the estimated share of wrong labels. Drawings that the models cannot read raise it; wrong
            labels that resemble the right ones (a lion that is called a tiger) lower it.
    """

    quality: Floats
    suggested: Labels
    suspects: NDArray[np.bool_]
    noise: Estimate

    @property
    def ranking(self) -> Labels:
        """Rows from the worst label to the best, (N,); equal ones in their order."""
        return np.argsort(self.quality, kind="stable").astype(np.int64)


def judge_labels(
    probabilities: ArrayLike, given: ArrayLike, groups: Sequence[str], *, seed: int = 0
) -> Judgement:
    """Judge the given labels (N,) by out-of-fold probabilities (N, C).

    Images of a group (N,) belong together, and the interval of the share of wrong labels resamples groups.

    Raises:
        DessinError: no image, one class, or shapes that do not agree.
    """
    table, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(given, dtype=np.int64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table) or labels.shape != (len(table),):
        raise DessinError(
            f"Labels {labels.shape} cannot be judged by probabilities {table.shape}.",
            allowed="It takes a row of probabilities of two classes or more, and a label, for each image.",
        )
    odds = label_odds(log_probabilities(table), labels)
    every = np.arange(len(labels))
    own = odds[every, labels]
    others = np.ones(table.shape, dtype=np.bool_)
    others[every, labels] = False
    noise = _noise(own < np.quantile(odds[others], ODDEST), groups, seed)
    suspects = np.zeros(len(own), dtype=np.bool_)
    suspects[np.argsort(own, kind="stable")[: round(noise.value * len(own))]] = True
    return Judgement(
        quality=expit(own),
        suggested=np.where(others, table, -1.0).argmax(axis=1).astype(np.int64),
        suspects=suspects,
        noise=noise,
    )


def _noise(implausible: NDArray[np.bool_], groups: Sequence[str], seed: int) -> Estimate:
    """Each implausible label stands for several wrong ones, of which only the share `ODDEST` is so odd."""
    share = bootstrap_mean(implausible, groups, seed=seed)
    value, low, high = (min(1.0, edge / ODDEST) for edge in (share.value, share.low, share.high))
    return replace(share, value=value, low=low, high=high)
