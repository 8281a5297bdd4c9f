"""Ways to mix weights: chosen on some drawings, measured on these and on others. Functions of answers.

"Model soups" (Wortsman et al., ICML 2022) are means of the weights of runs that share a start; WiSE-FT
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022) lies between two such weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.committees.rules.nested import deal_groups, no_optimism
from dessin.committees.soup.members import SoupMembers
from dessin.committees.soup.result import (
    BEST,
    BETWEEN,
    GREEDY,
    LEARNING,
    PROBE,
    TUNED,
    UNIFORM,
    CurvePoint,
    SoupMember,
    SoupRow,
)
from dessin.committees.soup.weights import Floats, Shares, alone
from dessin.statistics.comparison import compare
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
    return _best_first(answers, targets, rows, _each_alone(members))[0]


def choose_greedily(
    answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64], members: int
) -> Shares:
    """The greedy soup: members by accuracy, each joins if the soup does not get fewer of `rows` right."""
    chosen: list[int] = []
    best = 0
    for member in _best_first(answers, targets, rows, _each_alone(members)):
        with_it = [*chosen, member.index(1.0)]
        right = _score(answers(together(with_it, members)), targets, rows)[0]
        if right >= best:
            chosen, best = with_it, right
    return together(chosen, members)


def choose_between(answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64]) -> Shares:
    """The step of the way with most of `rows` right; of equals the smaller log loss, then the earlier."""
    return _best_first(answers, targets, rows, [between(step) for step in STEPS])[0]


def _each_alone(members: int) -> list[Shares]:
    return [alone(number, members) for number in range(members)]


def _best_first(
    answers: Answers, targets: NDArray[np.int64], rows: NDArray[np.int64], mixtures: Sequence[Shares]
) -> list[Shares]:
    """Mixtures by how many of `rows` they name right, then by log loss, then in their order."""

    def rank(shares: Shares) -> tuple[int, float]:
        right, loss = _score(answers(shares), targets, rows)
        return (-right, loss)

    return sorted(mixtures, key=rank)


def cross_fit(choose: Choose, answers: Answers, parts: NDArray[np.int64]) -> CrossFitted:
    """For each part (N,) choose on the other parts, and answer on the part itself."""
    numbers = np.unique(parts)
    choices = tuple(choose(np.flatnonzero(parts != number)) for number in numbers)
    joined = np.empty_like(answers(choices[0]))
    for number, choice in zip(numbers, choices, strict=True):
        rows = parts == number
        joined[rows] = answers(choice)[rows]
    return CrossFitted(choices, joined)


def _score(
    probabilities: NDArray[Any], targets: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[int, float]:
    """How many of the rows are right, and their mean log loss."""
    truth = targets[rows]
    part = np.asarray(probabilities[rows], dtype=np.float64)
    own = part[np.arange(len(rows)), truth]
    loss = float(-np.log(np.clip(own, _SMALLEST, 1.0)).mean())
    return int((part.argmax(axis=1) == truth).sum()), loss


def measure_ways(
    members: SoupMembers, answers: Answers, *, seed: int, matters: float
) -> tuple[tuple[SoupRow, ...], dict[str, Floats]]:
    """Every way to mix, and what it says of the images that it did not choose by, (N, C).

    Gains are over the first one, with Holm's correction over the others.

    Of runs: the best one, the uniform and the greedy soup. Of two ends: both, and the best step of the way.
    """
    count, targets = len(members.states), members.targets
    rules: dict[str, Choose] = {
        BEST: lambda rows: best_alone(answers, targets, rows, count),
        UNIFORM: lambda _: together(range(count), count),
        GREEDY: lambda rows: choose_greedily(answers, targets, rows, count),
    }
    if members.ends:
        rules = {
            TUNED: lambda _: between(1.0),
            PROBE: lambda _: between(0.0),
            BETWEEN: lambda rows: choose_between(answers, targets, rows),
        }
    parts = deal_groups(members.groups, [row.image_id for row in members.rows], seed=seed)
    apart = {name: cross_fit(choose, answers, parts) for name, choose in rules.items()}
    right = {name: found.answers.argmax(axis=1) == targets for name, found in apart.items()}
    base, *others = rules
    gains = [(name, base, two_models(right[name], right[base], members.groups)) for name in others]
    gain_of = {gain.name: gain for gain in compare(gains, matters, luck=False)}
    rows = []
    for name, choose in rules.items():
        shares = choose(np.arange(len(targets)))
        naive = answers(shares).argmax(axis=1) == targets
        optimism = no_optimism(len(targets))
        if name in LEARNING:
            optimism = two_models(naive, right[name], members.groups).by_image
        accuracy, loss = _measured(members, apart[name].answers)
        rows.append(
            SoupRow(
                name=name,
                shares=_named(members, shares),
                naive=bootstrap_mean(naive, members.groups, bounds=(0.0, 1.0)),
                accuracy=accuracy,
                loss=loss,
                optimism=optimism,
                gain=gain_of.get(name),
                won=int((right[name] & ~right[base]).sum()),
                lost=int((right[base] & ~right[name]).sum()),
                part_shares=tuple(_named(members, choice) for choice in apart[name].choices),
            )
        )
    return tuple(rows), {name: found.answers for name, found in apart.items()}


def member_rows(members: SoupMembers, chosen: SoupRow) -> tuple[SoupMember, ...]:
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
                share=chosen.shares.get(name, 0.0),
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


def _named(members: SoupMembers, shares: Shares) -> dict[str, float]:
    return {name: share for name, share in zip(members.names, shares, strict=True) if share > 0}
