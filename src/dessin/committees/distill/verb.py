"""The verb `distill`: one student from a committee's soft labels; accuracy paid and speed gained."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from dessin.committees.distill.labels import make_labels
from dessin.committees.distill.measure import gather_answers, measure_distillation
from dessin.committees.distill.plan import (
    FINAL,
    STUDENT,
    DistillPlan,
    Settings,
    check_runs,
    check_settings,
    choose_folds,
    student_recipe,
)
from dessin.committees.distill.result import DistillResults, SpeedResults, result_lines, write_results
from dessin.committees.distill.speed import measure_speed
from dessin.committees.distill.students import TrainedRun, train_students
from dessin.committees.distill.view import distill_page
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import atomic_path, claim_folder, read_json, write_json, write_text
from dessin.models.card import read_card
from dessin.ops import names
from dessin.progress import say
from dessin.runs.record import hold
from dessin.runs.subject import Subject, read_subject
from dessin.schema import validated
from dessin.studies.folder import ended_job
from dessin.studies.records import JOBS

DISTILL_FILE, SPEED_FILE, PAGE = "distill.json", "speed.json", "report.html"
BUNDLE = "bundle"
VIEWS = ("identity", "hflip", "rotate_left", "rotate_right")


def distill(
    committee: str | Path,
    *,
    student: str,
    out: str | Path,
    recipe: Annotated[str | Path | None, "a recipe's name or file"] = None,
    overrides: Annotated[Sequence[str], "--set", "key=value"] = (),
    folds: Annotated[str | Sequence[int] | None, "all, or numbers with commas"] = None,
    data: str | Path | None = None,
    split: str | Path | None = None,
    views: str | Sequence[str] = ("identity", "hflip", "rotate_left", "rotate_right"),
    weight: float = 0.9,
    temperature: float = 1.0,
    seed: Annotated[int, "from 0"] = 0,
    final: bool = True,
    matters: float = 0.02,
) -> DistillResults:
    """Teach one small model what a committee says, and measure what that costs and brings.

    For each measured fold a student learns from the committee's models without that fold, and one of the same
    recipe and seed learns alone. Begun again with the same `out` and settings it goes on where it stopped.
    `out` gets `labels/`, `runs/`, `bundle/`, `results.json`, `distill.csv` and `report.html`.

    Args:
        committee: A committee, or whatever holds one: an ensemble, a group of folds.
        student: The student's backbone.
        out: The folder of the results.
        recipe: The student's recipe, whose backbone and seed are replaced; by default a built-in one.
        overrides: Override a key of the recipe, such as train.epochs=6.
        folds: The folds to measure on; by default the first that all members have.
        data: The collection; by default where the committee's own record says.
        split: The split file; by default the one beside the committee.
        views: How the teachers look at what they label; the mean over these counts.
        weight: The share of the committee in the labels, above 0 and up to 1.
        temperature: Above 1 makes the committee's labels softer, below 1 sharper.
        seed: Of the student's runs.
        final: Also train the student on everything but the holdout, the one that `bundle/` holds.
        matters: The smallest difference of accuracy (0..1) that would matter.

    Raises:
        DessinError: what is no committee, a fold that no model of it was trained without, a recipe that
            cannot have a teacher, a run that failed, or an `out` that holds something else.
    """
    out = Path(out)
    settings = Settings(student, names(views) or VIEWS, weight, temperature, final, matters)
    check_settings(settings)
    subject = read_subject(Path(committee), data, split)
    measured, why = choose_folds(subject, folds)
    file = None if recipe is None else Path(recipe)
    own, source = student_recipe(subject, student, file, overrides, seed=seed)
    place = data or _place(subject)
    plan = DistillPlan(subject, str(place), settings, measured, own, (why, source, _labels(settings)))
    check_runs(plan)
    _begin(out, plan)
    for line in plan.lines():
        say(line)
    with hold(out, wait=False):
        labels = [make_labels(plan, out, fold) for fold in plan.labelled]
        runs = train_students(plan, out, labels)
        answered = gather_answers(plan, runs, out)
        speed = _speed(plan, runs[f"{STUDENT}-fold-{measured[0]}"], out)
        results = measure_distillation(plan, answered, runs, labels, speed)
        if final:
            _copy_bundle(runs[FINAL].bundle, out / BUNDLE)
        write_results(results, out)
        write_text(out / PAGE, distill_page(results, runs))
    for line in result_lines(results):
        say(line)
    say(f"{f'student: {out / BUNDLE}; ' if final else ''}page: {out / PAGE}")
    return results


def _place(subject: Subject) -> str:
    """Where the images are, as whatever made the committee noted it."""
    if subject.record is not None:
        return str(subject.record.recipe.data.path)
    return subject.loaded.committee.provenance["data"]


def _labels(settings: Settings) -> Decision[str]:
    reason = "models that learnt a drawing are too sure of it; further views soften that"
    seen = f"{len(settings.views)} views" if len(settings.views) > 1 else "one view"
    value = f"{settings.weight:g} of each target, {seen}, temperature {settings.temperature:g}"
    return Decision("soft labels", value, reason)


def _begin(out: Path, plan: DistillPlan) -> None:
    """Make the folder, or find that it was begun with the same.

    Raises:
        DessinError: it holds something else, or finished runs that were made otherwise.
    """
    made_of = plan.made_of()
    if not (out / DISTILL_FILE).is_file():
        claim_folder(out, what="a distillation")
    else:
        found = read_json(out / DISTILL_FILE)
        before: dict[str, Any] = found if isinstance(found, dict) else {}
        changed = [key for key in made_of if before.get(key) != made_of[key]]
        if changed == ["recipe"] and not _finished(out, plan):
            # How a run ended with the other recipe says nothing of this one.
            for run in plan.runs():
                (out / JOBS / f"{run.name}.json").unlink(missing_ok=True)
        elif changed:
            raise DessinError(
                f"{out} was begun with another {' and another '.join(changed)}.",
                do="Choose another --out, or repeat the command that it was begun with.",
            )
    write_json(out / DISTILL_FILE, made_of)


def _finished(out: Path, plan: DistillPlan) -> bool:
    ended = [ended_job(out, run.name) for run in plan.runs()]
    return any(record is not None and record.status == "finished" for record in ended)


def _speed(plan: DistillPlan, student: TrainedRun, out: Path) -> SpeedResults:
    """Measured once: begun again, the same figures stand."""
    path = out / SPEED_FILE
    if not path.is_file():
        speed = measure_speed(plan.subject, plan.folds[0], student.bundle)
        write_json(path, speed.model_dump(mode="json"))
    return validated(SpeedResults, read_json(path), str(path))


def _copy_bundle(source: Path, target: Path) -> None:
    """A copy that is whole or absent; one that lies there already must be this one."""
    if not target.exists():
        with atomic_path(target) as temporary:
            shutil.copytree(source, temporary)
    elif read_card(target) != read_card(source):
        raise DessinError(f"{target} holds another model than {source}.", do="Move it away and run again.")
