"""What the committee says, and the students with and without that, as ordinary runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from dessin.answers.inference import answer_rows, tree_of_fold
from dessin.answers.predictions import Predictions, read_predictions, write_predictions
from dessin.answers.soft_labels import SoftLabels, read_soft_labels, write_soft_labels
from dessin.answers.tree import Node, leaves
from dessin.collection.split.files import write_split
from dessin.committees.distill.plan import NONE, DistillPlan, Fold, run_recipe
from dessin.committees.distill.result import LabelsRow
from dessin.committees.part_runs import train_part
from dessin.errors import DessinError
from dessin.progress import say
from dessin.runs.record import SPLIT_FILE, read_record
from dessin.runs.subject import Subject
from dessin.statistics.temperature import tempered
from dessin.training.device import choose_device

LABELS, ANSWERS = "labels", "committee"


def labels_folder(out: Path, fold: Fold) -> Path:
    """Where the soft labels for a fold's student lie."""
    return out / LABELS / f"fold-{fold}"


def part_of(subject: Subject, fold: Fold) -> Node:
    """What of the tree answers for a fold: the models that did not see it; for none, all of it."""
    return subject.loaded.committee.root if fold == NONE else tree_of_fold(subject.loaded, int(fold))


def make_labels(plan: DistillPlan, out: Path, fold: Fold) -> LabelsRow:
    """The labels for a fold's student: of its training images, by models without that fold; computed once."""
    folder, subject = labels_folder(out, fold), plan.subject
    number = None if fold == NONE else int(fold)
    rows, models = subject.inputs.split.training(number), len(leaves(part_of(subject, fold)))
    if not folder.is_dir():
        views = len(plan.settings.views)
        say(f"soft labels for fold {fold}: {len(rows):,} images, {models} models, {views} views")
        image_ids = tuple(row.image_id for row in rows)
        table = answer_rows(
            subject.loaded,
            subject.inputs.opener(),
            image_ids,
            device=torch.device(str(choose_device().value)),
            fold=number,
            views=plan.settings.views,
        )
        write_soft_labels(SoftLabels(image_ids, subject.loaded.committee.classes, table), folder)
    labels = read_soft_labels(folder)
    label_of = {row.image_id: row.label for row in subject.inputs.split.rows}
    said = [labels.classes[column] for column in labels.probabilities.argmax(axis=1)]
    right = [name == label_of[image_id] for name, image_id in zip(said, labels.image_ids, strict=True)]
    soft = tempered(labels.probabilities, plan.settings.temperature)
    return LabelsRow(
        fold=str(fold),
        models=models,
        images=len(labels.image_ids),
        right=float(np.mean(right)),
        largest=float(labels.probabilities.max(axis=1).mean()),
        largest_tempered=float(soft.max(axis=1).mean()),
        digest=labels.digest,
    )


def committee_answers(plan: DistillPlan, out: Path, fold: int) -> Predictions:
    """What the models without a fold answer to its images, as the committee looks at them."""
    folder = out / ANSWERS / f"fold-{fold}"
    if not (folder / "predictions.csv").is_file():
        rows = plan.subject.inputs.split.validation(fold)
        write_predictions(plan.subject.answers(rows), folder)
    return read_predictions(folder)


def train_students(plan: DistillPlan, out: Path, labels: Sequence[LabelsRow]) -> Mapping[str, Path]:
    """Train every run of the plan into `out/runs/<name>`; their folders by name."""
    split = out / SPLIT_FILE
    write_split(plan.subject.inputs.split, split)
    trained = {}
    for run in plan.runs():
        say(run.what)
        recipe = run_recipe(plan, run, labels=labels_folder(out, run.fold), split=split)
        level = run.name.partition("-")[0]
        trained[run.name] = train_part(out, run.name, recipe, level=level, what=f"run {run.name}")
    digests = {row.fold: row.digest for row in labels}
    for run in plan.runs():
        taught_by = read_record(trained[run.name]).digests.teacher
        if taught_by != (digests[str(run.fold)] if run.taught else ""):
            raise DessinError(
                f"{trained[run.name]} was taught by other labels than those in "
                f"{labels_folder(out, run.fold)}.",
                do="Remove both, and begin again.",
            )
    return trained
