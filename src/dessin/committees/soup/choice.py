"""Which mixture of weights: chosen on some images, and estimated on others. Pure functions of answers.

"Model soups" (Wortsman et al., ICML 2022) are means of the weights of runs that share a start; WiSE-FT
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022) lies between two such weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shares = tuple[float, ...]
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


def alone(member: int, members: int) -> Shares:
    return tuple(float(number == member) for number in range(members))


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
