"""Calibration and the threshold of a target precision, judged on images that they were not chosen on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dessin.statistics.intervals import Bounds, Estimate, Floats, bootstrap_mean
from dessin.statistics.temperature import COLDEST, HOTTEST, fit_temperature, tempered
from dessin.trust.confidence.evidence import Evidence
from dessin.trust.confidence.reliability import (
    binned_error,
    binned_error_if_perfect,
    reliability_bins,
    signed_gaps,
)
from dessin.trust.confidence.result import Bin, Calibration, Change, CurvePoint, Selection
from dessin.trust.confidence.selective import Choice, choose_threshold, risk_curve

# A probability is not taken to be smaller than float32 can tell from 0 beside 1.
_SMALLEST = 1e-7
_LARGEST_LOSS = float(-np.log(_SMALLEST))


@dataclass(frozen=True, eq=False)
class Warmed:
    """Probabilities with a temperature: of all images, and for each part that of the others.

    `whole` (N, C) has the `temperature` of all images; `crossed` (N, C) has for each image that of the parts
    that it is not in; `confidences` (P, N) are the largest probabilities of all images without each part.
    """

    temperature: float
    whole: Floats
    crossed: Floats
    confidences: Floats


def warm(evidence: Evidence) -> Warmed:
    """Fit the temperature to all images, and once more without each part."""
    table, parts = evidence.answers.probabilities, evidence.parts
    crossed, confidences = np.empty_like(table), []
    for part in range(int(parts.max()) + 1):
        others = parts != part
        found = tempered(table, _fitted(table[others], evidence.targets[others]))
        crossed[~others] = found[~others]
        confidences.append(found.max(axis=1))
    temperature = _fitted(table, evidence.targets)
    return Warmed(temperature, tempered(table, temperature), crossed, np.stack(confidences))


def _fitted(table: Floats, targets: NDArray[np.int64]) -> float:
    """The temperature that suits the images; 1 where none is best, for what they do not say is not learnt."""
    found = fit_temperature(table, targets)
    return 1.0 if found in (COLDEST, HOTTEST) else found


def measure_calibration(evidence: Evidence, warmed: Warmed) -> Calibration:
    """How well confidences keep what they say, without the temperature and with it."""
    plain, right, parts = evidence.answers.probabilities, evidence.right, evidence.parts
    before, after = plain.max(axis=1), warmed.crossed.max(axis=1)
    same = np.broadcast_to(before, warmed.confidences.shape)
    gaps = (signed_gaps(same, right, parts), signed_gaps(warmed.confidences, right, parts))
    tables = (plain, warmed.crossed)
    losses = [np.minimum(-np.log(np.maximum(_true(evidence, p), _SMALLEST)), _LARGEST_LOSS) for p in tables]
    briers = [np.clip((p**2).sum(axis=1) - 2 * _true(evidence, p) + 1, 0.0, 2.0) for p in tables]
    ids, seed = evidence.answers.image_ids, evidence.seed
    return Calibration(
        temperature=warmed.temperature,
        overconfidence=_change(evidence, before - right, after - right, (-1.0, 1.0)),
        ece=_change(evidence, *gaps, (-1.0, 1.0), floor=0.0),
        brier=_change(evidence, briers[0], briers[1], (0.0, 2.0)),
        log_loss=_change(evidence, losses[0], losses[1], (0.0, _LARGEST_LOSS)),
        binned_ece=(binned_error(before, right), binned_error(after, right)),
        binned_ece_if_perfect=(
            binned_error_if_perfect(before, ids, seed=seed),
            binned_error_if_perfect(after, ids, seed=seed),
        ),
        bins_before=_bins(evidence, before),
        bins_after=_bins(evidence, after),
    )


def measure_selection(evidence: Evidence, warmed: Warmed, target: float) -> Selection:
    """The threshold for a target precision, chosen on all images, and what such a choice gives on others."""
    confidence, right, groups = warmed.whole.max(axis=1), evidence.right, evidence.groups
    curve = risk_curve(confidence, right, groups)
    choice = choose_threshold(curve, target)
    answered = np.zeros(len(right), dtype=bool)
    for part, own in enumerate(warmed.confidences):
        mine = evidence.parts == part
        threshold = _chosen(own[~mine], right[~mine], groups[~mine], target).threshold
        if threshold is not None:
            answered[mine] = own[mine] >= threshold
    points = zip(curve.threshold, curve.coverage, curve.precision, strict=True)
    return Selection(
        target=target,
        threshold=choice.threshold,
        precision=_precision(evidence, answered),
        coverage=_mean(evidence, answered.astype(np.float64)),
        always=_mean(evidence, right.astype(np.float64)),
        reachable=choice.reachable,
        reachable_coverage=choice.reachable_coverage,
        curve=tuple(CurvePoint(threshold=t, coverage=c, precision=p) for t, c, p in points),
    )


def result_of(estimate: Estimate) -> Estimate:
    """An estimate as it is kept in a file."""
    return Estimate(**estimate.__dict__)


def _chosen(confidence: Floats, right: NDArray[np.bool_], groups: NDArray[np.str_], target: float) -> Choice:
    return choose_threshold(risk_curve(confidence, right, groups), target)


def _precision(evidence: Evidence, answered: NDArray[np.bool_]) -> Estimate | None:
    """The share right among the images answered; None where there are none."""
    if not answered.any():
        return None
    return result_of(bootstrap_mean(evidence.right[answered], evidence.groups[answered], seed=evidence.seed))


def _true(evidence: Evidence, probabilities: Floats) -> Floats:
    """The probability of the true class, (N,)."""
    return np.asarray(probabilities[np.arange(len(evidence.targets)), evidence.targets])


def _mean(evidence: Evidence, values: Floats, bounds: Bounds | None = None) -> Estimate:
    return result_of(bootstrap_mean(values, evidence.groups, seed=evidence.seed, bounds=bounds))


def _change(
    evidence: Evidence, before: Floats, after: Floats, bounds: Bounds, *, floor: float | None = None
) -> Change:
    """Both with intervals, and the paired difference; below `floor` nothing is stated, for it cannot be."""
    reach = bounds[1] - bounds[0]
    first, second = (_mean(evidence, values, bounds) for values in (before, after))
    difference = _mean(evidence, after - before, (-reach, reach))
    if floor is not None:
        first, second = _raised(first, floor), _raised(second, floor)
        value = second.value - first.value
        low, high = min(difference.low, value), max(difference.high, value)
        difference = replace(difference, value=value, low=low, high=high)
    return Change(before=first, after=second, difference=difference)


def _raised(result: Estimate, floor: float) -> Estimate:
    value, low, high = (max(floor, edge) for edge in (result.value, result.low, result.high))
    return Estimate(value=value, low=low, high=high, n=result.n, method=result.method)


def _bins(evidence: Evidence, confidence: Floats) -> tuple[Bin, ...]:
    found = reliability_bins(confidence, evidence.right, evidence.groups, seed=evidence.seed)
    return tuple(
        Bin(low=b.low, high=b.high, confidence=b.confidence, accuracy=result_of(b.accuracy)) for b in found
    )
