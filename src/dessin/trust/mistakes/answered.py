"""The validation drawings of a model with its answers: kept ones where a run has them, else computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import Assignment
from dessin.runs.joined import at_present
from dessin.runs.subject import Subject
from dessin.statistics.headline import rank_of
from dessin.statistics.intervals import group_index


@dataclass(frozen=True, eq=False)
class Answered:
    """N drawings as the split has them, and what a model says of them that was not trained on them.

    `probabilities` (N, C) float64, `targets` (N,) the true class numbers; `names` are those for people.
    """

    rows: tuple[Assignment, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]
    names: Mapping[str, str]

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class, (N,); of equal ones the first."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        return np.asarray(self.predicted == self.targets, dtype=np.bool_)

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """The number of each drawing's group, (N,)."""
        return group_index([row.group for row in self.rows])

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """The place of the true class among the answers, from 1, (N,)."""
        return rank_of(self.probabilities, self.targets) + 1

    @cached_property
    def sureness(self) -> NDArray[np.float64]:
        """The probability of the predicted class, (N,)."""
        return np.asarray(self.probabilities.max(axis=1), dtype=np.float64)

    @property
    def wrong(self) -> NDArray[np.int64]:
        """The places of the wrong drawings, the surest first."""
        places = np.flatnonzero(~self.correct)
        return places[np.argsort(-self.sureness[places], kind="stable")]

    @property
    def folds(self) -> tuple[int, ...]:
        return tuple(sorted({row.fold for row in self.rows if row.fold is not None}))


def answered(subject: Subject, rows: tuple[Assignment, ...]) -> Answered:
    """The model's answers to its validation drawings `rows`, in their order."""
    image_ids = [row.image_id for row in rows]
    home, found = subject.home, None
    if home is not None and (home / "validation" / "predictions.csv").is_file():
        found = at_present(read_predictions(home / "validation"), home)
    if found is None or not set(image_ids) <= set(found.image_ids):
        found = subject.answers(rows)
    number = {label: c for c, label in enumerate(found.classes)}
    return Answered(
        rows=rows,
        classes=found.classes,
        probabilities=found.table(image_ids, found.classes).astype(np.float64),
        targets=np.array([number[row.label] for row in rows], dtype=np.int64),
        names={**subject.inputs.manifest.names, **subject.loaded.committee.names},
    )
