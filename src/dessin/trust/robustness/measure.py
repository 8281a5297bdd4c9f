"""From right and wrong answers to accuracies with intervals, all from one set of resamples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import LEVEL, Bounds, Estimate, Floats, bootstrap, group_index
from dessin.statistics.paired_tests import holm
from dessin.trust.robustness.corruption import STRENGTHS, Corruption
from dessin.trust.robustness.result import CorruptionResult, RobustAnswers, Summary
from dessin.trust.robustness.suite import SUITE

_SHARE: Bounds = (0.0, 1.0)
_DIFFERENCE: Bounds = (-1.0, 1.0)


def summarised(
    answers: RobustAnswers, *, corruptions: Sequence[Corruption] = SUITE, seed: int = 0
) -> Summary:
    """Accuracies, and what each corruption costs, paired by drawing; whole groups are resampled.

    `corruptions` are those of the answers: the suite's, and after them others, which no number of the suite
    depends on.
    """
    count = len(corruptions)
    cells = count * STRENGTHS

    def statistics(totals: Floats) -> Floats:
        """Totals (R, cells + 2) to all values, in the order in which `bounds` has them."""
        shares = totals[:, :-1] / totals[:, -1:]
        each, clean = shares[:, :cells], shares[:, cells:]
        means = each.reshape(len(each), count, STRENGTHS).mean(axis=2)
        robust = each[:, : len(SUITE) * STRENGTHS].mean(axis=1, keepdims=True)
        relative = np.divide(robust, clean, out=np.zeros_like(robust), where=clean > 0)
        parts = [each, means, each - clean, means - clean, clean, robust, robust - clean, relative]
        return np.concatenate(parts, axis=1)

    bounds = [_SHARE] * (cells + count) + [_DIFFERENCE] * (cells + count)
    bounds += [_SHARE, _SHARE, _DIFFERENCE, _SHARE]
    sums, n = _sums(answers), len(answers.image_ids)
    found = iter(bootstrap(sums, statistics, bounds, n=n, sizes=sums[:, -1], seed=seed))
    strengths, means, costs, mean_costs = (list(islice(found, n)) for n in (cells, count, cells, count))
    clean, robust, cost, relative = found
    same = (answers.correct == answers.clean).all(axis=2)
    costs = [_cost(*pair, answers) for pair in zip(costs, same.ravel(), strict=True)]
    mean_costs = [_cost(*pair, answers) for pair in zip(mean_costs, same.all(axis=1), strict=True)]
    p = [two_models(own.mean(axis=0), answers.clean, answers.groups).p for own in answers.correct]
    p_holm = [*holm(p[: len(SUITE)]), *holm(p[len(SUITE) :])]
    rows = tuple(
        CorruptionResult(
            name=corruption.name,
            title=corruption.title,
            meaning=corruption.meaning,
            levels=corruption.levels,
            strengths=tuple(strengths[row * STRENGTHS : (row + 1) * STRENGTHS]),
            mean=means[row],
            costs=tuple(costs[row * STRENGTHS : (row + 1) * STRENGTHS]),
            cost=mean_costs[row],
            p_holm=p_holm[row],
        )
        for row, corruption in enumerate(corruptions)
    )
    suite = rows[: len(SUITE)]
    return Summary(
        clean=clean,
        robust=robust,
        cost=_cost(cost, same[: len(SUITE)].all(), answers),
        relative=relative if answers.clean.any() else None,
        worst=min(suite, key=lambda row: row.mean.value).name,
        corruptions=suite,
        extra=rows[len(SUITE) :],
    )


def _sums(answers: RobustAnswers) -> Floats:
    """Each group's sums over its drawings: of all cells, of the clean answers, of ones, (G, cells + 2)."""
    clean = answers.clean[None]
    cells = answers.correct.reshape(-1, answers.correct.shape[-1])
    values = np.concatenate([cells, clean, np.ones_like(clean)]).astype(np.float64)
    index = group_index(answers.groups)
    sums = np.zeros((int(index.max()) + 1, len(values)))
    np.add.at(sums, index, values.T)
    return sums


def _cost(cost: Estimate, same: np.bool_ | NDArray[np.bool_], answers: RobustAnswers) -> Estimate:
    """A cost, and where no drawing differs the share of groups that might: the rule of three."""
    if not same:
        return cost
    groups = int(group_index(answers.groups).max()) + 1
    most = 1 - ((1 - LEVEL) / 2) ** (1 / groups)
    return Estimate(value=0.0, low=-most, high=most, n=cost.n, method=f"no difference in {groups} groups")
