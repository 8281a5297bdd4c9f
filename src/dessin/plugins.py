"""What other packages add: ops, losses, checks, readers, corruptions and trackers, by entry points.

A package names each of them in its pyproject.toml, by its kind and its name:

    [project.entry-points."dessin.plugins"]
    "op.smudge" = "dessin_smudge:SMUDGE"

The names are read once, from the metadata of what is installed; a package is imported when one of its names
is first used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, Literal, Protocol, TypeVar, get_args

from dessin.errors import DessinError, unknown

GROUP = "dessin.plugins"
Kind = Literal["op", "loss", "check", "reader", "corruption", "tracker"]


class Named(Protocol):
    """What every entry of a table has."""

    @property
    def name(self) -> str:
        """The name by which a recipe, a file or the terminal calls it."""


Entry = TypeVar("Entry", bound=Named)


class Table(Mapping[str, Entry], Generic[Entry]):
    """The entries of a kind by name: dessin's own in their order, then those of plugins by name.

    Looking at any of it raises `DessinError` where a plugin takes a name that exists, and looking a plugin's
    entry up where that cannot be loaded or is no `base`.
    """

    def __init__(self, kind: Kind, base: type[Entry], own: Iterable[Entry]) -> None:
        self._kind, self._base = kind, base
        self._own = {entry.name: entry for entry in own}
        self._loaded: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        added = self._added()
        if name in self._own:
            return self._own[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(added[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._own, *self._added()])

    def __len__(self) -> int:
        return len(self._own) + len(self._added())

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._added()

    def _added(self) -> Mapping[str, EntryPoint]:
        added = _found().get(self._kind, {})
        for name in added.keys() & self._own.keys():
            raise _refused(added[name], f"the {self._kind} {name} is dessin's own", "Give it another name.")
        return added

    def _load(self, point: EntryPoint) -> Entry:
        try:
            entry = point.load()
        # Whatever a foreign package raises at import, the user has to hear whose it is.
        except Exception as error:
            raise _refused(point, f"{type(error).__name__}: {error}", "Update or uninstall it.") from error
        name = _name_of(point)
        if not isinstance(entry, self._base) or entry.name != name:
            seen = f"{entry.name!r}" if isinstance(entry, self._base) else f"a {type(entry).__name__}"
            do = f"It must be a {self._base.__module__}.{self._base.__name__} named {name!r}."
            raise _refused(point, f"it is {seen}", do)
        return entry


def plugin_packages(*kinds: Kind) -> dict[str, str]:
    """The packages that add something, or something of these kinds, each with its version."""
    points = [point for kind in kinds or get_args(Kind) for point in _found().get(kind, {}).values()]
    return {point.dist.name: point.dist.version for point in points if point.dist}


@cache
def _found() -> Mapping[str, Mapping[str, EntryPoint]]:
    """kind → name → its entry point, sorted by name.

    Raises:
        DessinError: an unknown kind, or a name that two packages take.
    """
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in sorted(entry_points(group=GROUP), key=_order):
        kind = point.name.partition(".")[0]
        if kind not in get_args(Kind):
            raise unknown(f"kind of the plugin {_written(point)}", kind, get_args(Kind))
        added = found.setdefault(kind, {})
        name = _name_of(point)
        if name in added:
            seen = f"{_written(added[name])} has the {kind} {name} as well"
            raise _refused(point, seen, "Uninstall one of them.")
        added[name] = point
    return found


def _order(point: EntryPoint) -> tuple[str, str]:
    """By name, and of one name by package, for the system lists packages in any order."""
    return _name_of(point), point.dist.name if point.dist else ""


def _name_of(point: EntryPoint) -> str:
    return point.name.partition(".")[2]


def _written(point: EntryPoint) -> str:
    owner = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f'"{point.name}" = "{point.value}"{owner}'


def _refused(point: EntryPoint, seen: str, do: str) -> DessinError:
    return DessinError(f"The plugin {_written(point)} cannot be used: {seen}.", do=do)
