"""The same command again: whether an unfinished folder was begun with what is asked for now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.schema import flattened

_NAMED, _SHOWN = 4, 40


def asked_of(recipe: Recipe) -> dict[str, object]:
    """A recipe's dotted keys with what decides its result: no paths, and not who is told."""
    # What completes a recipe needs torch, which takes seconds to import.
    from dessin.runs.prepare import complete

    alone = complete(recipe_alone(recipe))[0]
    return flattened(alone.model_dump(mode="json"))


def recipe_alone(recipe: Recipe) -> Recipe:
    """The recipe without what changes no result and a study gives to its runs: paths, and who is told."""
    data = recipe.data.model_copy(update={"path": None, "split": None})
    return recipe.model_copy(update={"data": data, "track": ()})


def check_same(folder: Path, what: str, was: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Refuse to go on with something else.

    Raises:
        DessinError: values of `was` and `now` differ; the first few are named.
    """
    different = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    if different:
        named = [f"{key} (was {_short(was.get(key))}, is {_short(now.get(key))})" for key in different]
        more = ", .." if len(named) > _NAMED else ""
        raise DessinError(
            f"{folder} holds {what} that was begun otherwise: {', '.join(named[:_NAMED])}{more}.",
            do="Repeat the command that it was begun with, to go on; or choose another --out.",
        )


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 2]}.."
