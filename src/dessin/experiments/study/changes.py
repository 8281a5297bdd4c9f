"""A level's changes of a recipe: sections merge by key, other values replace, `key+` appends to a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dessin.errors import DessinError

Values = dict[str, Any]


def apply_changes(values: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> Values:
    """The values of a recipe with the changes made; neither argument is altered.

    Raises:
        DessinError: `key+` on what is no list, or beside `key` itself.
    """
    result = dict(values)
    for key, change in changes.items():
        name = str(key).removesuffix("+")
        if name != key:
            if name in changes:
                raise DessinError(
                    f'{where} has both "{name}" and "{key}".', do="Give the whole list, or what is appended."
                )
            result[name] = _appended(values.get(name), change, where, name)
        elif isinstance(change, Mapping) and isinstance(values.get(key), Mapping):
            result[key] = apply_changes(values[key], change, where)
        else:
            result[key] = change
    return result


def _appended(before: object, more: object, where: str, name: str) -> list[Any]:
    if not isinstance(before, (list, tuple)) or not isinstance(more, (list, tuple)):
        wrong = f'the recipe\'s "{name}"' if isinstance(more, (list, tuple)) else f'the value of "{name}+"'
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
