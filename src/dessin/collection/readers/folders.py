"""The class-folder layout: DATA/<class>/**/image, also in the parts of a given split (DATA/train/<class>)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dessin.collection.families import names_a_thing
from dessin.collection.names import class_names, is_wnid
from dessin.collection.readers.collection import Collection, Item, Reader
from dessin.collection.readers.columns import PART_NAMES, same_name
from dessin.collection.readers.groups import ENOUGH, PLAIN, are_people
from dessin.collection.readers.table import SUFFIXES
from dessin.collection.readers.walk import Walk, nfc, walk_images
from dessin.errors import DessinError, listing
from dessin.images.containers.base import FORMATS
from dessin.page.numbers import counted
from dessin.reading import read_text

# Of the names of one level, that are nouns where they are classes, and at most where they are not: Rose and
# Robin are nouns too.
_NOUNS, _NO_NOUNS = 0.6, 0.4
CLASSES_FILE = "classes.txt"
_CLASS_OF_NAME = re.compile(r"(\D*?[^\W\d_])[\W_]*\d+$")


@dataclass(frozen=True)
class Reading:
    """How the folders were understood: the label, the given part and the group of each image, and what to
    say of it."""

    labels: Mapping[str, str]
    parts: Mapping[str, str]
    notes: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)


class ClassFolders(Reader):
    """A collection whose labels are the names of the folders directly below it: what any folder may be."""

    name = "class folders"

    def matches(self, path: Path) -> bool:
        return path.is_dir()

    def read(self, path: Path, group_column: str | None) -> Collection:  # noqa: ARG002
        """Refuses nothing in it, images but no class folders, parts (train, val) without classes, and folders
        two of whose levels may be the classes."""
        walk = walk_images(path)
        reading = read_folders(path, walk)
        if not reading.labels:
            raise _nothing_found(path, walk)
        for image_id in walk.images:
            if image_id not in reading.labels:
                walk.skip("image outside every class folder", image_id)
        items = tuple(
            Item(image_id, label, reading.groups.get(image_id, ""), reading.parts.get(image_id, ""))
            for image_id, label in sorted(reading.labels.items())
        )
        classes = tuple(sorted(set(reading.labels.values())))
        tops = {image_id.partition("/")[0] for image_id in walk.images}
        empty = [folder for folder in walk.folders if "/" not in folder and folder not in tops]
        notes = (f"class folders without any image: {listing(empty)}",) if empty else ()
        return Collection(
            root=path,
            layout=ClassFolders.name,
            items=items,
            classes=classes,
            names=class_names(classes),
            skipped={rule: tuple(paths) for rule, paths in walk.skipped.items()},
            group_by="folder" if reading.groups else "",
            notes=(*reading.notes, *notes),
        )


def read_folders(root: Path, walk: Walk) -> Reading:
    """Which folders are the classes.

    Raises:
        DessinError: parts of a data set without classes in them, or two levels that may be the classes.
    """
    paths = {image_id: image_id.split("/")[:-1] for image_id in sorted(walk.images)}
    inside = {image_id: folders for image_id, folders in paths.items() if folders}
    tops = sorted({folders[0] for folders in inside.values()})
    inner = {top: {f[1] for f in inside.values() if f[0] == top and len(f) > 1} for top in tops}
    if tops and all(map(_is_part, tops)):
        labels = {image_id: folders[1] for image_id, folders in inside.items() if len(folders) > 1}
        if not labels:
            raise _parts_alone(root, tops)
        parts = {image_id: PART_NAMES[same_name(inside[image_id][0])] for image_id in labels}
        return Reading(labels, parts, (f"the folders {listing(tops)} are parts of a given split",))
    labels = {image_id: folders[0] for image_id, folders in inside.items()}
    whole = all(len(folders) > 1 for folders in inside.values())
    if tops and whole and all(map(_is_part, set().union(*inner.values()))):
        parts = {image_id: PART_NAMES[same_name(folders[1])] for image_id, folders in inside.items()}
        return Reading(labels, parts, ("the folders in each class are parts of a given split",))
    crossed = whole and _crossed(inner)
    if crossed and (reading := _read_crossed(root, inside, tops, sorted(set().union(*inner.values())))):
        return reading
    if whole and _may_be_classes(inner):
        names = sorted(set().union(*inner.values()))
        if _chosen(root, tops, names):
            return Reading(
                {image_id: folders[1] for image_id, folders in inside.items()},
                {},
                (f"the classes are those of {CLASSES_FILE}, the folders inside {listing(tops)}",),
            )
        return Reading(labels, {}, (f"the classes are those of {CLASSES_FILE}",))
    deeper = [f"{top} ({listing(sorted(names), limit=3)})" for top, names in inner.items() if names]
    return Reading(
        labels, {}, (f"folders inside a class are not classes: {listing(deeper)}",) if deeper else ()
    )


def _crossed(inner: Mapping[str, set[str]]) -> bool:
    """Whether the same names lie in many folders: anna/cat, ben/cat, or cat/anna, dog/anna."""
    names = [name for inside in inner.values() for name in inside]
    return len(inner) > 1 and len(names) >= 2 * len(set(names))


def _read_crossed(
    root: Path, inside: Mapping[str, Sequence[str]], outer: Sequence[str], inner: Sequence[str]
) -> Reading | None:
    """One level is the classes, the other who drew, where they are enough to be dealt into folds.

    None where the outer folders are classes, and the inner ones no groups.
    """
    level = _level_of_classes(root, outer, inner)
    labels = {image_id: folders[level] for image_id, folders in inside.items()}
    others = (inner, outer)[level]
    where = "inside" if level == 0 else "around"
    beside = f"the classes are {listing(sorted(set(labels.values())))}; the folders {where} them, "
    sorting = any(_sorts(name) and (level == 0 or not name.isdigit()) for name in others)
    if len(others) >= ENOUGH and (are_people(others) or not sorting):
        groups = {image_id: folders[1 - level] for image_id, folders in inside.items()}
        note = f"{listing(others)}, are taken for who drew: {counted(len(others), 'group')}"
        return Reading(labels, {}, (beside + note,), groups)
    return Reading(labels, {}, (f"{beside}{listing(others)}, are not used",)) if level else None


def _level_of_classes(root: Path, outer: Sequence[str], inner: Sequence[str]) -> int:
    """0 for the outer folders, 1 for the inner ones.

    Raises:
        DessinError: either may be.
    """
    if _named(root) in ({*outer}, {*inner}):
        return int(_named(root) == {*inner})
    if are_people(outer) != are_people(inner):
        return int(are_people(outer))
    nouns = [sum(map(names_a_thing, names)) / len(names) for names in (outer, inner)]
    level = int(nouns[1] > nouns[0])
    if nouns[level] >= _NOUNS and nouns[level] - nouns[1 - level] >= _NO_NOUNS:
        return level
    return 0 if any(map(_sorts, inner)) else int(_chosen(root, outer, inner))


def _is_part(name: str) -> bool:
    return same_name(name) in PART_NAMES


def _may_be_classes(inner: Mapping[str, set[str]]) -> bool:
    """Whether each folder holds folders of its own whose names may be classes: animals/cat, fruit/apple."""
    names = [name for inside in inner.values() for name in inside]
    plain = any(map(_sorts, names))
    return len(inner) > 1 and len(names) == len(set(names)) > len(inner) and not plain


def _sorts(name: str) -> bool:
    """Whether a name only sorts: a number, a date, a letter, `batch 2`."""
    letters = re.sub(r"[\W\d_]", "", name.lower())
    return not is_wnid(name) and (len(letters) < 2 or letters in PLAIN)


def _named(root: Path) -> set[str]:
    """The names in the file of the classes; none where there is no such file."""
    file = root / CLASSES_FILE
    return {nfc(line.strip()) for line in read_text(file).splitlines()} - {""} if file.is_file() else set()


def _chosen(root: Path, tops: Sequence[str], inner: Sequence[str]) -> bool:
    """Whether the file of the class names names the inner folders, not the outer ones."""
    named = _named(root)
    if named in ({*tops}, {*inner}):
        return named == {*inner}
    raise DessinError(
        f"The images in {root} lie two folders down, and either level may be the classes: "
        f"{listing(tops)}, or in these {listing(inner)}."
        + (f" {CLASSES_FILE} names neither." if named else ""),
        allowed=f"The file {root / CLASSES_FILE} says which: the names of all classes, one a line.",
        do=f"Write it (such as: printf '%s\\n' {' '.join(tops[:3])}{' ..' if len(tops) > 3 else ''} > "
        f"{root / CLASSES_FILE}), or move the folders of the classes into one folder.",
    )


def _parts_alone(root: Path, tops: Sequence[str]) -> DessinError:
    return DessinError(
        f"The folders in {root} are named {listing(tops)}: parts of a data set, not classes.",
        allowed="In each part, images lie in one folder a class; or a table lists them with their labels.",
        do="Make one folder a class in each part, or add a table with image_path,label.",
    )


def _nothing_found(root: Path, walk: Walk) -> DessinError:
    if walk.images:
        names = [_CLASS_OF_NAME.match(Path(image_id).stem) for image_id in walk.images]
        counts = Counter(match[1] for match in names if match)
        hint = ""
        if 1 < len(counts) <= len(walk.images) / 2 and counts.total() == len(walk.images):
            seen = listing([f"{label} {count:,}" for label, count in sorted(counts.items())])
            hint = f" The names may say the classes ({seen}), which dessin does not guess."
        return DessinError(
            f"{root} holds {counted(len(walk.images), 'image')} ({listing(walk.images)}) "
            f"and no folder of a class.{hint}",
            allowed="Images lie in one folder a class, or are listed in a CSV with image_path,label.",
            do="Make one folder a class, or write that CSV; if this one is a class, name the folder above.",
        )
    skipped = "; ".join(f"{len(paths):,} skipped ({rule})" for rule, paths in walk.skipped.items())
    formats = any(rule.startswith("image format") for rule in walk.skipped)
    tables = sorted(file.name for file in root.iterdir() if file.suffix.lower() in SUFFIXES)
    beside = f" There is a table: {listing(tables)}." if tables else ""
    return DessinError(
        (
            f"No image was found in {root}: {skipped}."
            if skipped
            else f"No image was found in {root}: it is empty."
        )
        + beside,
        allowed=f"DATA is a folder of class folders, a CSV, or a contest folder; images are {FORMATS}.",
        do="Save the images as PNG or JPEG." if formats else "Check the path.",
    )
