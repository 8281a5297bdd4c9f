"""What a distillation does: folds to measure, the committee's labels, and students with and without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from dessin.answers.inference import answer_rows, folds_of, tree_of_fold
from dessin.answers.predictions import Predictions, read_predictions, write_predictions
from dessin.answers.soft_labels import SoftLabels, read_soft_labels, write_soft_labels
from dessin.answers.tree import Node, leaves
from dessin.collection.split.files import Assignment, write_split
from dessin.committees.distill.result import LabelsRow
from dessin.committees.gains import check_matters
from dessin.committees.part_runs import part_job, train_elsewhere, train_part
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import digest_of
from dessin.language import tr
from dessin.page.numbers import counted
from dessin.progress import say
from dessin.recipe import Recipe, TeacherSpec, apply_override, make_recipe, read_values
from dessin.runs.executors.job import Executor
from dessin.runs.plan import rows_of
from dessin.runs.prepare import complete, prepare
from dessin.runs.record import SPLIT_FILE, read_record
from dessin.runs.subject import Subject
from dessin.statistics.temperature import tempered
from dessin.training.device import choose_device
from dessin.training.views import check_views

ALL = "all"
NONE: Literal["none"] = "none"
STUDENT, ALONE = "student", "alone"
FINAL = "student-final"
LABELS, ANSWERS = "labels", "committee"
Fold = int | Literal["none"]

# A student learns from pictures that its teachers did not see so: each is moved a little, every time anew.
_USUAL: dict[str, Any] = {
    "finetune": {"mode": "probe_then_full", "batch_norm": "frozen"},
    "augment": ["hflip", "rotate(15)", "translate(0.07)", "scale(0.8, 1.2)"],
    "train": {"epochs": 12},
}


@dataclass(frozen=True)
class Settings:
    """What was asked for, apart from the recipe; `matters` is the smallest difference (0..1) that would."""

    student: str
    views: tuple[str, ...]
    weight: float
    temperature: float
    final: bool
    matters: float


@dataclass(frozen=True)
class Planned:
    """One run to train: with the labels for its fold, or alone."""

    name: str
    fold: Fold
    taught: bool

    @property
    def what(self) -> str:
        if self.fold == NONE:
            return tr("student, all folds")
        if self.taught:
            return tr("student, fold {fold}", fold=self.fold)
        return tr("student alone, fold {fold}", fold=self.fold)


@dataclass(frozen=True)
class DistillPlan:
    """A committee, the folds to measure on, and the recipe that student and lone student share."""

    subject: Subject
    data: str
    settings: Settings
    folds: tuple[int, ...]
    recipe: Recipe
    decisions: tuple[Decision[str], ...]

    @property
    def labelled(self) -> tuple[Fold, ...]:
        """The folds that need soft labels: of every measured one, and of none for the final student."""
        return (*self.folds, *((NONE,) if self.settings.final else ()))

    @property
    def measured(self) -> tuple[Assignment, ...]:
        """The rows of the split that are measured."""
        return tuple(row for row in self.subject.inputs.split.rows if row.fold in self.folds)

    def runs(self) -> Iterator[Planned]:
        """Every run, in the order in which they are trained."""
        for fold in self.folds:
            yield Planned(f"{STUDENT}-fold-{fold}", fold, taught=True)
            yield Planned(f"{ALONE}-fold-{fold}", fold, taught=False)
        if self.settings.final:
            yield Planned(FINAL, NONE, taught=True)

    def made_of(self) -> dict[str, Any]:
        """What the results depend on; a folder that was begun with another of these is not gone on with."""
        committee = self.subject.loaded.committee
        kernel = {"root", "views", "temperature", "classes", "weights"}
        return {
            "committee": digest_of(committee.model_dump(mode="json", include=kernel)),
            "split": self.subject.inputs.split.digest,
            "folds": list(self.folds),
            "views": list(self.settings.views),
            "weight": self.settings.weight,
            "temperature": self.settings.temperature,
            "recipe": self.recipe.model_dump(mode="json", exclude={"data": {"path", "split"}}),
        }

    def lines(self) -> list[str]:
        """The plan for people."""
        split, models = self.subject.inputs.split, len(self.subject.loaded.bundles)
        runs = list(self.runs())
        return [
            f"{self.subject.loaded.committee.name}: {counted(models, 'model teaches', 'models teach')} "
            f"one {self.settings.student}",
            *(decision.line() for decision in self.decisions),
            f"{counted(len(runs), 'run')} of {counted(self.recipe.train.epochs, 'epoch')}: "
            f"{', '.join(run.name for run in runs)}",
            f"{len(split.held_out()):,} images in the holdout stay closed",
        ]


def check_settings(settings: Settings) -> None:
    """Refuse settings with which nothing would be learnt or told."""
    check_views(settings.views)
    if not 0.0 < settings.weight <= 1.0:
        raise DessinError(
            f"The teacher was to have the weight {settings.weight:g}.",
            allowed="It is above 0, where the student would learn alone, and at most 1.",
        )
    if not 0.01 <= settings.temperature <= 100.0:
        raise DessinError(
            f"The temperature was to be {settings.temperature:g}.", allowed="It lies between 0.01 and 100."
        )
    check_matters(settings.matters)


def choose_folds(
    subject: Subject, asked: str | Sequence[int] | None
) -> tuple[tuple[int, ...], Decision[str]]:
    """The folds to measure on, among those that every member of the committee has, and why."""
    own = folds_of(subject.loaded)
    known = ", ".join(map(str, own)) or "none"
    if not own:
        raise DessinError(
            f"No fold was left out of the training of {subject.given}, so its labels for a student would "
            "come from models that saw what the student is measured on.",
            allowed="A teacher is measured by folds that all of its members have.",
            do="Train its members with --folds all.",
        )
    if asked is None:
        return own[:1], Decision("folds", str(own[0]), f"the first that all members have; of {known}")
    if asked == ALL:
        return own, Decision("folds", known, "all that every member has, as asked for")
    texts = asked.split(",") if isinstance(asked, str) else [str(fold) for fold in asked]
    numbers = sorted({int(text) for text in texts if text.strip().isdigit()})
    if len(numbers) < len(texts) or not numbers or not set(numbers) <= set(own):
        raise DessinError(
            f"The student was to be measured on the folds {', '.join(text.strip() for text in texts)}.",
            allowed=f"Those that some of all members' models did not see: {known}; each once, or `{ALL}`.",
        )
    return tuple(numbers), Decision("folds", ", ".join(map(str, numbers)), f"asked for; of {known}")


def student_recipe(
    subject: Subject, student: str, file: Path | None, overrides: Sequence[str], *, seed: int
) -> tuple[Recipe, Decision[str]]:
    """The recipe of every run but for its fold and its teacher, and where it comes from."""
    if file is None:
        # How most models of the committee look at a picture.
        specs = Counter(bundle.card.image.spec for bundle in subject.loaded.bundles.values())
        image = specs.most_common(1)[0][0]
        values: dict[str, Any] = {**_USUAL, "image": image.model_dump(mode="json")}
        reason = f"built in; the picture of {image.size} px is the one that most of the models look at"
    else:
        values = read_values(file)
        reason = file.name
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for override in (*overrides, f"model.backbone={student}", f"seed={seed}"):
        apply_override(values, override)
    if values.pop("teacher", None):
        raise DessinError(
            "The student's recipe has a teacher of its own.", do="Leave it out; the committee is the teacher."
        )
    recipe = make_recipe({**values, "track": []}, where=str(file or "the student's recipe"))
    return recipe, Decision("recipe", f"{student}, {counted(recipe.train.epochs, 'epoch')}", reason)


def run_recipe(plan: DistillPlan, run: Planned, *, labels: Path, split: Path) -> Recipe:
    """The recipe of one run, whole; `labels` are those for its fold."""
    data = plan.recipe.data.model_copy(
        update={"path": plan.data, "split": split.as_posix(), "curation": None, "fold": run.fold}
    )
    asked, teacher = plan.settings, TeacherSpec()
    if run.taught:
        teacher = TeacherSpec(labels=labels.as_posix(), weight=asked.weight, temperature=asked.temperature)
    # Validated anew: not every recipe can have a teacher.
    parts = {"data": data.model_dump(mode="json"), "teacher": teacher.model_dump(mode="json")}
    return make_recipe(plan.recipe.model_dump(mode="json") | parts, where=f"the recipe of {run.name}")


def check_runs(plan: DistillPlan) -> None:
    """Find what would stop a run before a folder is made."""
    inputs = plan.subject.inputs
    somewhere = Path("labels")
    for run in plan.runs():
        rows_of(inputs.split, run_recipe(plan, run, labels=somewhere, split=somewhere))
    alone = Planned(ALONE, plan.folds[0], taught=False)
    recipe, usual = complete(run_recipe(plan, alone, labels=somewhere, split=somewhere))
    prepare(recipe, inputs, usual=usual)


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


def train_students(
    plan: DistillPlan, out: Path, labels: Sequence[LabelsRow], executor: Executor | None
) -> Mapping[str, Path]:
    """Train every run of the plan into `out/runs/<name>`, here or by an executor; their folders by name."""
    split = out / SPLIT_FILE
    write_split(plan.subject.inputs.split, split)
    recipes = {
        run.name: run_recipe(
            plan, run, labels=labels_folder(out if executor is None else out.resolve(), run.fold), split=split
        )
        for run in plan.runs()
    }
    if executor is not None:
        jobs = {f"run {name}": part_job(out, name, recipe) for name, recipe in recipes.items()}
        train_elsewhere(jobs, out, executor)
        trained = {name: jobs[f"run {name}"].run for name in recipes}
    else:
        trained = {}
        for run in plan.runs():
            say(run.what)
            trained[run.name] = train_part(out, run.name, recipes[run.name], what=f"run {run.name}")
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
