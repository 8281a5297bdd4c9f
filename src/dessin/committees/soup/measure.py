"""Ways to mix weights, measured on the drawings that they were chosen by, and on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dessin.committees.rules.greedy import deal_groups
from dessin.committees.soup.choice import (
    STEPS,
    Answers,
    Choose,
    CrossFitted,
    Shares,
    best_alone,
    between,
    choose_between,
    choose_greedily,
    cross_fit,
    together,
)
from dessin.committees.soup.members import SoupMembers
from dessin.committees.soup.result import (
    BEST,
    BETWEEN,
    GREEDY,
    PROBE,
    TUNED,
    UNIFORM,
    CurvePoint,
    SoupMember,
    SoupRow,
)
from dessin.committees.soup.weights import Floats
from dessin.statistics.comparison import Comparison, comparison_of
from dessin.statistics.contrasts import Contrast, two_models
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.statistics.metrics import measure
from dessin.statistics.paired_tests import holm
from dessin.statistics.verdicts import judge


@dataclass(frozen=True, eq=False)
class Way:
    """A way to mix: chosen on all images, and for each part on the others; `learns` if images have a say."""

    name: str
    shares: Shares
    apart: CrossFitted
    learns: bool


def ways_of_soups(members: SoupMembers, answers: Answers, seed: int) -> tuple[Way, ...]:
    """The best single run, the uniform and the greedy soup."""
    count, targets = len(members.states), members.targets
    everyone = together(range(count), count)
    rules: dict[str, Choose] = {
        BEST: lambda rows: best_alone(answers, targets, rows, count),
        UNIFORM: lambda _: everyone,
        GREEDY: lambda rows: choose_greedily(answers, targets, rows, count),
    }
    return _ways(members, answers, rules, seed)


def ways_between(members: SoupMembers, answers: Answers, seed: int) -> tuple[Way, ...]:
    """The fine-tuned end, the probe's end, and the best step of the way."""
    rules: dict[str, Choose] = {
        TUNED: lambda _: between(1.0),
        PROBE: lambda _: between(0.0),
        BETWEEN: partial(choose_between, answers, members.targets),
    }
    return _ways(members, answers, rules, seed)


def _ways(members: SoupMembers, answers: Answers, rules: Mapping[str, Choose], seed: int) -> tuple[Way, ...]:
    parts = deal_groups(members.groups, [row.image_id for row in members.rows], seed=seed)
    everything = np.arange(len(members.rows), dtype=np.int64)
    return tuple(
        Way(
            name,
            choose(everything),
            cross_fit(choose, answers, parts),
            learns=name in (BEST, GREEDY, BETWEEN),
        )
        for name, choose in rules.items()
    )


def way_rows(
    members: SoupMembers, ways: Sequence[Way], answers: Answers, matters: float
) -> tuple[SoupRow, ...]:
    """All ways; the first is what the others' gains are held against, with Holm's correction over them."""
    right = {way.name: _right(members, way.apart.answers) for way in ways}
    base, *others = ways
    contrasts = {way.name: two_models(right[way.name], right[base.name], members.groups) for way in others}
    adjusted = dict(zip(contrasts, holm([contrast.p for contrast in contrasts.values()]), strict=True))
    rows = []
    for way in ways:
        gain = None
        if way.name in contrasts:
            contrast, p = contrasts[way.name], adjusted[way.name]
            gain = _judged(way.name, base.name, contrast, p, matters, len(contrasts))
        rows.append(_row(members, way, answers(way.shares), right[base.name], gain))
    return tuple(rows)


def _row(
    members: SoupMembers, way: Way, naive: Floats, base: NDArray[np.bool_], gain: Comparison | None
) -> SoupRow:
    there, apart = _right(members, naive), _right(members, way.apart.answers)
    optimism = Estimate(0.0, 0.0, 0.0, len(members.rows), "nothing is chosen")
    if way.learns:
        optimism = two_models(there, apart, members.groups).by_image
    accuracy, loss = _measured(members, way.apart.answers)
    return SoupRow(
        name=way.name,
        shares=_named(members, way.shares),
        naive=bootstrap_mean(there, members.groups, bounds=(0.0, 1.0)),
        accuracy=accuracy,
        loss=loss,
        optimism=optimism,
        gain=gain,
        won=int((apart & ~base).sum()),
        lost=int((base & ~apart).sum()),
        part_shares=tuple(_named(members, shares) for shares in way.apart.choices),
    )


def _judged(
    name: str, against: str, contrast: Contrast, p_holm: float, matters: float, comparisons: int
) -> Comparison:
    # Whose luck is not in the numbers is said once for all of them, in a caution.
    judged = judge(replace(contrast, scope="recipes"), p_holm, matters, comparisons=comparisons)
    return comparison_of(name, against, contrast, judged, p_holm=p_holm, comparisons=comparisons)


def member_rows(members: SoupMembers, chosen: Shares) -> tuple[SoupMember, ...]:
    """Every member alone, with its share of what was chosen."""
    rows = []
    for number, (name, answers) in enumerate(zip(members.names, members.answers, strict=True)):
        run = members.runs[min(number, len(members.runs) - 1)]
        accuracy, loss = _measured(members, answers)
        rows.append(
            SoupMember(
                name=name,
                run=run.folder.as_posix(),
                weights="" if name == PROBE else run.record.digests.model,
                share=chosen[number],
                accuracy=accuracy,
                loss=loss,
            )
        )
    return tuple(rows)


def curve_between(members: SoupMembers, answers: Answers) -> tuple[CurvePoint, ...]:
    """Every step of the way, measured on all images."""
    points = []
    for step in STEPS:
        accuracy, loss = _measured(members, answers(between(step)))
        points.append(CurvePoint(alpha=step, accuracy=accuracy, loss=loss))
    return tuple(points)


def _measured(members: SoupMembers, answers: Floats) -> tuple[Estimate, Estimate]:
    metrics = measure(answers, members.targets, members.groups, members.card.classes)
    return metrics.accuracy, metrics.loss


def _right(members: SoupMembers, answers: Floats) -> NDArray[np.bool_]:
    return np.asarray(answers.argmax(axis=1) == members.targets, dtype=np.bool_)


def _named(members: SoupMembers, shares: Shares) -> dict[str, float]:
    return {name: share for name, share in zip(members.names, shares, strict=True) if share > 0}
