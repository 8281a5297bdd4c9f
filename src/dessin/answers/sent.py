"""A function that has models in it, on its way to another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from dessin.models.torchvision_ops import import_timm

# The other process unpacks the models right after importing this module, and timm must be ready then.
import_timm()

Item = TypeVar("Item")
Made = TypeVar("Made")


class Sent(Generic[Item, Made]):
    """The same function; this module is for whoever sends one, since it imports the whole of timm."""

    def __init__(self, function: Callable[[Item], Made]) -> None:
        self.function = function

    def __call__(self, item: Item) -> Made:
        return self.function(item)
