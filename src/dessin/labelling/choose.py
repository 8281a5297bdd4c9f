"""Which drawings to ask about next: typical ones of kinds that nobody has named yet, then those that a probe
is unsure of and that differ from one another. Numbers in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.randomness import derive
from dessin.statistics.intervals import Estimate
from dessin.training.linear import fit_ridge, principal_axes, standardise

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

# Of the principal axes, those that groups of drawings are looked for in.
_AXES = 64
_ROUNDS = 20
_NEIGHBOURS = 20
# Labels a class, above which doubt tells more than another typical drawing.
_KNOWN = 4
# The penalty that probes of few drawings choose most often.
_PENALTY = 0.3
_TEMPERATURE = 0.1
_RESAMPLES = 1000
_REPEATS = 8
_PARTS = 5


def reduced(features: Floats) -> Floats:
    """Features (N, D) as directions in their first principal axes, (N, d): drawings alike lie together."""
    axes = principal_axes(torch.from_numpy(np.ascontiguousarray(features)))
    samples = axes.samples[:, torch.argsort(axes.variances, descending=True)[:_AXES]].numpy()
    return np.asarray(samples / np.maximum(np.linalg.norm(samples, axis=1, keepdims=True), 1e-6))


@dataclass(frozen=True)
class Suggestions:
    """What a probe of the labels says of all N drawings: probabilities (N, C), columns by `classes`."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]


def suggest(features: Floats, labels: dict[int, str]) -> Suggestions | None:
    """A ridge probe fitted to the labels (row → class); None while there are fewer than two classes."""
    classes = tuple(sorted(set(labels.values())))
    if len(classes) < 2:
        return None
    rows = np.array(sorted(labels), dtype=np.int64)
    targets = np.array([classes.index(labels[int(row)]) for row in rows], dtype=np.int64)
    scores = _scores(features, rows, targets, len(classes))
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / _TEMPERATURE)
    return Suggestions(classes, powers / powers.sum(axis=1, keepdims=True))


def _scores(features: Floats, rows: Rows, targets: Rows, classes: int) -> NDArray[np.float64]:
    """What a probe of some rows gives all of them, (N, C)."""
    data = standardise(torch.from_numpy(features[rows]))
    weight, bias = data.fold_back(*fit_ridge(data, torch.from_numpy(targets), classes, _PENALTY))
    return np.asarray(torch.from_numpy(features).double() @ weight.T + bias)


def choose(
    features: Floats, places: Floats, labels: dict[int, str], passed: set[int], count: int, seed: int = 0
) -> Rows:
    """The next drawings to ask about, (count,) or as many as are left.

    `places` is `reduced(features)`; `passed` are rows that were put aside. The order is a function of what
    was labelled, so a session that was stopped goes on as if it had not been.
    """
    asked = np.array(sorted({*labels, *passed}), dtype=np.int64)
    left = len(features) - len(asked)
    count = min(count, left)
    known = suggest(features, labels) if labels else None
    if known is None or len(labels) < _KNOWN * len(known.classes):
        return spread(places, asked, count, seed)
    return unsure(places, known.probabilities, asked, count)


def spread(places: Floats, asked: Rows, count: int, seed: int = 0) -> Rows:
    """The most typical drawings of the largest groups in which none was asked about.

    For few labels that serves better than doubt: Hacohen, Dekel and Weinshall, "Active Learning on a Budget:
    Opposite Strategies Suit High and Low Budgets" (2022).
    """
    found: list[int] = []
    if count < 1:
        return np.array(found, dtype=np.int64)
    groups = clusters(places, min(len(places), len(asked) + count), seed)
    taken = set(asked.tolist())
    covered = set(groups[asked].tolist())
    sizes = np.bincount(groups)
    # Uncovered groups first, the largest before the others.
    for group in sorted(range(len(sizes)), key=lambda g: (g in covered, -sizes[g])):
        members = np.flatnonzero(groups == group)
        order = members[np.argsort(-typicality(places[members]), kind="stable")]
        fresh = next((int(row) for row in order if int(row) not in taken), None)
        if fresh is not None:
            found.append(fresh)
            taken.add(fresh)
        if len(found) == count:
            return np.array(found, dtype=np.int64)
    rest = [row for row in range(len(places)) if row not in taken]
    return np.array([*found, *rest[: count - len(found)]], dtype=np.int64)


def typicality(places: Floats) -> NDArray[np.float64]:
    """How near each of n drawings is to its nearest ones, (n,): 1 over the mean distance."""
    gaps = np.sqrt(np.maximum(_squares(places, places), 0.0))
    nearest = np.sort(gaps, axis=1)[:, 1 : _NEIGHBOURS + 1]
    return 1.0 / (nearest.mean(axis=1) + 1e-9) if nearest.shape[1] else np.ones(len(places))


def unsure(places: Floats, probabilities: NDArray[np.float64], asked: Rows, count: int) -> Rows:
    """Drawings whose two best classes are close, each far from those before: doubt times distance."""
    best = -np.sort(-probabilities, axis=1)
    doubt = 1.0 - (best[:, 0] - best[:, 1])
    far = _squares(places, places[asked]).min(axis=1) if len(asked) else np.ones(len(places))
    free = np.ones(len(places), dtype=bool)
    free[asked] = False
    found = []
    for _ in range(count):
        row = int(np.where(free, doubt * np.sqrt(np.maximum(far, 0.0)), -1.0).argmax())
        found.append(row)
        free[row] = False
        far = np.minimum(far, _squares(places, places[[row]])[:, 0])
    return np.array(found, dtype=np.int64)


def clusters(places: Floats, count: int, seed: int = 0) -> Rows:
    """The group of each of N drawings, (N,): Lloyd's algorithm from a start that is spread (k-means++)."""
    random = np.random.default_rng(derive("label", seed, count))
    centres = places[[int(random.integers(len(places)))]]
    gaps = _squares(places, centres)[:, 0]
    for _ in range(count - 1):
        total = gaps.sum()
        row = int(np.searchsorted(np.cumsum(gaps), random.random() * total)) if total > 0 else 0
        centres = np.concatenate([centres, places[[min(row, len(places) - 1)]]])
        gaps = np.minimum(gaps, np.maximum(_squares(places, centres[-1:])[:, 0], 0.0))
    groups = np.full(len(places), -1)
    for _ in range(_ROUNDS):
        nearest = _squares(places, centres).argmin(axis=1)
        if (nearest == groups).all():
            break
        groups = nearest
        sums = np.zeros_like(centres)
        np.add.at(sums, groups, places)
        sizes = np.bincount(groups, minlength=count)[:, None]
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _squares(first: Floats, second: Floats) -> Floats:
    """Squared distances (n, m)."""
    norms = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None]
    return np.asarray(np.maximum(norms - 2.0 * first @ second.T, 0.0), dtype=np.float32)


@dataclass(frozen=True)
class Outlook:
    """Accuracy on the labelled drawings, each named by a probe of others, and what more labels would add.

    Both count drawings like those that were labelled, which are harder than most once doubt chooses.
    """

    accuracy: Estimate
    gain: Estimate
    more: int


def outlook(features: Floats, labels: dict[int, str], more: int, seed: int = 0) -> Outlook | None:
    """What `more` labels would bring: the error falls by a power of their number, from half of them to all.

    None while some class has one label only, or there are fewer than 20.
    """
    classes = tuple(sorted(set(labels.values())))
    rows = np.array(sorted(labels), dtype=np.int64)
    targets = np.array([classes.index(labels[int(row)]) for row in rows], dtype=np.int64)
    if len(classes) < 2 or len(rows) < 20 or np.bincount(targets).min() < 2:
        return None
    whole, half = np.zeros(len(rows)), np.zeros(len(rows))
    for repeat in range(_REPEATS):
        random = np.random.default_rng(derive("outlook", seed, repeat))
        parts = random.permutation(len(rows)) % _PARTS
        for part in range(_PARTS):
            inside, outside = np.flatnonzero(parts != part), np.flatnonzero(parts == part)
            for share, right in ((1.0, whole), (0.5, half)):
                chosen = random.permutation(inside)[: max(2, round(share * len(inside)))]
                scores = _scores(features[rows], chosen, targets[chosen], len(classes))[outside]
                right[outside] += (scores.argmax(axis=1) == targets[outside]) / _REPEATS
    draws = np.random.default_rng(derive("outlook", seed, "resamples")).integers(
        len(rows), size=(_RESAMPLES, len(rows))
    )
    # The probes saw 4 of 5 labels.
    seen = len(rows) * (_PARTS - 1) / _PARTS
    doublings = np.log2((seen + more) / seen)
    value = _gain(whole.mean(), half.mean(), doublings)
    gains = _gain(whole[draws].mean(axis=1), half[draws].mean(axis=1), doublings)
    low, high = np.quantile(gains, [0.025, 0.975])
    means = np.quantile(whole[draws].mean(axis=1), [0.025, 0.975])
    n = len(rows)
    accuracy = Estimate(value=float(whole.mean()), low=float(means[0]), high=float(means[1]), n=n)
    gain = Estimate(value=float(value), low=float(min(low, value)), high=float(max(high, value)), n=n)
    return Outlook(accuracy, gain, more)


def _gain(whole: NDArray[np.float64], half: NDArray[np.float64], doublings: float) -> NDArray[np.float64]:
    """What is added where each doubling of the labels multiplies the error as the last one did."""
    error, before = 1.0 - whole, np.maximum(1.0 - half, 1e-9)
    ratio = np.clip(error / before, 0.0, 1.0)
    return np.asarray(error * (1.0 - ratio**doublings))
