"""The study file: one factor, or two, and everything else held fixed; read and checked whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from dessin.errors import DessinError, unknown
from dessin.reading import read_text
from dessin.reading_yaml import parse_yaml
from dessin.recipe import Recipe, apply_override, make_recipe, read_recipe
from dessin.recipes.verb import recipe_file
from dessin.runs.same import recipe_alone
from dessin.schema import Section, validated
from dessin.studies.levels import expand_grid, level_recipes
from dessin.studies.result import Level, Topic

_MOST_LEVELS = 256


def _named(levels: object) -> object:
    """Levels by name. YAML reads `on` and `off` as true and false, and a level may have nothing to change."""
    if not isinstance(levels, Mapping):
        return levels
    for name in levels:
        if isinstance(name, bool) or name is None:
            raise ValueError(f'YAML reads a level\'s name as "{name}"; put it in quotes, such as "off"')
    return {str(name): {} if changes is None else changes for name, changes in levels.items()}


Levels = Annotated[dict[str, dict[Any, Any]], BeforeValidator(_named)]


class StudyFile(Section):
    """A study as it is written; `recipe` is a path relative to the file, or the recipe itself."""

    hypothesis: str
    topic: Topic = "modelling"
    recipe: str | dict[str, Any]
    factor: str | None = None
    levels: Levels | None = None
    base: str | None = None
    grid: dict[str, Levels] | None = None
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = (0,)
    folds: Literal["all"] | tuple[Annotated[int, Field(ge=0)], ...] = "all"
    matters: float = Field(0.02, gt=0.0, lt=1.0)

    @field_validator("hypothesis", "factor")
    @classmethod
    def _said(cls, text: str | None) -> str | None:
        if text is not None and not text.strip():
            raise ValueError("it is empty; say it in words")
        return text.strip() if text else text

    @field_validator("seeds", "folds")
    @classmethod
    def _once_each(cls, numbers: object) -> object:
        if isinstance(numbers, tuple):
            twice = sorted({number for number in numbers if numbers.count(number) > 1})
            if twice:
                raise ValueError(f"{twice[0]} is there twice, and the same run twice teaches nothing")
            if not numbers:
                raise ValueError("at least one is needed")
        return numbers

    @model_validator(mode="after")
    def _one_design(self) -> Self:
        if self.grid is not None:
            if self.factor or self.levels or self.base:
                raise ValueError("a study has a grid, or a factor with levels, not both")
            if len(self.grid) != 2:
                raise ValueError(f"a grid has two factors, and this one has {len(self.grid)}")
        elif not self.factor or not self.levels:
            raise ValueError("a study has a factor with levels, or a grid of two factors")
        for name, levels in (self.grid or {str(self.factor): self.levels or {}}).items():
            if len(levels) < 2:
                raise ValueError(f"{name} has {len(levels)} level, and a comparison needs two")
        return self


@dataclass(frozen=True)
class Study:
    """A study, whole: every level with its recipe.

    `folds` None means all of the split. `text` is the file as it was given. The recipes have no data, no
    split, no tracker, and the seed and fold of the base recipe.
    """

    path: Path
    text: str
    hypothesis: str
    topic: Topic
    factors: tuple[str, ...]
    base: str
    levels: tuple[Level, ...]
    recipe: Recipe
    recipes: Mapping[str, Recipe]
    seeds: tuple[int, ...]
    folds: tuple[int, ...] | None
    matters: float

    @property
    def name(self) -> str:
        return self.path.stem


def read_study(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study file, or one that comes with dessin by its name.

    `overrides` (`key.sub=value`) change its base recipe, before the levels do.

    Raises:
        DessinError: no such file, an unknown key, a level whose recipe is not valid, that changes nothing or
            gives the recipe of another level, or a seed or fold twice.
    """
    path = recipe_file(path, "study")
    text = read_text(path)
    file = validated(StudyFile, _values(path, text), str(path))
    if isinstance(file.recipe, str):
        recipe = read_recipe(path.parent / file.recipe, overrides=overrides)
    else:
        values = copy.deepcopy(file.recipe)
        for override in overrides:
            apply_override(values, override)
        recipe = make_recipe(values, where=f"{path}, recipe")
    recipe = recipe_alone(recipe)
    if file.grid:
        levels = expand_grid(file.grid, str(path))
        factors, base = tuple(file.grid), levels[0].name
    else:
        given = file.levels or {}
        levels = tuple(Level(name=name, parts=(name,), changes=changes) for name, changes in given.items())
        factors, base = (str(file.factor),), file.base or levels[0].name
        if base not in given:
            raise unknown(f"base in {path}", base, given)
    if len(levels) > _MOST_LEVELS:
        raise DessinError(
            f"{path} has {len(levels):,} levels.",
            allowed=f"A study compares up to {_MOST_LEVELS}.",
            do="Ask fewer questions at once.",
        )
    return Study(
        path=path,
        text=text,
        hypothesis=file.hypothesis,
        topic=file.topic,
        factors=factors,
        base=base,
        levels=levels,
        recipe=recipe,
        recipes=level_recipes(recipe, levels, base, str(path)),
        seeds=file.seeds,
        folds=None if file.folds == "all" else file.folds,
        matters=file.matters,
    )


def _values(path: Path, text: str) -> dict[str, Any]:
    values = parse_yaml(text, where=str(path))
    if not isinstance(values, dict):
        kind = "nothing" if values is None else type(values).__name__
        raise DessinError(f"{path} holds {kind}, and a study is a mapping of keys to values.")
    return {str(key): value for key, value in values.items()}
