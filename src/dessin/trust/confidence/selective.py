"""When to stay silent: the lowest threshold above which answers are right as often as asked, guaranteed.

Thresholds are tested from the surest answers downward, as long as each passes ("fixed sequence testing" of
Angelopoulos et al., "Learn then test", 2021), in several chains that begin further and further down and share
the allowed error, since one wrong answer among few ends a chain. A test is the exact binomial bound of
Clopper and Pearson (1934), with one observation a group of duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from dessin.statistics.intervals import Floats, bootstrap_mean, group_index
from dessin.trust.confidence.evidence import Evidence, Flags
from dessin.trust.confidence.measure import Tempered
from dessin.trust.confidence.result import CurvePoint, Selection

ERROR = 0.05
CHAINS = 5
_STEPS = 100


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
    reached = [_last_passed(passes, start) for start in _starts(possible)]
    last = max((place for place in reached if place is not None), default=None)
    return Choice(
        threshold=None if last is None else float(curve.threshold[last]),
        reachable=float(lower[best]),
        reachable_coverage=float(curve.coverage[best]),
    )


def _starts(possible: NDArray[np.int64]) -> list[int]:
    """Where the chains begin: near one another among the surest answers, wider apart further down."""
    if not len(possible):
        return []
    places = np.geomspace(1, len(possible), CHAINS + 1)[:-1].round().astype(np.int64) - 1
    return [int(possible[place]) for place in np.unique(places)]


def _last_passed(passes: Flags, start: int) -> int | None:
    """The last of the unbroken row of passes that begins at `start`."""
    failed = np.flatnonzero(~passes[start:])
    length = int(failed[0]) if len(failed) else len(passes) - start
    return start + length - 1 if length else None
