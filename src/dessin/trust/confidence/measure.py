"""Whether answers are right as often as they claim, and above which threshold they are as often as asked.

The usual error over bins, the mean of |confidence - accuracy|, is never 0 on few images: chance alone makes
each bin differ (Roelofs et al., "Mitigating bias in calibration error estimation", 2022). Here the sign of
each bin's difference is learnt on other images than those on which the difference is taken. By

    E|g(c)| = max over |w| <= 1 of E[w(c) (c - right)]

(the weighted calibration error of Gopalan et al., "Low-degree multicalibration", 2022) any such sign gives no
more than the true error on average: nothing for a calibrated model, the error itself where signs are clear.

Thresholds are tested from the surest answers downward, as long as each passes ("fixed sequence testing" of
Angelopoulos et al., "Learn then test", 2021), in several chains that begin further and further down and share
the allowed error, since one wrong answer among few ends a chain. A test is the exact binomial bound of
Clopper and Pearson (1934), with one observation a group of duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from dessin.randomness import image_keys, uniform
from dessin.statistics.intervals import Bounds, Estimate, Floats, bootstrap_mean, group_index
from dessin.statistics.temperature import COLDEST, HOTTEST, fit_temperature, tempered
from dessin.trust.confidence.evidence import Evidence, Flags
from dessin.trust.confidence.result import Bin, Calibration, Change, CurvePoint, Selection

BINS = 10
USUAL_BINS = 15
_FEWEST_IN_A_BIN = 20
_PERFECT_WORLDS = 200
# A probability is not taken to be smaller than float32 can tell from 0 beside 1.
_SMALLEST = 1e-7
_LARGEST_LOSS = float(-np.log(_SMALLEST))
ERROR = 0.05
CHAINS = 5
_STEPS = 100


@dataclass(frozen=True, eq=False)
class Tempered:
    """Probabilities with a temperature: of all images, and for each part that of the others.

    `whole` (N, C) has the `temperature` of all images; `crossed` (N, C) has for each image that of the parts
    that it is not in; `confidences` (P, N) are the largest probabilities of all images without each part.
    """

    temperature: float
    whole: Floats
    crossed: Floats
    confidences: Floats


def temper(evidence: Evidence) -> Tempered:
    """Fit the temperature to all images, and once more without each part."""
    table, parts = evidence.answers.probabilities, evidence.parts
    crossed, confidences = np.empty_like(table), []
    for part in range(int(parts.max()) + 1):
        others = parts != part
        found = tempered(table, _fitted(table[others], evidence.targets[others]))
        crossed[~others] = found[~others]
        confidences.append(found.max(axis=1))
    temperature = _fitted(table, evidence.targets)
    return Tempered(temperature, tempered(table, temperature), crossed, np.stack(confidences))


def _fitted(table: Floats, targets: NDArray[np.int64]) -> float:
    """The temperature that suits the images; 1 where none is best, for what they do not say is not learnt."""
    found = fit_temperature(table, targets)
    return 1.0 if found in (COLDEST, HOTTEST) else found


def measure_calibration(evidence: Evidence, corrected: Tempered) -> Calibration:
    """How well confidences keep what they say, without the temperature and with it."""
    plain, right, parts = evidence.answers.probabilities, evidence.right, evidence.parts
    before, after = plain.max(axis=1), corrected.crossed.max(axis=1)
    same = np.broadcast_to(before, corrected.confidences.shape)
    gaps = (signed_gaps(same, right, parts), signed_gaps(corrected.confidences, right, parts))
    tables = (plain, corrected.crossed)
    losses = [np.minimum(-np.log(np.maximum(_true(evidence, p), _SMALLEST)), _LARGEST_LOSS) for p in tables]
    briers = [np.clip((p**2).sum(axis=1) - 2 * _true(evidence, p) + 1, 0.0, 2.0) for p in tables]
    ids, seed = evidence.answers.image_ids, evidence.seed
    return Calibration(
        temperature=corrected.temperature,
        overconfidence=_change(evidence, before - right, after - right, (-1.0, 1.0)),
        ece=_change(evidence, *gaps, (-1.0, 1.0), floor=0.0),
        brier=_change(evidence, briers[0], briers[1], (0.0, 2.0)),
        log_loss=_change(evidence, losses[0], losses[1], (0.0, _LARGEST_LOSS)),
        binned_ece=(binned_error(before, right), binned_error(after, right)),
        binned_ece_if_perfect=(
            binned_error_if_perfect(before, ids, seed=seed),
            binned_error_if_perfect(after, ids, seed=seed),
        ),
        bins_before=reliability_bins(before, right, evidence.groups, seed=seed),
        bins_after=reliability_bins(after, right, evidence.groups, seed=seed),
    )


def _true(evidence: Evidence, probabilities: Floats) -> Floats:
    """The probability of the true class, (N,)."""
    return np.asarray(probabilities[np.arange(len(evidence.targets)), evidence.targets])


def _change(
    evidence: Evidence, before: Floats, after: Floats, bounds: Bounds, *, floor: float | None = None
) -> Change:
    """Both with intervals, and the paired difference; below `floor` nothing is stated, for it cannot be."""
    reach = bounds[1] - bounds[0]
    first, second = (evidence.mean(values, bounds) for values in (before, after))
    difference = evidence.mean(after - before, (-reach, reach))
    if floor is not None:
        first, second = _raised(first, floor), _raised(second, floor)
        value = second.value - first.value
        low, high = min(difference.low, value), max(difference.high, value)
        difference = replace(difference, value=value, low=low, high=high)
    return Change(before=first, after=second, difference=difference)


def _raised(result: Estimate, floor: float) -> Estimate:
    value, low, high = (max(floor, edge) for edge in (result.value, result.low, result.high))
    return replace(result, value=value, low=low, high=high)


def reliability_bins(
    confidence: Floats, right: Flags, groups: Sequence[str] | NDArray[Any], *, seed: int = 0
) -> tuple[Bin, ...]:
    """Bins of equally many images (equal confidences stay together), from the least to the most sure.

    `confidence` (N,) from 0 to 1, `right` (N,), `groups` (N,): duplicates, resampled together.
    """
    place, names = _binned(confidence, edges_of(confidence, BINS)), np.asarray(groups)
    found = []
    for number in np.unique(place):
        inside = place == number
        own = confidence[inside]
        accuracy = bootstrap_mean(right[inside], names[inside], seed=seed)
        low, high, mean = float(own.min()), float(own.max()), float(own.mean())
        found.append(Bin(low=low, high=high, confidence=mean, accuracy=accuracy))
    return tuple(found)


def edges_of(confidence: Floats, bins: int) -> Floats:
    """The inner edges of at most `bins` bins of equal mass; fewer where images are few or equal."""
    count = max(1, min(bins, len(confidence) // _FEWEST_IN_A_BIN))
    return np.unique(np.quantile(confidence, np.linspace(0, 1, count + 1)[1:-1]))


def _binned(confidence: Floats, edges: Floats) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(edges, confidence, side="right"), dtype=np.int64)


def signed_gaps(confidences: Floats, right: Flags, parts: NDArray[np.int64]) -> Floats:
    """Values (N,) whose mean estimates the expected calibration error, and is never too high on average.

    Each is confidence minus right, with the sign that its bin has in the other parts. `confidences` (P, N):
    row p is what all images' confidences are when nothing of part p is used; `parts` (N,) from 0 to P - 1.
    """
    values = np.empty(len(right))
    for part in range(len(confidences)):
        own, others = parts == part, parts != part
        confidence = confidences[part]
        edges = edges_of(confidence[others], BINS)
        gap = confidence - right
        place = _binned(confidence, edges)
        signs = np.sign(np.bincount(place[others], gap[others], minlength=len(edges) + 1))
        values[own] = signs[place[own]] * gap[own]
    return values


def binned_error(confidence: Floats, right: Flags) -> float:
    """The usual expected calibration error over bins of equal mass, biased upward on few images."""
    return float(_errors(confidence, right[:, None])[0])


def binned_error_if_perfect(confidence: Floats, image_ids: Sequence[str], *, seed: int = 0) -> float:
    """What `binned_error` is on average when every answer is right exactly as often as it claims."""
    draws = uniform(seed, "perfectly calibrated", 0, image_keys(image_ids), _PERFECT_WORLDS)
    return float(_errors(confidence, draws < confidence[:, None]).mean())


def _errors(confidence: Floats, right: Flags) -> Floats:
    """The binned error in each of W worlds: `right` (N, W) to (W,)."""
    place = _binned(confidence, edges_of(confidence, USUAL_BINS))
    member = (place == np.arange(place.max() + 1)[:, None]).astype(np.float64)
    sums = member @ (confidence[:, None] - right)
    return np.asarray(np.abs(sums).sum(axis=0) / len(confidence))


def measure_selection(evidence: Evidence, corrected: Tempered, target: float) -> Selection:
    """The threshold for a target precision, chosen on all images, and what such a choice gives on others."""
    confidence, right, groups = corrected.whole.max(axis=1), evidence.right, evidence.groups
    curve = risk_curve(confidence, right, groups)
    choice = choose_threshold(curve, target)
    answered = np.zeros(len(right), dtype=bool)
    for part, own in enumerate(corrected.confidences):
        mine = evidence.parts == part
        others = risk_curve(own[~mine], right[~mine], groups[~mine])
        threshold = choose_threshold(others, target).threshold
        if threshold is not None:
            answered[mine] = own[mine] >= threshold
    precision = None
    if answered.any():
        precision = bootstrap_mean(right[answered], groups[answered], seed=evidence.seed)
    points = zip(curve.threshold, curve.coverage, curve.precision, strict=True)
    return Selection(
        target=target,
        threshold=choice.threshold,
        precision=precision,
        coverage=evidence.mean(answered),
        always=evidence.mean(right),
        reachable=choice.reachable,
        reachable_coverage=choice.reachable_coverage,
        curve=tuple(CurvePoint(threshold=t, coverage=c, precision=p) for t, c, p in points),
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """What is answered at K thresholds, from the surest answers to all: all (K,).

    `coverage` is the share of images answered, `precision` the share right among them, and `groups` how many
    groups of duplicates the answered images are in.
    """

    threshold: Floats
    coverage: Floats
    precision: Floats
    groups: NDArray[np.int64]

    def lower(self, error: float) -> Floats:
        """For each threshold what its precision is at least, but for a chance of `error` each."""
        hits = self.precision * self.groups
        bound = beta.ppf(error, np.maximum(hits, 1e-12), self.groups - hits + 1)
        return np.asarray(np.where(hits > 0, bound, 0.0))


@dataclass(frozen=True)
class Choice:
    """`threshold` is None where no threshold passed.

    `reachable` is the highest precision that can be vouched for at any threshold, at `reachable_coverage`.
    """

    threshold: float | None
    reachable: float
    reachable_coverage: float


def risk_curve(confidence: Floats, right: Flags, groups: Sequence[str] | NDArray[Any]) -> Curve:
    """Precision over coverage at up to a hundred thresholds; each lies between two confidences (N,)."""
    order = np.argsort(-confidence, kind="stable")
    sure, hits = confidence[order], np.cumsum(right[order])
    index = group_index(groups)[order]
    is_new = np.zeros(len(order), dtype=bool)
    is_new[np.unique(index, return_index=True)[1]] = True
    following = np.append(sure[1:], 0.0)
    ends = np.flatnonzero(sure > following)
    wanted = np.linspace(0, len(ends) - 1, min(_STEPS, len(ends))).round().astype(np.int64)
    last = ends[np.unique(wanted)]
    threshold = (sure[last] + following[last]) / 2
    threshold[last == len(sure) - 1] = 0.0
    return Curve(
        threshold=threshold,
        coverage=(last + 1) / len(sure),
        precision=hits[last] / (last + 1),
        groups=np.cumsum(is_new)[last],
    )


def choose_threshold(curve: Curve, target: float) -> Choice:
    """The lowest threshold whose precision is at least `target`, but for a chance of 5% in all."""
    lower = curve.lower(ERROR / len(curve.threshold))
    best = int(lower.argmax())
    passes = curve.lower(ERROR / CHAINS) >= target
    # Where even a perfect record would be too short, no chain begins.
    possible = np.flatnonzero(target**curve.groups <= ERROR / CHAINS)
    last = max((_last_passed(passes, start) for start in _starts(possible)), default=-1)
    return Choice(
        threshold=None if last < 0 else float(curve.threshold[last]),
        reachable=float(lower[best]),
        reachable_coverage=float(curve.coverage[best]),
    )


def _starts(possible: NDArray[np.int64]) -> list[int]:
    """Where the chains begin: near one another among the surest answers, wider apart further down."""
    if not len(possible):
        return []
    places = np.geomspace(1, len(possible), CHAINS + 1)[:-1].round().astype(np.int64) - 1
    return [int(possible[place]) for place in np.unique(places)]


def _last_passed(passes: Flags, start: int) -> int:
    """The last of the unbroken row of passes that begins at `start`; -1 without one."""
    failed = np.flatnonzero(~passes[start:])
    length = int(failed[0]) if len(failed) else len(passes) - start
    return start + length - 1 if length else -1
