"""A run's record as dotted keys, and keys as people write them: alone, in conditions such as `accuracy>0.45`,
and as columns."""

from __future__ import annotations

import difflib
import json
import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dessin.errors import DessinError, unknown
from dessin.page.numbers import number, plain
from dessin.progress import duration
from dessin.recipe import UNSAID
from dessin.schema import flattened
from dessin.statistics.headline import METRICS

Scalar = str | int | float | bool | None
Value = Scalar | tuple[str, ...]
Flat = Mapping[str, Value]

# Kept under other names, or only of use whole.
_APART = ("decisions", "attempts", "started", "holdout_opened", "format", "name")
# Short names for what people ask for most.
ALIASES: Mapping[str, str] = {
    "backbone": "recipe.model.backbone",
    "mode": "recipe.finetune.mode",
    "epochs": "recipe.train.epochs",
    "fold": "recipe.data.fold",
    "seed": "recipe.seed",
    **{metric.name: f"results.validation.{metric.name}.value" for metric in METRICS},
    "n": "results.validation.accuracy.n",
    "holdout": "results.holdout.accuracy.value",
    "duration": "seconds",
    # Of runs that were collected from other machines.
    "who": "origin.who",
    "machine": "origin.machine",
}
DEFAULT = (
    *("name", "status", "backbone", "mode", "epochs"),
    *("accuracy", "holdout", "opened", "started", "duration", "who"),
)
_TIMES = ("started", "finished")
_PREFIXES = ("", "recipe.", "results.")
_SUFFIXES = ("", ".value")
_WRITTEN = re.compile(r"\s*(?P<key>[^<>=!~]*?)\s*(?P<sign><=|>=|!=|==?|<|>|~)\s*(?P<value>.*?)\s*", re.DOTALL)
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def flatten(record: Mapping[str, Any]) -> dict[str, Value]:
    """A dumped `RunRecord` as dotted keys: `recipe.optimizer.lr`, `results.validation.accuracy.low`.

    A decision is `decisions.<name>` with its value; lists are tuples of their texts. Beside these stand
    `started` (the first beginning), `beginnings`, `attempts` and `opened` (how many of each) and `seconds`
    (all stages together).
    """
    kept = {key: value for key, value in record.items() if key not in _APART}
    usual = {f"recipe.{key}": value for key, value in UNSAID.items()}
    flat = {key: _leaf(value) for key, value in (usual | flattened(kept)).items()}
    flat |= {f"decisions.{row['name']}": _leaf(row["value"]) for row in record["decisions"]}
    flat["started"] = next(iter(record["started"]), None)
    flat["beginnings"] = len(record["started"])
    flat["attempts"] = len(record["attempts"])
    flat["opened"] = len(record["holdout_opened"])
    timings = [value for key, value in flat.items() if key.startswith("timings.")]
    flat["seconds"] = round(sum(value for value in timings if isinstance(value, (int, float))), 3)
    return flat


def text_of(value: Value) -> str:
    """A value in a table: an absent one is `none`, a list its entries with commas."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def machine_text(value: Value) -> str:
    """A value in a CSV: an absent one is empty, a number has all its digits, a list is JSON."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaf(value: object) -> Value:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(entry if isinstance(entry, str) else _packed(entry) for entry in value)
    return _packed(value)


def _packed(value: object) -> str:
    """A list within a list, as a set of copies is, in the words of a recipe: `hflip + rotate(90)`."""
    if isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value):
        return " + ".join(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Condition:
    """A key of the flat record, a sign, and the text to compare with.

    Numbers are compared as numbers (`45%` is 0.45), text as text; `~` is "contains", whatever the case.
    `none` is an empty value, or none at all. A run without the key passes that and `!=`, and nothing else.
    """

    key: str
    sign: str
    text: str

    def holds(self, values: Flat) -> bool:
        value, wanted = values.get(self.key), number_of(self.text)
        if self.sign == "~":
            return value is not None and self.text.lower() in text_of(value).lower()
        numbers = is_number(value) and wanted is not None
        if self.sign in _ORDER:
            order = _ORDER[self.sign]
            return order(value, wanted) if numbers else isinstance(value, str) and order(value, self.text)
        equal = value == wanted if numbers else (text_of(value) or "none") == (self.text or "none")
        return equal == (self.sign == "=")


def parse_conditions(where: Iterable[str], keys: Collection[str], rows: Iterable[Flat]) -> list[Condition]:
    """Conditions from their texts; `keys` are those that any run has, `rows` the runs."""
    rows = tuple(rows)
    return [_checked(_parse(text, keys), text, rows) for text in where]


def resolve_key(name: str, keys: Collection[str]) -> str:
    """The full key for a name as people write it: `accuracy`, `optimizer.lr`, `recipe.optimizer.lr`.

    Raises:
        DessinError: no run has it; the nearest that one has are named.
    """
    if name in ALIASES:
        return ALIASES[name]
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            if (full := f"{prefix}{name}{suffix}") in keys:
                return full
    short = {*(key.removeprefix("recipe.") for key in keys), *ALIASES}
    near = difflib.get_close_matches(name, sorted(short), n=5, cutoff=0.5)
    do = "Any dotted key of a record is one too, such as optimizer.lr or results.validation.top5."
    raise unknown("key", name, {"name", "status", *ALIASES, *near}, do=do)


def number_of(text: str) -> float | None:
    """The finite number that a text is, `45%` too, or None."""
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100.0 if percent else 1.0)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parse(text: str, keys: Collection[str]) -> Condition:
    written = _WRITTEN.fullmatch(text)
    if written is None or not written["key"]:
        raise DessinError(
            f'Cannot read the condition "{text}".',
            allowed="It is written key, sign, value, with one of the signs = != < <= > >= ~ (contains).",
            do='For example --where "model.backbone=resnet18" or --where "accuracy>0.45".',
        )
    return Condition(resolve_key(written["key"], keys), written["sign"].replace("==", "="), written["value"])


def _checked(condition: Condition, text: str, rows: tuple[Flat, ...]) -> Condition:
    """Refuse an order between numbers and a word, which no run could pass."""
    values = [row[condition.key] for row in rows if row.get(condition.key) is not None]
    numbers = bool(values) and all(is_number(value) for value in values)
    if condition.sign in _ORDER and numbers and number_of(condition.text) is None:
        raise DessinError(
            f'The condition "{text}" compares numbers with "{condition.text}".',
            allowed=f"{condition.key} is a number, such as {text_of(values[0])}.",
        )
    return condition


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
        parts = (values.get(f"{stem}.{part}") for part in ("value", "low", "high", "n"))
        value, low, high, n = (float(p) if isinstance(p, (int, float)) else math.nan for p in parts)
        found = _Interval(value, low, high)
        named = (metric for metric in METRICS if metric.name == stem.rpartition(".")[2])
        text = next((metric.written(found) for metric in named), plain(found))
        return f"{text}, n = {number(n)}"


def make_columns(names: Sequence[str] | None, keys: Collection[str]) -> tuple[Column, ...]:
    """Columns for names as people write them; without names the usual ones, as far as any run has them."""
    if names is not None:
        return tuple(Column(name, resolve_key(name, keys)) for name in names)
    usual = (Column(name, resolve_key(name, {*keys, *DEFAULT})) for name in DEFAULT)
    opened = resolve_key("holdout", keys) in keys
    return tuple(c for c in usual if c.key in keys and (opened or c.title != "opened"))
