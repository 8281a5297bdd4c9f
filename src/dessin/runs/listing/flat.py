"""A run's record as one level of dotted keys, so that it can be filtered, sorted and compared key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dessin.schema import flattened

Scalar = str | int | float | bool | None
Value = Scalar | tuple[str, ...]
Flat = Mapping[str, Value]

# Kept under other names, or only of use whole.
_APART = ("decisions", "attempts", "started", "holdout_opened", "format", "name")


def flatten(record: Mapping[str, Any]) -> dict[str, Value]:
    """A dumped `RunRecord` as dotted keys: `recipe.optimizer.lr`, `results.validation.accuracy.low`.

    A decision is `decisions.<name>` with its value; lists are tuples of their texts. Beside these stand
    `started` (the first beginning), `beginnings`, `attempts` and `opened` (how many of each) and `seconds`
    (all stages together).
    """
    kept = {key: value for key, value in record.items() if key not in _APART}
    flat = {key: _leaf(value) for key, value in flattened(kept).items()}
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
