"""Committee, student and student alone on the same images: accuracies, paired differences, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.answers.tree import leaves
from dessin.collection.split.files import Assignment
from dessin.committees.distill.labels import committee_answers, part_of
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
from dessin.committees.distill.students import TrainedRun
from dessin.committees.distill.view import cautions, verdict, warnings
from dessin.models.card import read_card
from dessin.runs.joined import finished_record, own_predictions
from dessin.statistics.comparison import Comparison, comparison_of
from dessin.statistics.contrasts import Outcomes, contrast
from dessin.statistics.metrics import measure
from dessin.statistics.paired_tests import holm
from dessin.statistics.verdicts import judge

# Two differences say next to nothing of how differences vary.
_FOLDS_TOLD_APART = 3


@dataclass(frozen=True, eq=False)
class Answered:
    """Probabilities (N, C) by name for the images of all measured folds; columns as the split's classes."""

    rows: tuple[Assignment, ...]
    classes: tuple[str, ...]
    tables: Mapping[str, NDArray[np.float32]]

    @property
    def targets(self) -> NDArray[np.int64]:
        number = {label: i for i, label in enumerate(self.classes)}
        return np.array([number[row.label] for row in self.rows], dtype=np.int64)

    @property
    def groups(self) -> NDArray[Any]:
        return np.array([row.group for row in self.rows])


def gather_answers(plan: DistillPlan, runs: Mapping[str, TrainedRun], out: Path) -> Answered:
    """Every measured image as the committee's models without its fold and that fold's students answer it."""
    split = plan.subject.inputs.split
    rows = tuple(row for row in split.rows if row.fold in plan.folds)
    place = {row.image_id: number for number, row in enumerate(rows)}
    tables = {
        name: np.empty((len(rows), len(split.classes)), np.float32) for name in (COMMITTEE, STUDENT, ALONE)
    }

    def put(name: str, own: Predictions) -> None:
        columns = [own.classes.index(label) for label in split.classes]
        tables[name][[place[image_id] for image_id in own.image_ids]] = own.probabilities[:, columns]

    for fold in plan.folds:
        put(COMMITTEE, committee_answers(plan, out, fold))
        for name, run in ((STUDENT, STUDENT_RUN), (ALONE, ALONE_RUN)):
            folder = runs[f"{run}-fold-{fold}"].folder
            put(name, own_predictions(folder, finished_record(folder), split, "validation"))
    return Answered(rows, split.classes, tables)


def measure_distillation(
    plan: DistillPlan,
    answered: Answered,
    runs: Mapping[str, TrainedRun],
    labels: Sequence[LabelsRow],
    speed: SpeedResults,
) -> DistillResults:
    """Everything that the report says."""
    subject, settings, first = plan.subject, plan.settings, plan.folds[0]
    student = bundle_size(runs[f"{STUDENT_RUN}-fold-{first}"].bundle)
    sizes = {
        COMMITTEE: committee_size(subject, leaves(part_of(subject, first))),
        STUDENT: student,
        ALONE: student,
    }
    paid, gained = _comparisons(plan, answered)
    whole = committee_size(subject, leaves(subject.loaded.committee.root))
    results = DistillResults(
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
        verdict=(),
        warnings=(),
        cautions=(),
    )
    words = {
        "verdict": verdict(results),
        "warnings": warnings(results, _untaught(plan, runs)),
        "cautions": cautions(results, subject.loaded.committee.provenance),
    }
    return results.model_copy(update=words)


def _untaught(plan: DistillPlan, runs: Mapping[str, TrainedRun]) -> list[int]:
    """The folds whose student has the very weights of the one that learnt alone."""

    def weights(run: str, fold: int) -> str:
        return read_card(runs[f"{run}-fold-{fold}"].bundle).digests["weights"]

    return [fold for fold in plan.folds if weights(STUDENT_RUN, fold) == weights(ALONE_RUN, fold)]


def _answerer(name: str, answered: Answered, size: Size) -> Answerer:
    metrics = measure(answered.tables[name], answered.targets, answered.groups, answered.classes)
    return Answerer(name=name, accuracy=metrics.accuracy, loss=metrics.loss, size=size)


def _comparisons(plan: DistillPlan, answered: Answered) -> tuple[Comparison, Comparison]:
    """What the student pays, and what the teacher gains it, after Holm's correction over the two."""
    outcomes = _outcomes(plan, answered)
    pairs = (COMMITTEE, ALONE)
    found = [contrast(outcomes, {STUDENT: 1.0, against: -1.0}) for against in pairs]
    adjusted = holm([result.p for result in found])
    paid, gained = (
        comparison_of(
            STUDENT,
            against,
            result,
            # Whose luck is not in the numbers is said once for both, in a caution.
            judge(replace(result, scope="recipes"), p_holm, plan.settings.matters, comparisons=len(pairs)),
            p_holm=p_holm,
            comparisons=len(pairs),
        )
        for against, result, p_holm in zip(pairs, found, adjusted, strict=True)
    )
    return paid, gained


def _outcomes(plan: DistillPlan, answered: Answered) -> Outcomes:
    """What each got right; with enough folds, each is a training of its own."""
    targets = answered.targets
    right = [table.argmax(axis=1) == targets for table in answered.tables.values()]
    folds = np.array([row.fold for row in answered.rows], dtype=np.int64)
    if len(plan.folds) < _FOLDS_TOLD_APART:
        folds = np.zeros_like(folds)
    return Outcomes(
        levels=tuple(answered.tables),
        seeds=(plan.recipe.seed,),
        folds=tuple(np.unique(folds).tolist()),
        correct=np.stack(right).astype(np.float64)[:, None],
        fold_of=folds,
        groups=answered.groups,
        image_ids=tuple(row.image_id for row in answered.rows),
        split_folds=plan.subject.inputs.split.folds,
    )
