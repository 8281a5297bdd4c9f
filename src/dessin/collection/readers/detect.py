"""Which layout a path has, reading it, and the groups that the user names by a pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dessin.collection.readers.collection import Collection, Item, listing
from dessin.collection.readers.contest import contest_root, read_contest
from dessin.collection.readers.csv_file import columns_of, is_label_csv, read_csv_file
from dessin.collection.readers.folders import read_folders
from dessin.errors import DessinError

_LONGEST_PATTERN = 200


def group_by_pattern(items: Sequence[Item], pattern: str) -> tuple[Item, ...]:
    """Items with the pattern's first capture group, or its whole match, as their group.

    The pattern is searched in the whole image_id; an image it does not match stays without a group.

    Raises:
        DessinError: the pattern does not compile, is longer than 200 characters or matches no image.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise DessinError(
            f"The --group pattern has {len(pattern)} characters.",
            allowed=f"At most {_LONGEST_PATTERN}.",
            do="Shorten it, or give the groups as a column of a CSV.",
        )
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DessinError(
            f'The --group pattern "{pattern}" is not a regular expression: {error}.', do="Correct it."
        ) from None
    grouped = tuple(replace(item, group=_first(compiled.search(item.image_id))) for item in items)
    if not any(item.group for item in grouped):
        raise DessinError(
            f'The --group pattern "{pattern}" matches none of the {len(items):,} images, such as '
            f"{items[0].image_id}.",
            allowed="It is a regular expression over the image id, or the name of a column of the CSV.",
            do="Correct it, or leave --group away.",
        )
    return grouped


def _first(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    return (match[1] if match.re.groups else match[0]) or ""


def describe_groups(items: Sequence[Item], group_by: str) -> str:
    """How many groups there are and how many images have none."""
    groups = {item.group for item in items if item.group}
    alone = sum(not item.group for item in items)
    rest = f"images without one: {alone:,}" if alone else "every image has one"
    return f"groups by {group_by}: {len(groups):,}; {rest}"


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
