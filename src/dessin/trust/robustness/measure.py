"""From right and wrong answers to accuracies with intervals, all from one set of resamples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import LEVEL, Bounds, Estimate, Floats, bootstrap, group_index
from dessin.statistics.paired_tests import holm
from dessin.trust.robustness.result import CorruptionResult, RobustAnswers
from dessin.trust.robustness.suite import STRENGTHS, SUITE

_CELLS = len(SUITE) * STRENGTHS
_SHARE: Bounds = (0.0, 1.0)
_DIFFERENCE: Bounds = (-1.0, 1.0)


@dataclass(frozen=True)
class Summary:
    """The numbers of an outcome; see `RobustnessOutcome`."""

    clean: Estimate
    robust: Estimate
    cost: Estimate
    relative: Estimate | None
    corruptions: tuple[CorruptionResult, ...]

    @property
    def worst(self) -> str:
        """The corruption of the lowest mean accuracy."""
        return min(self.corruptions, key=lambda row: row.mean.value).name


def summarised(answers: RobustAnswers, *, seed: int = 0) -> Summary:
    """Accuracies, and what each corruption costs, paired by drawing; whole groups are resampled."""
    n = len(answers.image_ids)
    found = bootstrap(_sums(answers), _statistics, _bounds(), n=n, seed=seed)
    take = iter(found)
    cells = _taken(take, _CELLS)
    means, costs, mean_costs = _taken(take, len(SUITE)), _taken(take, _CELLS), _taken(take, len(SUITE))
    clean, robust, cost, relative = _taken(take, 4)
    same = (answers.correct == answers.clean).all(axis=2)
    costs = [_cost(*pair, answers) for pair in zip(costs, same.ravel(), strict=True)]
    mean_costs = [_cost(*pair, answers) for pair in zip(mean_costs, same.all(axis=1), strict=True)]
    p_holm = holm([_p(answers, answers.correct[row].mean(axis=0)) for row in range(len(SUITE))])
    rows = tuple(
        CorruptionResult(
            name=corruption.name,
            title=corruption.title,
            meaning=corruption.meaning,
            levels=tuple(map(float, corruption.levels)),
            strengths=tuple(cells[row * STRENGTHS : (row + 1) * STRENGTHS]),
            mean=means[row],
            costs=tuple(costs[row * STRENGTHS : (row + 1) * STRENGTHS]),
            cost=mean_costs[row],
            p_holm=p_holm[row],
        )
        for row, corruption in enumerate(SUITE)
    )
    return Summary(
        clean, robust, _cost(cost, same.all(), answers), relative if answers.clean.any() else None, rows
    )


def _sums(answers: RobustAnswers) -> Floats:
    """For each group the sums over its drawings: of 80 cells, of the clean answers, and of ones, (G, 82)."""
    values = np.concatenate(
        [answers.correct.reshape(_CELLS, -1), answers.clean[None], np.ones_like(answers.clean)[None]]
    ).astype(np.float64)
    index = group_index(np.asarray(answers.groups))
    sums = np.zeros((int(index.max()) + 1, len(values)))
    np.add.at(sums, index, values.T)
    return sums


def _statistics(totals: Floats) -> Floats:
    """Totals (R, 82) to all values of a summary (R, 196), in the order in which `_bounds` has them."""
    shares = totals[:, :-1] / totals[:, -1:]
    cells, clean = shares[:, :_CELLS], shares[:, _CELLS:]
    means = cells.reshape(len(cells), len(SUITE), STRENGTHS).mean(axis=2)
    robust = cells.mean(axis=1, keepdims=True)
    relative = np.divide(robust, clean, out=np.zeros_like(robust), where=clean > 0)
    return np.concatenate(
        [cells, means, cells - clean, means - clean, clean, robust, robust - clean, relative], axis=1
    )


def _bounds() -> list[Bounds]:
    shares, differences = [_SHARE] * (_CELLS + len(SUITE)), [_DIFFERENCE] * (_CELLS + len(SUITE))
    return [*shares, *differences, _SHARE, _SHARE, _DIFFERENCE, _SHARE]


def _taken(estimates: Iterator[Estimate], count: int) -> list[Estimate]:
    return [next(estimates) for _ in range(count)]


def _cost(cost: Estimate, same: np.bool_, answers: RobustAnswers) -> Estimate:
    """A cost, and where no drawing differs the share of groups that might: the rule of three."""
    if not same:
        return cost
    groups = len(set(group_index(np.asarray(answers.groups)).tolist()))
    most = 1 - ((1 - LEVEL) / 2) ** (1 / groups)
    return Estimate(value=0.0, low=-most, high=most, n=cost.n, method=f"no difference in {groups} groups")


def _p(answers: RobustAnswers, corrupted: NDArray[np.float64]) -> float:
    return two_models(corrupted, answers.clean, answers.groups).p
