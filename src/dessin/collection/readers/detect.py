"""Which layout a path has, and reading it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dessin.collection.readers.collection import Collection, listing
from dessin.collection.readers.contest import contest_root, read_contest
from dessin.collection.readers.csv_file import columns_of, is_label_csv, read_csv_file
from dessin.collection.readers.folders import read_folders
from dessin.collection.readers.groups import describe_groups, group_by_pattern
from dessin.errors import DessinError

_NO_GROUP_COLUMNS = ("image_path",)


def read_collection(data: str | Path, *, group: str | None = None) -> Collection:
    """Detect the layout of `data` and read it; `group` is a column of its CSV or a regular expression.

    Raises:
        DessinError: no such path, no known layout, or anything the layout's reader refuses.
    """
    path = Path(data).absolute()
    if not path.exists():
        raise DessinError(f"There is no file or folder {path}.", do="Check the path.")
    csv = _label_csv(path)
    column = group if csv and group in columns_of(csv) else None
    if column in _NO_GROUP_COLUMNS:
        raise DessinError(
            f"--group {column} would make every image its own group.", do="Name another column."
        )
    contest = contest_root(path)
    if contest:
        collection = read_contest(contest, group_column=column)
    elif csv:
        collection = read_csv_file(csv, group_column=column)
    else:
        collection = read_folders(path)
    return _grouped(collection, group, column) if group else collection


def _label_csv(path: Path) -> Path | None:
    """The CSV that labels the images, where there is one."""
    if path.is_file():
        if path.suffix.lower() != ".csv":
            raise DessinError(
                f"{path} is neither a folder nor a CSV.",
                allowed="DATA is a folder of class folders, a CSV, or a contest folder.",
                do="Name the folder that holds the classes.",
            )
        return path
    contest = contest_root(path)
    if contest:
        return contest / "train.csv"
    found = sorted(
        file for file in path.glob("*.csv") if not file.name.startswith(".") and is_label_csv(file)
    )
    if len(found) > 1:
        raise DessinError(
            f"{path} holds {len(found)} CSVs of images: {listing([file.name for file in found])}.",
            do=f"Name one of them, such as {found[0]}.",
        )
    return found[0] if found else None


def _grouped(collection: Collection, group: str, column: str | None) -> Collection:
    if column:
        group_by, items = f"column {column}", collection.items
        if not any(item.group for item in items):
            raise DessinError(f"The column {column} is empty in every row.", do="Name another column.")
    else:
        group_by, items = f"pattern {group}", group_by_pattern(collection.items, group)
    notes = (describe_groups(items, group_by), *collection.notes)
    return replace(collection, items=items, group_by=group_by, notes=notes)
