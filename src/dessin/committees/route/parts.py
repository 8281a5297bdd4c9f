"""The parts of a routed model, trained one after the other; what is finished is kept when begun again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.split.files import write_split
from dessin.committees.members import MemberRun
from dessin.committees.part_runs import train_part
from dessin.committees.route.plan import Part, PartRecipes
from dessin.progress import say
from dessin.recipe import Recipe

SPLITS = "splits"


@dataclass(frozen=True)
class TrainedPart:
    """A part's finished run on one fold."""

    part: Part
    fold: int
    folder: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"


def run_name(part: str, fold: int) -> str:
    """The name of a part's run on a fold."""
    return f"{part}-fold-{fold}"


def part_recipes(
    parts: Sequence[Part], runs: Sequence[MemberRun], recipes: PartRecipes
) -> Mapping[tuple[str, int], Recipe]:
    """The recipe of each part on each fold; a mistake in one is found before anything is trained."""
    return {(part.name, run.fold): recipes.of(part, run.record.recipe) for part in parts for run in runs}


def train_parts(
    out: Path,
    parts: Sequence[Part],
    runs: Sequence[MemberRun],
    recipes: Mapping[tuple[str, int], Recipe],
    data: Path,
) -> tuple[TrainedPart, ...]:
    """Train every part on the fold of each of the generalist's runs, into `out/runs/<part>-fold-<k>`.

    Raises:
        DessinError: a part that failed or collapsed; begun again, the finished ones are kept.
    """
    trained = []
    for part in parts:
        split = out / SPLITS / f"{part.name}.csv"
        write_split(part.split, split)
        for run in runs:
            name = run_name(part.name, run.fold)
            recipe = recipes[part.name, run.fold]
            what = f"expert for {part.family}" if part.family else "router"
            say(f"{what}, fold {run.fold}: {len(part.split.classes):,} classes")
            located = recipe.data.model_copy(update={"path": data.as_posix(), "split": split.as_posix()})
            folder = train_part(
                out,
                name,
                recipe.model_copy(update={"data": located}),
                level=part.name,
                what=f"{what} of fold {run.fold}",
            )
            trained.append(TrainedPart(part, run.fold, folder))
    return tuple(trained)
