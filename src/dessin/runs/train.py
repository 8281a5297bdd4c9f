"""The verb `train`: one recipe carried out as a run, or on several folds as a group of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.runs.folds import begin_folds, is_fold_group, resume_folds
from dessin.runs.run import Order, as_recipe, begin_run, located, resume_run


def train(
    recipe: str | Path | Recipe | None = None,
    *,
    data: str | Path | None = None,
    split: str | Path | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    resume: str | Path | None = None,
    folds: str | Sequence[int] | None = None,
    workers: int = 0,
    threads: int | None = None,
    track: Sequence[str] = (),
) -> Path:
    """Carry out a recipe and return its folder; the arguments are those of `run.train`.

    With `folds` (`all`, or some of their numbers) these are trained, in place of the recipe's own, and the
    folder is a group: its out-of-fold answers joined, and a committee of all its models. `resume` takes the
    folder of a run or of a group.

    Raises:
        DessinError: anything that a user can put right.
    """
    if resume is not None:
        if recipe is not None or out is not None or overrides or folds is not None:
            raise DessinError(
                f"{resume} is to be resumed, with further settings.",
                allowed="A run or a group of folds has its recipe, its folds and its folder already.",
                do="Give --resume alone, or with --data where the images have moved.",
            )
        go_on = resume_folds if is_fold_group(Path(resume)) else resume_run
        return go_on(Path(resume), data=data, workers=workers, track=track)
    if recipe is None:
        raise DessinError("No recipe was given.", do="Name a recipe file, or a run with --resume.")
    order = Order(
        recipe=located(as_recipe(recipe, overrides), data, split),
        name="" if isinstance(recipe, Recipe) else Path(recipe).stem,
        out=None if out is None else Path(out),
        track=tuple(track),
        threads=threads,
        workers=workers,
    )
    return begin_run(order) if folds is None else begin_folds(order, folds)
