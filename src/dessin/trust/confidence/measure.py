"""Whether answers are right as often as they claim: the temperature, the calibration error, reliability bins.

The usual error over bins, the mean of |confidence - accuracy|, is never 0 on few images: chance alone makes
each bin differ (Roelofs et al., "Mitigating bias in calibration error estimation", 2022). Here the sign of
each bin's difference is learnt on other images than those on which the difference is taken. By

    E|g(c)| = max over |w| <= 1 of E[w(c) (c - right)]

(the weighted calibration error of Gopalan et al., "Low-degree multicalibration", 2022) any such sign gives no
more than the true error on average: nothing for a calibrated model, the error itself where signs are clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.randomness import image_keys, uniform
from dessin.statistics.intervals import Bounds, Estimate, Floats, bootstrap_mean
from dessin.statistics.temperature import COLDEST, HOTTEST, fit_temperature, tempered
from dessin.trust.confidence.evidence import Evidence, Flags
from dessin.trust.confidence.result import Bin, Calibration, Change

BINS = 10
USUAL_BINS = 15
_FEWEST_IN_A_BIN = 20
_PERFECT_WORLDS = 200
# A probability is not taken to be smaller than float32 can tell from 0 beside 1.
_SMALLEST = 1e-7
_LARGEST_LOSS = float(-np.log(_SMALLEST))


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
    confidence: Floats, right: Flags, groups: Sequence[str] | NDArray[Any], *, seed: int = 0, bins: int = BINS
) -> tuple[Bin, ...]:
    """Bins of equally many images (equal confidences stay together), from the least to the most sure.

    `confidence` (N,) from 0 to 1, `right` (N,), `groups` (N,): duplicates, resampled together.
    """
    place, names = _binned(confidence, edges_of(confidence, bins)), np.asarray(groups)
    found = []
    for number in np.unique(place):
        inside = place == number
        own = confidence[inside]
        accuracy = bootstrap_mean(right[inside], names[inside], seed=seed)
        found.append(
            Bin(
                low=float(own.min()),
                high=float(own.max()),
                confidence=float(own.mean()),
                accuracy=accuracy,
            )
        )
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


def binned_error(confidence: Floats, right: Flags, *, bins: int = USUAL_BINS) -> float:
    """The usual expected calibration error over bins of equal mass, biased upward on few images."""
    return float(_errors(confidence, right[:, None], bins)[0])


def binned_error_if_perfect(
    confidence: Floats, image_ids: Sequence[str], *, seed: int = 0, bins: int = USUAL_BINS
) -> float:
    """What `binned_error` is on average when every answer is right exactly as often as it claims."""
    draws = uniform(seed, "perfectly calibrated", 0, image_keys(image_ids), _PERFECT_WORLDS)
    return float(_errors(confidence, draws < confidence[:, None], bins).mean())


def _errors(confidence: Floats, right: Flags, bins: int) -> Floats:
    """The binned error in each of W worlds: `right` (N, W) to (W,)."""
    place = _binned(confidence, edges_of(confidence, bins))
    member = (place == np.arange(place.max() + 1)[:, None]).astype(np.float64)
    sums = member @ (confidence[:, None] - right)
    return np.asarray(np.abs(sums).sum(axis=0) / len(confidence))
