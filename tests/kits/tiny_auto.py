"""`auto` with a tiny network of random weights at one small side and few steps, so that it takes seconds."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

TINY = "test_efficientnet"
FEW = {"least_epochs": 2, "enough_epochs": 2, "most_epochs": 2, "recipes": 1, "most_folds": 2}


def small_portfolio() -> Iterator[Any]:
    """Patches: no budget of hours binds, so that the steps do not depend on a clock."""
    weights = importlib.import_module("dessin.models.weights")
    random = functools.partial(_random_weights, weights.resolve_weights)
    for name in ("auto.begin", "runs.scout", "runs.prepare"):
        yield mock.patch.object(importlib.import_module(f"dessin.{name}"), "resolve_weights", random)
    yield mock.patch.object(importlib.import_module("dessin.runs.scout"), "seconds_an_image", _a_hundredth)
    begin = importlib.import_module("dessin.auto.begin")
    yield mock.patch.object(begin, "SIDES", (32,))
    for name in ("LEAST_HELD_IMAGES", "LEAST_HELD_GROUPS"):
        yield mock.patch.object(begin, name, 1)
    # Hours would be left for it.
    finish = importlib.import_module("dessin.auto.finish")
    yield mock.patch.object(finish, "LEAST_FOR_CARD", float("inf"))
    portfolio = importlib.import_module("dessin.auto.portfolio")
    yield mock.patch.object(portfolio, "TABLE", dataclasses.replace(portfolio.TABLE, **FEW))


def _a_hundredth(_classifier: object, _store: object) -> tuple[float, ...]:
    return (0.01,)


def _random_weights(find: Callable[..., Any], backbone: str, _requested: str = "auto") -> Any:
    return find(backbone, "none")
