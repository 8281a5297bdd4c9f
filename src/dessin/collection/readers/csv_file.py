"""The layout of a table: one row an image, whose path and label are in columns of the usual names."""

from __future__ import annotations

from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Reader, listing
from dessin.collection.readers.columns import is_own, label_columns, path_columns
from dessin.collection.readers.labels import items_of, read_labels
from dessin.collection.readers.table import SUFFIXES, columns_of, head_of
from dessin.errors import DessinError


def is_label_csv(path: Path) -> bool:
    """Whether a table's first row names a path and a label, and dessin has not written it."""
    table = head_of(path)
    if table is None or is_own(table):
        return False
    paths = path_columns(table.columns)
    return bool(paths) and bool(set(label_columns(table.columns)) - {paths[0]})


class LabelCsv(Reader):
    """A collection listed in a table: the file itself, or the only such file in a folder."""

    name = "csv"

    def matches(self, path: Path) -> bool:
        return _csv_in(path) is not None

    def columns(self, path: Path) -> tuple[str, ...]:
        return columns_of(_csv_in(path) or path)

    def read(self, path: Path, group_column: str | None) -> Collection:
        """Refuses missing columns or files, duplicate rows, an empty label, conflicting targets, an unsafe
        path, and no rows."""
        path = _csv_in(path) or path
        table = read_labels(path, group_column=group_column)
        classes = tuple(sorted(set(table.labels.values())))
        ranked = {label: rank for rank, label in enumerate(classes)}
        notes: tuple[str, ...] = (table.understood,)
        if table.targets and table.targets != ranked:
            notes = (
                *notes,
                "the targets of the CSV are not in the order of the labels; dessin numbers classes by label",
            )
        return Collection(
            root=path.parent,
            layout=LabelCsv.name,
            items=items_of(table),
            classes=classes,
            names=class_names(classes),
            skipped=table.skipped,
            notes=notes,
        )


def _csv_in(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix.lower() in SUFFIXES else None
    found = sorted(
        file for file in path.glob("*.csv") if not file.name.startswith(".") and is_label_csv(file)
    )
    if len(found) > 1:
        raise DessinError(
            f"{path} holds {len(found)} CSVs of images: {listing([file.name for file in found])}.",
            do=f"Name one of them, such as {found[0]}.",
        )
    return found[0] if found else None
