"""Classes from worst to best, and which class is taken for which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dessin.evaluation.mistakes.worse_classes import worse_than_rest
from dessin.experiments.mistakes.answered import Answered
from dessin.experiments.mistakes.outcome import ClassRow, PairRow, Taken
from dessin.statistics.comparison import recorded
from dessin.statistics.metrics import class_results, confusion_matrix, confusion_pairs
from dessin.statistics.verdicts import ALPHA


def class_rows(given: Answered, *, seed: int = 0) -> tuple[ClassRow, ...]:
    """A row for each class with drawings, the worst first: by recall, then by what chance says of it."""
    matrix = _matrix(given)
    results = class_results(matrix, given.targets, given.index, given.classes)
    p, p_holm = worse_than_rest(given.correct, given.targets, given.index, len(given.classes), seed=seed)
    groups = np.bincount(
        np.unique(np.stack([given.targets, given.index]), axis=1)[0], minlength=len(given.classes)
    )
    rows = [
        ClassRow(
            label=result.label,
            name=given.names.get(result.label, result.label),
            n=result.n,
            groups=int(groups[c]),
            right=int(matrix[c, c]),
            recall=recorded(result.recall),
            p=p[c],
            p_holm=p_holm[c],
            worse=p_holm[c] < ALPHA,
            taken_for=_taken_for(matrix[c], c, given.classes),
        )
        for c, result in enumerate(results)
        if result.recall is not None
    ]
    return tuple(sorted(rows, key=lambda row: (row.recall.value, row.p, -row.n, row.label)))


def pair_rows(given: Answered) -> tuple[PairRow, ...]:
    """Every confusion that occurred, most frequent first."""
    return tuple(
        PairRow(label=pair.label, predicted=pair.predicted, count=pair.count, share=pair.share)
        for pair in confusion_pairs(_matrix(given), given.classes)
    )


def _matrix(given: Answered) -> NDArray[np.int64]:
    return confusion_matrix(given.targets, given.predicted, len(given.classes))


def _taken_for(counts: NDArray[np.int64], own: int, labels: tuple[str, ...]) -> tuple[Taken, ...]:
    order = [int(c) for c in np.argsort(-counts, kind="stable") if c != own and counts[c]]
    return tuple(Taken(label=labels[c], count=int(counts[c])) for c in order)
