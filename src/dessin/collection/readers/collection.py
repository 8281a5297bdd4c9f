"""What a reader is, and what it returns: images with their labels, and what was left out by which rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from dessin.errors import listing
from dessin.images.paths import image_path
from dessin.language import spoken, tr, translated
from dessin.page.numbers import counted, number

_CLASSES_SHOWN = 8


@dataclass(frozen=True)
class Item:
    """One labelled image; `image_id` is its POSIX path below the root, NFC; an empty `group` is none.

    `part` is what the data themselves give it for: `train`, `val`, `test`, the number of a fold, or nothing.
    """

    image_id: str
    label: str
    group: str = ""
    part: str = ""


@dataclass(frozen=True)
class Collection:
    """A collection as found on disk.

    `items` are sorted by image_id and `classes` by label; `names` gives each label's name for people.
    `test_ids` are a contest's unlabelled images in the contest's order. `skipped` maps a rule to the
    paths it left out. `notes` are lines that a person should read.
    """

    root: Path
    layout: str
    items: tuple[Item, ...]
    classes: tuple[str, ...]
    names: Mapping[str, str]
    test_ids: tuple[str, ...] = ()
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_by: str = ""
    notes: tuple[str, ...] = ()

    def path(self, image_id: str) -> Path:
        """The file of an image, whichever way the disk spells its name."""
        # The reader has checked every path; only the spelling of other than ASCII names can differ.
        return self.root / image_id if image_id.isascii() else image_path(self.root, image_id)


class Reader(ABC):
    """A layout: how to tell it, and how to read it.

    Attributes:
        name: the layout in a word or two, as it is said to people and written to summary.json.
    """

    name: ClassVar[str]

    @abstractmethod
    def matches(self, path: Path) -> bool:
        """Whether a file or folder, which exists, has this layout; asked before any image is looked at."""

    def columns(self, path: Path) -> tuple[str, ...]:  # noqa: ARG002
        """The columns of its table, any of which may name the groups."""
        return ()

    @abstractmethod
    def read(self, path: Path, group_column: str | None) -> Collection:
        """The collection; `group_column` is one of `columns`.

        Raises:
            DessinError: what was found, what the layout allows, and what to do.
        """


def describe_collection(collection: Collection) -> str:
    """What was understood, in lines that a person can check: layout, classes, what is not used and why."""
    counts = Counter(item.label for item in collection.items)
    fewest, most = min(counts.values()), max(counts.values())
    spread = f"{fewest}" if fewest == most else tr("{low} to {high}", low=fewest, high=most)
    lines = [
        tr(
            "{folder}: {layout}, {images} in {classes} ({spread} a class)",
            folder=collection.root,
            layout=translated(collection.layout),
            images=counted(len(collection.items), "image"),
            classes=counted(len(collection.classes), "class", "classes"),
            spread=spread,
        )
    ]
    classes = [f"{label} {number(counts[label])}" for label in collection.classes]
    lines.append(tr("classes: {classes}", classes=listing(classes, limit=_CLASSES_SHOWN)))
    if collection.test_ids:
        lines.append(tr("{images} without labels", images=counted(len(collection.test_ids), "test image")))
    lines.extend(map(spoken, collection.notes))
    if any(item.part for item in collection.items):
        lines.append(
            tr(
                "a split comes with the data ({parts}); only dessin split --given keeps it",
                parts=_given(collection),
            )
        )
    for rule, paths in collection.skipped.items():
        lines.append(
            tr("skipped {n} ({rule}): {paths}", n=number(len(paths)), rule=rule, paths=listing(paths))
        )
    return "\n".join(lines)


def _given(collection: Collection) -> str:
    counts = Counter(item.part for item in collection.items)
    order = sorted(counts, key=lambda part: (part.isdigit(), part == "test", part == "val", part.zfill(4)))
    words = {part: f"fold {part}" if part.isdigit() else part or "no part" for part in order}
    return listing([f"{words[part]}: {number(counts[part])}" for part in order])
