"""The parts of a routed model: which experts, what each learns from by which recipe; and their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dessin import ops
from dessin.collection.curation import read_curation
from dessin.collection.split.files import Split, write_split
from dessin.committees.families.measure import Potential, worth_an_expert
from dessin.committees.families.result import FamilyMap
from dessin.committees.members import MemberRun, plain_names
from dessin.committees.part_runs import train_part
from dessin.decisions import Decision
from dessin.errors import DessinError, quoted, unknown
from dessin.language import tr
from dessin.page.numbers import counted, points
from dessin.progress import say
from dessin.recipe import Recipe, apply_override, make_recipe, read_recipe
from dessin.runs.inputs import AUTO
from dessin.runs.record import RunRecord

NONE, SPLITS = "none", "splits"
MOST_EXPERTS = 3
ROUTER = "router"
_SLUG = 40


@dataclass(frozen=True)
class RoutedPart:
    """One model to train on each fold: the router (`family` empty) or the expert of a family."""

    name: str
    family: str
    split: Split

    @property
    def what(self) -> str:
        """For people."""
        return tr("expert for {family}", family=self.family) if self.family else tr("router")


@dataclass(frozen=True)
class TrainedPart:
    """A part's finished run on one fold."""

    part: RoutedPart
    fold: int
    folder: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"


@dataclass(frozen=True)
class PartRecipes:
    """Recipe files for the router and for experts (None: the generalist's), and overrides of both."""

    router: Path | None
    expert: Path | None
    overrides: tuple[str, ...]

    def of(self, part: RoutedPart, generalist: Recipe) -> Recipe:
        """The recipe of a part for the fold of the generalist's; where its data lies is still to be set."""
        given = self.expert if part.family else self.router
        if given is not None:
            recipe = read_recipe(given, overrides=self.overrides)
            return recipe.model_copy(update={"data": generalist.data, "track": ()})
        values = generalist.model_dump(mode="json") | {"track": []}
        if not part.family and generalist.finetune.head_start == "imagenet":
            # A family has no row in ImageNet's head.
            values["finetune"] = values["finetune"] | {"head_start": "auto"}
        for override in self.overrides:
            apply_override(values, override)
        return make_recipe(values, where=f"the recipe of the {part.name}").model_copy(
            update={"data": generalist.data}
        )


def choose_experts(
    asked: str | Sequence[str], found: Potential, families: FamilyMap
) -> tuple[tuple[str, ...], Decision[str]]:
    """The families that get an expert, and why."""
    if asked == NONE:
        return (), Decision("experts", NONE, "asked for")
    if asked == AUTO:
        worth = worth_an_expert(found, MOST_EXPERTS)
        gains = [f"{row.name} {points(row.bound.gain.difference)}" for row in worth if row.bound]
        why = (
            f"a perfect expert would gain most there, in points, beyond chance: {'; '.join(gains)}"
            if worth
            else "in no family would even a perfect expert gain more than chance could explain"
        )
        names = tuple(row.name for row in worth)
        return names, Decision("experts", ", ".join(names) or NONE, f"{why}; at most {MOST_EXPERTS}")
    whole = isinstance(asked, str) and asked in families.names
    names = tuple(dict.fromkeys(ops.names([str(asked)] if whole else asked)))
    for name in names:
        if name not in families.names:
            raise unknown("family", name, families.names)
        if len(families.members(name)) < 2:
            raise DessinError(
                f'The family "{quoted(name)}" has a single class, so an expert for it would have nothing '
                "to tell apart.",
                do="Leave it out.",
            )
    return names, Decision("experts", ", ".join(names), "asked for")


def plan_parts(
    split: Split, families: FamilyMap, experts: Sequence[str], *, router: bool, folds: Sequence[int]
) -> tuple[RoutedPart, ...]:
    """The parts in the order in which they are trained."""
    parts = [RoutedPart(ROUTER, "", router_split(split, families))] if router else []
    slugs = plain_names(families.names, "family", most=_SLUG)
    for family in experts:
        own = expert_split(split, families, family)
        empty = [fold for fold in folds if not own.validation(fold)]
        if empty:
            raise DessinError(
                f'The family "{quoted(family)}" has no image in fold {empty[0]}, so an expert could not be '
                "measured.",
                do="Leave that expert out, or split with fewer folds.",
            )
        parts.append(RoutedPart(f"expert-{slugs[family].casefold()}", family, own))
    if not parts:
        raise DessinError(
            "Without a router and without experts, the routed model is the generalist itself.",
            do="Ask for a router, or name families with --experts.",
        )
    return tuple(parts)


def router_split(split: Split, families: FamilyMap) -> Split:
    """The same images, groups, folds and holdout, with families for labels."""
    rows = tuple(replace(row, label=families.family_of[row.label]) for row in split.rows)
    return replace(split, classes=families.names, rows=rows)


def expert_split(split: Split, families: FamilyMap, family: str) -> Split:
    """The images of one family alone, in the same groups, folds and holdout."""
    rows = tuple(row for row in split.rows if families.family_of[row.label] == family)
    return replace(split, classes=families.members(family), rows=rows)


def check_curation(record: RunRecord) -> None:
    """Refuse a curation of the training rows that relabels: parts have other labels than it speaks of."""
    asked = record.recipe.data.training_curation
    if asked in (None, AUTO):
        return
    if any(change.action == "relabel" for change in read_curation(Path(str(asked))).changes):
        raise DessinError(
            f"The generalist's training curation {asked} relabels images, and the labels of a router are "
            "families.",
            do="Put the relabels into the curation of the split, and train the generalist anew.",
        )


def part_recipes(
    parts: Sequence[RoutedPart], runs: Sequence[MemberRun], recipes: PartRecipes
) -> dict[str, Recipe]:
    """The recipe of each run by its name; a mistake in one is found before anything is trained."""
    return {
        f"{part.name}-fold-{run.left_out}": recipes.of(part, run.record.recipe)
        for part in parts
        for run in runs
    }


def train_parts(
    out: Path,
    parts: Sequence[RoutedPart],
    runs: Sequence[MemberRun],
    recipes: Mapping[str, Recipe],
    data: Path,
) -> tuple[TrainedPart, ...]:
    """Train every part on the fold of each of the generalist's runs, into `out/runs/<part>-fold-<k>`."""
    trained = []
    for part in parts:
        split = out / SPLITS / f"{part.name}.csv"
        write_split(part.split, split)
        for run in runs:
            name = f"{part.name}-fold-{run.left_out}"
            recipe = recipes[name]
            say(f"{part.what}, fold {run.left_out}: {counted(len(part.split.classes), 'class', 'classes')}")
            located = recipe.data.model_copy(update={"path": data.as_posix(), "split": split.as_posix()})
            recipe = recipe.model_copy(update={"data": located})
            what = f"{part.what} of fold {run.left_out}"
            folder = train_part(out, name, recipe, what=what)
            trained.append(TrainedPart(part, run.left_out, folder))
    return tuple(trained)
