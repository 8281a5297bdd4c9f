"""Committee, student and student alone on the same images: accuracies and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import join_out_of_fold
from dessin.answers.tree import leaves
from dessin.collection.split.files import Assignment
from dessin.committees.distill.plan import ALONE as ALONE_RUN
from dessin.committees.distill.plan import STUDENT as STUDENT_RUN
from dessin.committees.distill.plan import DistillPlan
from dessin.committees.distill.result import (
    ALONE,
    COMMITTEE,
    STUDENT,
    Answerer,
    DistillResults,
    LabelsRow,
    Size,
    SpeedResults,
)
from dessin.committees.distill.speed import bundle_size, committee_size
from dessin.committees.distill.teaching import committee_answers, part_of
from dessin.committees.gains import over_folds
from dessin.models.card import read_card
from dessin.runs.inputs import class_numbers
from dessin.runs.joined import finished_record, own_predictions
from dessin.statistics.comparison import Comparison, compare
from dessin.statistics.metrics import measure


@dataclass(frozen=True, eq=False)
class Answered:
    """Probabilities (N, C) by name for the images of all measured folds; columns as the split's classes."""

    rows: tuple[Assignment, ...]
    classes: tuple[str, ...]
    tables: Mapping[str, NDArray[np.float32]]

    @property
    def targets(self) -> NDArray[np.int64]:
        """(N,)."""
        return class_numbers(self.rows, self.classes)

    @property
    def groups(self) -> NDArray[Any]:
        """(N,) str."""
        return np.array([row.group for row in self.rows])


def gather_answers(plan: DistillPlan, runs: Mapping[str, Path], out: Path) -> Answered:
    """Every measured image as the committee's models without its fold and that fold's students answer it."""
    split = plan.subject.inputs.split
    rows = tuple(row for row in split.rows if row.fold in plan.folds)
    parts = {COMMITTEE: [committee_answers(plan, out, fold) for fold in plan.folds]}
    for name, run in ((STUDENT, STUDENT_RUN), (ALONE, ALONE_RUN)):
        folders = [runs[f"{run}-fold-{fold}"] for fold in plan.folds]
        parts[name] = [own_predictions(f, finished_record(f), split, "validation") for f in folders]
    tables = {name: join_out_of_fold(own, rows, split.classes) for name, own in parts.items()}
    return Answered(rows, split.classes, tables)


def measure_distillation(
    plan: DistillPlan,
    answered: Answered,
    runs: Mapping[str, Path],
    labels: Sequence[LabelsRow],
    speed: SpeedResults,
) -> DistillResults:
    """Everything that the report says, but for the words."""
    subject, settings, first = plan.subject, plan.settings, plan.folds[0]
    student = bundle_size(runs[f"{STUDENT_RUN}-fold-{first}"] / "bundle")
    sizes = {
        COMMITTEE: committee_size(subject, leaves(part_of(subject, first))),
        STUDENT: student,
        ALONE: student,
    }
    paid, gained = _comparisons(plan, answered)
    whole = committee_size(subject, leaves(subject.loaded.committee.root))
    return DistillResults(
        committee=subject.loaded.committee.name,
        student=settings.student,
        images=len(answered.rows),
        groups=len(set(answered.groups.tolist())),
        folds=plan.folds,
        weight=settings.weight,
        temperature=settings.temperature,
        views=settings.views,
        seed=plan.recipe.seed,
        matters=settings.matters,
        answerers=tuple(_answerer(name, answered, sizes[name]) for name in answered.tables),
        paid=paid,
        gained=gained,
        whole=whole,
        labels=tuple(labels),
        speed=speed,
        final=settings.final,
        decisions=plan.decisions,
    )


def untaught(plan: DistillPlan, runs: Mapping[str, Path]) -> list[int]:
    """The folds whose student has the very weights of the one that learnt alone."""

    def weights(run: str, fold: int) -> str:
        return read_card(runs[f"{run}-fold-{fold}"] / "bundle").digests["weights"]

    return [fold for fold in plan.folds if weights(STUDENT_RUN, fold) == weights(ALONE_RUN, fold)]


def _answerer(name: str, answered: Answered, size: Size) -> Answerer:
    metrics = measure(answered.tables[name], answered.targets, answered.groups, answered.classes)
    return Answerer(name=name, accuracy=metrics.accuracy, loss=metrics.loss, size=size)


def _comparisons(plan: DistillPlan, answered: Answered) -> tuple[Comparison, Comparison]:
    """What the student pays, and what the teacher gains it, after Holm's correction over the two."""
    right = {name: table.argmax(axis=1) == answered.targets for name, table in answered.tables.items()}
    folds = np.array([row.fold for row in answered.rows], dtype=np.int64)
    split_folds = plan.subject.inputs.split.folds
    found = [
        (STUDENT, base, over_folds(right[STUDENT], right[base], folds, answered.groups, split_folds))
        for base in (COMMITTEE, ALONE)
    ]
    paid, gained = compare(found, plan.settings.matters, luck=False)
    return paid, gained
