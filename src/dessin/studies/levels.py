"""The levels of a study as recipes: changes applied to a base, each valid, each different, none touching
what the study itself sets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dessin.errors import DessinError, quoted
from dessin.models.backbones import describe_backbone
from dessin.recipe import Recipe, make_recipe
from dessin.runs.prepare import complete
from dessin.studies.result import Level

Values = dict[str, Any]


def apply_changes(values: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> Values:
    """The values of a recipe with the changes made; neither argument is altered."""
    result = dict(values)
    for key, change in changes.items():
        name = str(key).removesuffix("+")
        if name != key:
            if name in changes:
                raise DessinError(
                    f'{where} has both "{quoted(name)}" and "{quoted(key)}".',
                    do="Give the whole list, or what is appended.",
                )
            result[name] = _appended(values.get(name), change, where, name)
        elif isinstance(change, Mapping) and isinstance(values.get(key), Mapping):
            result[key] = apply_changes(values[key], change, where)
        else:
            result[key] = change
    return result


def _appended(before: object, more: object, where: str, name: str) -> list[Any]:
    if not isinstance(before, (list, tuple)) or not isinstance(more, (list, tuple)):
        wrong = (
            f'the recipe\'s "{quoted(name)}"'
            if isinstance(more, (list, tuple))
            else f'the value of "{quoted(name)}+"'
        )
        raise DessinError(
            f"{where}: {wrong} is no list.", allowed='"key+" appends a list to a list, such as "augment+".'
        )
    return [*before, *more]


def touched(changes: Mapping[str, Any], start: str = "") -> Iterator[str]:
    """The dotted names of the keys that the changes reach."""
    for key, change in changes.items():
        name = start + str(key).removesuffix("+")
        if isinstance(change, Mapping) and change:
            yield from touched(change, f"{name}.")
        else:
            yield name


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Values:
    """Two sets of changes as one; they touch different keys."""
    result = dict(first)
    for key, change in second.items():
        both = isinstance(change, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], change) if both else change
    return result


def within(name: str, other: str) -> bool:
    """Whether a dotted key is another one, or inside it."""
    return name == other or name.startswith(f"{other}.")


# What a study gives to its runs itself, and what would make their numbers incomparable.
RESERVED = ("seed", "track", "data.fold", "data.path", "data.split", "data.curation")
_LONGEST = 100


def expand_grid(grid: Mapping[str, Mapping[str, Mapping[Any, Any]]], where: str) -> tuple[Level, ...]:
    """Every pair of levels of two factors, the first of each first."""
    (first, rows), (second, columns) = grid.items()
    left, right = (
        sorted({key for changes in levels.values() for key in touched(changes)}) for levels in (rows, columns)
    )
    shared = [a for a in left for b in right if within(a, b) or within(b, a)]
    if shared:
        raise DessinError(
            f"{where}: both {first} and {second} change {shared[0]}, so their effects cannot be told apart.",
            do="Let each factor of the grid change keys of its own.",
        )
    return tuple(
        Level(name=f"{first}={a}, {second}={b}", parts=(a, b), changes=merged(rows[a], columns[b]))
        for a, b in itertools.product(rows, columns)
    )


def level_recipes(recipe: Recipe, levels: Sequence[Level], base: str, where: str) -> dict[str, Recipe]:
    """The recipe of each level by its name.

    Raises:
        DessinError: with the level's name: a recipe that is not valid, that equals another level's, or
            that changes what belongs to the study; or two names that give one folder.
    """
    values = recipe.model_dump(mode="python")
    recipes = {
        level.name: _recipe(values, level, f'{where}, level "{quoted(level.name)}"') for level in levels
    }
    _refuse_equal(recipes, base, where)
    _refuse_equal_slugs(recipes, where)
    return recipes


def slug(level: str) -> str:
    """The level's name as a part of a folder's name."""
    return re.sub(r"[^\w.=]+", "-", level.lower()).strip("-.")


def _recipe(values: Mapping[str, Any], level: Level, where: str) -> Recipe:
    for key in touched(level.changes):
        for reserved in RESERVED:
            if within(key, reserved) or within(reserved, key):
                raise DessinError(
                    f"{where} changes {key}, which belongs to the study.",
                    allowed=f"A level leaves {', '.join(RESERVED)} alone.",
                    do="Seeds and folds are keys of the study; data and split are given with the command.",
                )
    recipe = make_recipe(apply_changes(values, level.changes, where), where=where)
    try:
        for backbone, _ in recipe.model.bodies:
            describe_backbone(backbone)
    except DessinError as error:
        raise DessinError(f"{where}: {error.seen}", allowed=error.allowed, do=error.do) from None
    return recipe


def _refuse_equal(recipes: Mapping[str, Recipe], base: str, where: str) -> None:
    """Compared with the usual values in the place of open ones, as they are trained."""
    whole = {name: complete(recipe)[0] for name, recipe in recipes.items()}
    names = [base, *(name for name in recipes if name != base)]
    for first, second in itertools.combinations(names, 2):
        if whole[first] == whole[second]:
            one, other, start = quoted(first), quoted(second), quoted(base)
            seen = f'the level "{other}" changes nothing: its recipe is that of the base, "{start}".'
            if first != base:
                seen = f'the levels "{one}" and "{other}" collide: they give the same recipe.'
            raise DessinError(f"{where}: {seen}", do="Change it, or leave it out.")


def _refuse_equal_slugs(names: Sequence[str] | Mapping[str, Recipe], where: str) -> None:
    folders: dict[str, str] = {}
    for name in names:
        folder = slug(name)
        if not folder or len(folder) > _LONGEST:
            raise DessinError(
                f'{where}: the level "{quoted(name)}" cannot name a folder.',
                allowed=f"A level's name has letters or digits, at most {_LONGEST}.",
            )
        if folder in folders:
            raise DessinError(
                f'{where}: the levels "{folders[folder]}" and "{name}" would share the folder "{folder}".',
                do="Rename one of them.",
            )
        folders[folder] = name
