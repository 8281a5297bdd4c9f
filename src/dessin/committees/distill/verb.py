"""The verb `distill`: one student from a committee's soft labels; accuracy paid and speed gained."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from dessin.answers.predictions import to_predictions
from dessin.committees.distill.measure import measure_distillation, measure_speed, measured_answers, untaught
from dessin.committees.distill.plan import (
    FINAL,
    STUDENT,
    DistillPlan,
    Settings,
    check_runs,
    check_settings,
    choose_folds,
    make_labels,
    student_recipe,
    train_students,
)
from dessin.committees.distill.result import COMMITTEE, DistillResults, SpeedResults
from dessin.committees.distill.result import STUDENT as STUDENT_ANSWERS
from dessin.committees.distill.view import distill_page, result_lines, told
from dessin.committees.part_runs import begin
from dessin.committees.sides import Sides
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import atomic_path, write_json
from dessin.folders import going_on
from dessin.models.backbones import check_backbone
from dessin.models.card import read_card
from dessin.ops import as_texts, names
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.tables import terminal_width
from dessin.progress import say
from dessin.reading import read_json
from dessin.recipe import Recipe
from dessin.runs.executors.choose import choose_executor
from dessin.runs.subject import Subject, read_subject
from dessin.schema import validated

DISTILL_FILE, SPEED_FILE = "distill.json", "speed.json"
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
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> DistillResults:
    """Teach one small model what a committee says, and measure what that costs and brings.

    For each measured fold a student learns from the committee's models without that fold, and one of the same
    recipe and seed learns alone. Begun again with the same `out` and settings it goes on where it stopped.
    `out` gets `labels/`, `runs/`, `bundle/`, `results.json`, `distill.csv` and `index.html`.

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
        executor: Students one after the other here, or each a task of a Ray cluster, with the same bytes. All
            its nodes must see `out`.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Raises:
        DessinError: what is no committee, a fold that no model of it was trained without, a recipe that
            cannot have a teacher, a run that failed, or an `out` that holds something else.
    """
    out = Path(out)
    settings = Settings(student, names(views) or VIEWS, weight, temperature, final, matters)
    check_settings(settings)
    elsewhere = choose_executor(executor, address)
    check_backbone(student)
    subject = read_subject(Path(committee), data, split)
    file = None if recipe is None else Path(recipe)
    own, source = student_recipe(subject, student, file, as_texts(overrides), seed=seed)
    plan = _planned(subject, data, settings, folds, own, source)
    check_runs(plan)
    made_of = plan.made_of()

    def made_otherwise(before: object) -> list[str]:
        return [] if before == made_of["recipe"] else [run.name for run in plan.runs()]

    with going_on(out, keeps="What is labelled and trained so far"):
        begin(out / DISTILL_FILE, made_of, made_otherwise, what="a distillation")
        for line in plan.lines():
            say(line)
        labels = [make_labels(plan, out, fold) for fold in plan.labelled]
        runs = train_students(plan, out, labels, elsewhere)
        speed = _speed(out / SPEED_FILE, plan, runs)
        tables = measured_answers(plan, runs, out)
        results = measure_distillation(plan, runs, tables, labels, speed)
        results = told(results, untaught(plan, runs), subject.loaded.committee.provenance)
        if final:
            _copy_bundle(runs[FINAL] / "bundle", out / BUNDLE)
        results.write_tables(out)
        results.write(out)
        found = to_predictions(tables[STUDENT_ANSWERS], plan.measured, subject.inputs.split.classes)
        sides = Sides(found, tables[COMMITTEE], plan.data, own.image.page)
        named = {run.what: runs[run.name] for run in plan.runs()}
        drawn = distill_page(results, named, out, sides)
        write_page(out / PAGE_FILE, drawn)
    for line in result_lines(results, terminal_width()):
        say(line)
    say(f"{f'student: {out / BUNDLE}; ' if final else ''}page: {out / PAGE_FILE}")
    return results.with_page(drawn, out)


def _planned(
    subject: Subject,
    data: str | Path | None,
    settings: Settings,
    folds: str | Sequence[int] | None,
    recipe: Recipe,
    source: Decision[str],
) -> DistillPlan:
    measured, why = choose_folds(subject, folds)
    # Where the images are, as whatever made the committee noted it.
    record = subject.record
    place = data or (record.recipe.data.path if record else subject.loaded.committee.provenance["data"])
    views = len(settings.views)
    labelled = Decision(
        "soft labels",
        f"{settings.weight:g} of each target, {f'{views} views' if views > 1 else 'one view'}, "
        f"temperature {settings.temperature:g}",
        "models that learnt a drawing are too sure of it; further views soften that",
    )
    return DistillPlan(subject, str(place), settings, measured, recipe, (why, source, labelled))


def _speed(path: Path, plan: DistillPlan, runs: Mapping[str, Path]) -> SpeedResults:
    """Measured once: begun again, the same figures stand."""
    if not path.is_file():
        first = plan.folds[0]
        found = measure_speed(plan.subject, first, runs[f"{STUDENT}-fold-{first}"] / "bundle")
        write_json(path, found.model_dump(mode="json"))
    return validated(SpeedResults, read_json(path), str(path))


def _copy_bundle(source: Path, target: Path) -> None:
    """A copy that is whole or absent; one that lies there already must be this one."""
    if not target.exists():
        with atomic_path(target) as temporary:
            shutil.copytree(source, temporary)
    elif read_card(target) != read_card(source):
        raise DessinError(f"{target} holds another model than {source}.", do="Move it away and run again.")
