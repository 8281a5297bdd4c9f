"""What quantisation costs: accuracy of the int8 model against the float one, on the same drawings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import folds_of
from dessin.runs.record import Result
from dessin.runs.subject import Subject
from dessin.schema import Section
from dessin.statistics.comparison import recorded
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.verdicts import points

# A loss that is larger than this for certain is said loudly.
LOUD = 0.02


class Price(Section):
    """Accuracies (0..1) on validation drawings, each answered by models that were not trained on it.

    `difference` is int8 minus float, paired by drawing.
    """

    float32: Result
    int8: Result
    difference: Result

    @property
    def loses_much(self) -> bool:
        return self.difference.high < -LOUD

    @property
    def words(self) -> str:
        return (
            f"int8 minus float: {points(self.difference.estimate())} points of accuracy, n = "
            f"{self.difference.n:,} validation drawings (float {self.float32.estimate()}; "
            f"int8 {self.int8.estimate()})"
        )


def int8_price(subject: Subject, exported: LoadedCommittee) -> Price | None:
    """The price paid by the exported model; None where there are no validation drawings to tell it."""
    if not folds_of(subject.loaded):
        return None
    rows = subject.rows("validation")
    right = []
    for loaded in (subject.loaded, exported):
        answers = replace(subject, loaded=loaded).answers(rows)
        named = np.array(answers.classes)[answers.probabilities.argmax(axis=1)]
        right.append((named == np.array([row.label for row in rows])).astype(np.float64))
    groups = [row.group for row in rows]
    before, after = right
    return Price(
        float32=recorded(bootstrap_mean(before, groups, seed=subject.seed)),
        int8=recorded(bootstrap_mean(after, groups, seed=subject.seed)),
        difference=recorded(two_models(after, before, groups, seed=subject.seed).difference),
    )
