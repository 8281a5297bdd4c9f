"""The verb `train`: one recipe carried out as a run, or on several folds as a group of runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from dessin.errors import DessinError
from dessin.language import retold, tr, translated
from dessin.ops import as_texts
from dessin.page.blocks import Block, Fact, Facts, Headline, Page, Section, Step, Table
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.notebook import ShownPath
from dessin.page.numbers import number
from dessin.page.parts import columns, folded, what_next
from dessin.recipe import Recipe
from dessin.runs.executors.choose import choose_executor
from dessin.runs.executors.job import Executor
from dessin.runs.fold_group import is_fold_group, run_record
from dessin.runs.folds import begin_folds, resume_folds
from dessin.runs.run import Order, as_recipe, begin_run, located, resume_run


def train(
    recipe: Annotated[str | Path | Recipe | None, "a recipe's name or file"] = None,
    *,
    data: str | Path | None = None,
    split: str | Path | None = None,
    overrides: Annotated[Sequence[str], "--set", "key=value"] = (),
    out: str | Path | None = None,
    resume: str | Path | None = None,
    folds: Annotated[str | Sequence[int] | None, "all, or numbers with commas"] = None,
    workers: Annotated[int, "from 0"] = 0,
    threads: Annotated[int | None, "from 1"] = None,
    track: Annotated[Sequence[str], "a tracker"] = (),
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> ShownPath:
    """Train a model by a recipe, so that a run that was killed and resumed ends with the same bytes.

    Args:
        recipe: Such as lite0-128 (`dessin recipes` lists them), or a YAML file; not needed with resume.
        data: The collection; by default the recipe's.
        split: The split file; by default the recipe's.
        overrides: Override a key of the recipe, such as train.epochs=6.
        out: The run folder; by default `runs/` with the recipe's name and a number.
        resume: A run, or a group of folds, to go on with.
        folds: Train each of these folds in place of the recipe's own; they are joined out of fold and vote as
            one.
        workers: Threads that read ahead; they change no result.
        threads: Threads of the computation; by default torch's own number.
        track: Where the run is also sent: tensorboard, wandb, `wandb(online)`, mlflow, `mlflow("http://..")`.
        executor: Folds one after the other here, or each a task of a Ray cluster, with the same bytes.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Returns:
        The run's folder, or that of the group of folds: a path, which a notebook shows with its results.

    Raises:
        DessinError: anything that a user can put right.
    """
    elsewhere = choose_executor(executor, address)
    if resume is not None:
        if recipe is not None or out is not None or overrides or folds is not None:
            raise DessinError(
                f"{resume} is to be resumed, with further settings.",
                allowed="A run or a group of folds has its recipe, its folds and its folder already.",
                do="Give --resume alone, or with --data where the images have moved.",
            )
        given: Any = {"data": data, "workers": workers, "track": as_texts(track)}
        if is_fold_group(Path(resume)):
            return _shown(resume_folds(Path(resume), executor=elsewhere, **given))
        _refuse(elsewhere)
        return _shown(resume_run(Path(resume), **given))
    if recipe is None:
        raise DessinError(
            "No recipe was given.",
            do="Name one (dessin recipes lists them), a YAML file, or a run with --resume.",
        )
    order = Order(
        recipe=located(as_recipe(recipe, as_texts(overrides)), data, split),
        name="" if isinstance(recipe, Recipe) else Path(recipe).stem,
        out=None if out is None else Path(out),
        track=as_texts(track),
        threads=threads,
        workers=workers,
    )
    if folds is not None:
        return _shown(begin_folds(order, folds, elsewhere))
    _refuse(elsewhere)
    return _shown(begin_run(order))


def _refuse(elsewhere: Executor | None) -> None:
    if elsewhere is not None:
        raise DessinError(
            "A single run is one task, and a cluster would carry it out no faster.",
            do="Add --folds all, or leave --executor out.",
        )


def _shown(folder: Path) -> ShownPath:
    """A run's folder with the page in it: what was measured and decided; `report` tells more."""
    record, given = run_record(folder), shlex.quote(folder.as_posix())
    blocks: list[Block] = []
    for name, results in record.results.items():
        n = number(results.accuracy.n)
        unseen = tr("of {n} drawings that it was not trained on are named right", n=n)
        blocks.append(Headline.of(results.accuracy, unseen))
        written = results.written(record.counts.classes)
        figures = (Fact(translated(title), value) for title, value in written.items())
        blocks.append(Section(translated(name), (Facts(tuple(figures), wide=True),)))
    titles = columns((tr("Decision"), tr("Value"), tr("Reason")))
    rows = tuple((each.name, str(each.value), retold(each.reason)) for each in record.decisions)
    blocks += folded(tr("What was decided"), [Table(titles, rows, file="decisions")])
    why = tr("See its mistakes, what would help most, and how it was made.")
    blocks.append(what_next(Step(why, f"dessin report {given} --out {given}/{PAGE_FILE}")))
    of = Path(record.recipe.data.path or record.name).name
    title = tr("How well does it name the drawings in {name}?", name=of)
    page = Page(title, "", tuple(blocks), tr("The run {name}.", name=record.name))
    # A finished run that is resumed stays as it is, with the report that may have taken the page's place.
    if not (folder / PAGE_FILE).exists():
        write_page(folder / PAGE_FILE, page)
    return ShownPath(folder).with_page(page, folder)
