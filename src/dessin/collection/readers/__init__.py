"""Reading a collection: class folders, a CSV or a contest folder, detected and said."""

from __future__ import annotations

from dessin.collection.readers.collection import Collection, Item, Layout, describe_collection
from dessin.collection.readers.detect import read_collection

__all__ = ["Collection", "Item", "Layout", "describe_collection", "read_collection"]
