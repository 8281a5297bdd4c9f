"""Ways to mix weights: chosen on some drawings, measured on these and on others. Functions of answers.

"Model soups" (Wortsman et al., ICML 2022) are means of the weights of runs that share a start; WiSE-FT
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022) lies between two such weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.rules.nested import deal_groups, no_optimism
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
from dessin.committees.soup.weights import Floats, Shares, alone
from dessin.statistics.comparison import Comparison, compare
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.statistics.metrics import measure

Answers = Callable[[Shares], NDArray[Any]]
# From the rows (n,) that it may look at to the shares of the members.
Choose = Callable[[NDArray[np.int64]], Shares]

STEPS = tuple(step / 10 for step in range(11))
_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class CrossFitted:
    """Each part's choice, made on the other parts, and the joined answers (N, C) of these choices."""

    choices: tuple[Shares, ...]
    answers: NDArray[Any]


def together(chosen: Sequence[int], members: int) -> Shares:
    """Equal shares of the chosen members."""
    return tuple(1.0 / len(chosen) if number in chosen else 0.0 for number in range(members))


def between(step: float) -> Shares:
    """The shares of two members, `step` (0..1) of the way from the first to the second."""
    return (1.0 - step, step)


def best_alone(answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64], members: int) -> Shares:
    """The member that names most of `rows` right; of equals the one with the smaller log loss."""
    return alone(_by_accuracy(answers, targets, rows, members)[0], members)


def choose_greedily(
    answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64], members: int
) -> Shares:
    """The greedy soup: members by accuracy, each joins if the soup does not get fewer of `rows` right."""
    first, *others = _by_accuracy(answers, targets, rows, members)
    chosen = [first]
    best = _score(answers(alone(first, members)), targets, rows)[0]
    for member in others:
        right = _score(answers(together([*chosen, member], members)), targets, rows)[0]
        if right >= best:
            chosen, best = [*chosen, member], right
    return together(chosen, members)


def choose_between(answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64]) -> Shares:
    """The step of the way with most of `rows` right; of equals the smaller log loss, then the earlier."""

    def rank(step: float) -> tuple[int, float, float]:
        right, loss = _score(answers(between(step)), targets, rows)
        return (-right, loss, step)

    return between(min(STEPS, key=rank))


def cross_fit(choose: Choose, answers: Answers, parts: NDArray[np.int64]) -> CrossFitted:
    """For each part (N,) choose on the other parts, and answer on the part itself."""
    numbers = np.unique(parts)
    choices = tuple(choose(np.flatnonzero(parts != number)) for number in numbers)
    joined = np.empty_like(answers(choices[0]))
    for number, choice in zip(numbers, choices, strict=True):
        rows = parts == number
        joined[rows] = answers(choice)[rows]
    return CrossFitted(choices, joined)


def _by_accuracy(
    answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64], members: int
) -> list[int]:
    def rank(member: int) -> tuple[int, float, int]:
        right, loss = _score(answers(alone(member, members)), targets, rows)
        return (-right, loss, member)

    return sorted(range(members), key=rank)


def _score(
    probabilities: NDArray[Any], targets: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[int, float]:
    """How many of the rows are right, and their mean log loss."""
    truth = targets[rows]
    part = np.asarray(probabilities[rows], dtype=np.float64)
    own = part[np.arange(len(rows)), truth]
    loss = float(-np.log(np.clip(own, _SMALLEST, 1.0)).mean())
    return int((part.argmax(axis=1) == truth).sum()), loss


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
    base, *others = (way.name for way in ways)
    gains = [(name, base, two_models(right[name], right[base], members.groups)) for name in others]
    by_name = {gain.name: gain for gain in compare(gains, matters, luck=False)}
    return tuple(_row(members, way, answers(way.shares), right[base], by_name.get(way.name)) for way in ways)


def _row(
    members: SoupMembers, way: Way, naive: Floats, base: NDArray[np.bool_], gain: Comparison | None
) -> SoupRow:
    there, apart = _right(members, naive), _right(members, way.apart.answers)
    optimism = no_optimism(len(members.rows))
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
