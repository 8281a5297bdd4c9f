"""The layout of a table: one row an image, whose path and label are in columns of the usual names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Reader
from dessin.collection.readers.columns import (
    PART_NAMES,
    SAMPLE,
    columns_of,
    is_own,
    label_columns,
    path_column,
    path_columns,
    same_name,
    understand,
)
from dessin.collection.readers.finder import Finder
from dessin.collection.readers.folders import read_folders
from dessin.collection.readers.labels import items_of, read_labels
from dessin.collection.readers.table import SUFFIXES, head_of, read_table
from dessin.collection.readers.walk import file_rule, folder_rule, nfc, walk_images
from dessin.errors import DessinError, listing
from dessin.images.paths import image_path


def is_label_csv(path: Path) -> bool:
    """Whether a table's first row names a path and a label, and dessin has not written it."""
    table = head_of(path)
    if table is None or is_own(table):
        return False
    paths = path_columns(table.columns)
    return bool(paths) and bool(set(label_columns(table.columns)) - {paths[0]})


@dataclass(frozen=True)
class Choice:
    """The table of a folder's images, if it is to be read from one, and what to say of the tables in it."""

    table: Path | None
    notes: tuple[str, ...] = ()


def choose_table(folder: Path) -> Choice:
    """Whether a folder is read from a table in it, or from its folders: by what the table lists.

    A table of all images wins, one of less than half of them is a note beside class folders.

    Raises:
        DessinError: several tables, or one of most images beside folders that are classes.
    """
    files = _tables_in(folder)
    tables = [file for file in files if _may_label(file)]
    if not tables:
        return Choice(None, tuple(filter(None, map(_unlabelled, files))))
    if len(tables) == 1 and not _has_folders(folder):
        return Choice(tables[0])
    found = {file: _listed_in(file) for file in tables}
    classes, images = _classes_in(folder)
    if classes:
        whole = {file: ids for file, ids in found.items() if images <= ids}
        most = [file for file, ids in found.items() if 2 * len(ids) >= len(images)]
        if not whole and most:
            raise _either(folder, most[0], classes, len(found[most[0]]), len(images))
        if not whole:
            of = f"of {len(images):,} images"
            few = (f"{file.name} is not used: it lists {len(ids):,} {of}" for file, ids in found.items())
            return Choice(None, tuple(few))
        found = whole
    found = {file: ids for file, ids in found.items() if ids} or found
    if len(found) > 1:
        names = listing([file.name for file in found])
        do = f"Name one of them, such as {next(iter(found))}."
        if all(same_name(file.stem) in PART_NAMES for file in found):
            parts = ", ".join(file.stem for file in found)
            do = f"Join them into one table with a column split ({parts}), or name one of them."
        raise DessinError(f"{folder} holds {len(found)} CSVs of images: {names}.", do=do)
    (table,) = found
    unused = f"the folders ({listing(classes)}) are not used as classes: {table.name} lists every image"
    return Choice(table, (unused,) if classes else ())


def _tables_in(folder: Path) -> list[Path]:
    """The tables that may be of labelled images; a contest's sample of a submission is none."""
    try:
        files = list(folder.iterdir())
    except OSError:
        return []
    return sorted(
        file
        for file in files
        if file.suffix.lower() in SUFFIXES
        and not file.name.startswith((".", "~$"))
        and "submission" not in file.name.lower()
        and file.is_file()
    )


def _may_label(file: Path) -> bool:
    """Whether the first rows of a table have a path and a label, by its columns or by what they name."""
    head = head_of(file)
    try:
        return head is not None and (is_label_csv(file) or bool(understand(head, Finder(file.parent))))
    except DessinError:
        return False


def _unlabelled(file: Path) -> str:
    """What to say of a table of images none of whose columns is plainly the label; nothing of any other."""
    head = head_of(file)
    if head is None or is_own(head) or not head.rows:
        return ""
    finder = Finder(file.parent)
    path = path_column(head, finder)
    cells = head.column(path)[:SAMPLE] if path else ()
    if not any(finder.rebased([cell]).find(cell).image_id for cell in cells[:1]):
        return ""
    others = listing([column for column in head.columns if column != path])
    return f"{file.name} is not used: no column is plainly the label ({others}); name one of them label"


def _has_folders(folder: Path) -> bool:
    """Whether several folders lie in it, which may be classes."""
    with os.scandir(folder) as entries:
        return sum(entry.is_dir() and not folder_rule(entry.name) for entry in entries) > 1


def _listed_in(file: Path) -> set[str]:
    """The images that are there of those that a table lists with labels."""
    try:
        finder = Finder(file.parent)
        roles = understand(read_table(file), finder)
        cells = roles.table.column(roles.path)
        finder = finder.rebased(cells[:SAMPLE])
        return {found for found in (finder.find(cell).image_id for cell in cells) if found}
    except DessinError:
        return set()


def _classes_in(folder: Path) -> tuple[list[str], set[str]]:
    """The classes that the folders tell, where there are several, and all images."""
    walk = walk_images(folder)
    try:
        classes = sorted(set(read_folders(folder, walk).labels.values()))
    except DessinError:
        return [], set(walk.images)
    return (classes if len(classes) > 1 else []), set(walk.images)


def _either(folder: Path, table: Path, classes: Sequence[str], listed: int, images: int) -> DessinError:
    return DessinError(
        f"{folder} has class folders ({listing(classes)}) and {table.name}, "
        f"which lists {listed:,} of their {images:,} images.",
        allowed="The labels come from the folders or from the table.",
        do=f"Name the table ({table}), or move it out of the folder to have the folders.",
    )


class LabelCsv(Reader):
    """A collection listed in a table: the file itself, or the one in a folder that lists its images."""

    name = "csv"

    def matches(self, path: Path) -> bool:
        return _table_of(path).table is not None

    def columns(self, path: Path) -> tuple[str, ...]:
        table = _table_of(path).table or path
        return columns_of(table, Finder(table.parent))

    def read(self, path: Path, group_column: str | None) -> Collection:
        """Refuses missing columns or files, duplicate rows, an empty label, conflicting targets, an unsafe
        path, and no rows."""
        choice = _table_of(path)
        path = choice.table or path
        table = read_labels(path, group_column=group_column)
        classes = tuple(sorted(set(table.labels.values())))
        ranked = {label: rank for rank, label in enumerate(classes)}
        notes = (table.understood, *choice.notes)
        if table.targets and table.targets != ranked:
            notes = (
                *notes,
                "the targets of the CSV are not in the order of the labels; dessin numbers classes by label",
            )
        unlisted = _unlisted(path.parent, table.labels)
        skipped = {**table.skipped, f"not listed in {path.name}": unlisted} if unlisted else table.skipped
        return Collection(
            root=path.parent,
            layout=LabelCsv.name,
            items=items_of(table),
            classes=classes,
            names=class_names(classes),
            skipped=skipped,
            notes=notes,
        )


def _table_of(path: Path) -> Choice:
    if path.is_file():
        return Choice(path if path.suffix.lower() in SUFFIXES else None)
    return choose_table(path)


def _unlisted(root: Path, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The images beside listed ones that no row names."""
    found = set()
    for folder in sorted({image_id.rpartition("/")[0] for image_id in labels}):
        for entry in os.scandir(image_path(root, folder) if folder else root):
            if not file_rule(entry.name) and entry.is_file():
                found.add(nfc(f"{folder}/{entry.name}" if folder else entry.name))
    return tuple(sorted(found - labels.keys()))
