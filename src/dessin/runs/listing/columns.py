"""The columns of the table of runs: what each shows to people, and what it gives to programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dessin.page.numbers import number, plain
from dessin.progress import duration
from dessin.runs.listing.filters import is_number, resolve_key
from dessin.runs.listing.flat import Flat, Value, text_of
from dessin.statistics.headline import METRICS

DEFAULT = (
    "name",
    "status",
    "backbone",
    "mode",
    "epochs",
    "accuracy",
    "holdout",
    "opened",
    "started",
    "duration",
)
_TIMES = ("started", "finished")


class _Interval(NamedTuple):
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Column:
    """A column as it was asked for (`title`) and the key of the flat record that it shows."""

    title: str
    key: str

    def cell(self, values: Flat) -> str:
        """The value for people: results with their interval and n, times to the minute."""
        value = values.get(self.key)
        if value is None:
            return "none" if self.key in values else ""
        if self._is_result:
            return self._result(values)
        if self.key == "seconds" and is_number(value):
            return duration(float(str(value)))
        if self.key in _TIMES:
            return str(value)[:16].replace("T", " ")
        return text_of(value)

    def fields(self) -> tuple[tuple[str, str], ...]:
        """The titles and keys of a CSV; a result has its interval and n beside it."""
        if not self._is_result:
            return ((self.title, self.key),)
        parts = ("low", "high", "n")
        stem = self.key.removesuffix(".value")
        return ((self.title, self.key), *((f"{self.title}_{part}", f"{stem}.{part}") for part in parts))

    @property
    def whole(self) -> bool:
        """Whether half of a cell would mislead: numbers and times are shown whole or not at all."""
        return self._is_result or self.key == "seconds" or self.key in _TIMES

    @property
    def _is_result(self) -> bool:
        return self.key.startswith("results.") and self.key.endswith(".value")

    def _result(self, values: Flat) -> str:
        stem = self.key.removesuffix(".value")
        value, low, high, n = (
            _number(values.get(f"{stem}.{part}")) for part in ("value", "low", "high", "n")
        )
        found = _Interval(value, low, high)
        named = (metric for metric in METRICS if metric.name == stem.rpartition(".")[2])
        text = next((metric.written(found) for metric in named), plain(found))
        return f"{text}, n = {number(n)}"


def make_columns(names: Sequence[str] | None, keys: Collection[str]) -> tuple[Column, ...]:
    """Columns for names as people write them; without names the usual ones, as far as any run has them.

    Raises:
        DessinError: a name that is no key of any run.
    """
    if names is not None:
        return tuple(Column(name, resolve_key(name, keys)) for name in names)
    usual = (Column(name, resolve_key(name, {*keys, *DEFAULT})) for name in DEFAULT)
    opened = resolve_key("holdout", keys) in keys
    return tuple(c for c in usual if c.key in keys and (opened or c.title != "opened"))


def _number(value: Value) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
