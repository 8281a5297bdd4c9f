"""Which columns of a table hold the path of an image, its label, and the part that it is given for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from dessin.collection.readers.finder import Finder
from dessin.collection.readers.table import Table, head_of
from dessin.collection.readers.walk import IMAGE_SUFFIXES
from dessin.errors import DessinError, listing

LABELLED = ("image_path", "label")  # what dessin label writes
COLUMNS = (",".join(LABELLED), "image_path,class_name,target")
NUMBERED = "column "  # and its place, where a table does not name its columns
_FIRST = 5  # rows, of which one at least names an image
SAMPLE = 50  # rows, to tell what a column holds
# The names that people give them, by preference; case, spaces and punctuation do not count.
_PATHS = (
    *("imagepath", "filepath", "path", "relativepath", "relpath", "imgpath", "filename", "imagefilename"),
    *("imagefile", "imgfile", "fname", "file", "imagename", "imgname", "image", "img", "imageid", "imgid"),
    *("picture", "photo", "drawing", "fileid", "id", "name"),
    *("이미지경로", "경로", "파일명", "파일", "이미지"),
)
_LABELS = (
    *("label", "labels", "classname", "class", "category", "species", "target", "classlabel", "labelname"),
    *("categoryname", "breed", "y", "classid", "labelid", "categoryid", "라벨", "레이블", "클래스", "분류"),
)
_PARTS = ("split", "subset", "fold", "partition", "part", "phase", "usage", "datasplit", "set")
_LONGEST = 40  # characters of a usual name; a damaged header can have a megabyte
# What only dessin's own tables have beside `image_id`.
_OWN = ({"action", "reason"}, {"quality", "suspect"}, {"issue", "score"}, {"predicted"})
TRAIN, VALIDATION, TEST = "train", "val", "test"
PART_NAMES = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), TEST),
}


def path_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns whose name says that they hold paths, the plainest name first."""
    return _named(columns, _PATHS)


def label_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns whose name says that they hold labels, the plainest name first."""
    return _named(columns, _LABELS)


def part_columns(columns: Iterable[str]) -> tuple[str, ...]:
    return _named(columns, _PARTS)


def same_name(text: str) -> str:
    """What is left of a name where case, spaces and punctuation do not count: `Image Path` → `imagepath`."""
    return "".join(c for c in text.casefold() if c.isalnum())


def whole(text: str) -> int | None:
    """The number that digits alone write, up to 18 of them; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def part_of(text: str) -> str | None:
    """`Training` → `train`; a fold's number stays; None for what is neither."""
    is_number = text.isascii() and text.isdigit() and len(text) < 4
    return str(int(text)) if is_number else PART_NAMES.get(same_name(text))


def one_to_one(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two columns say the same in other words, such as names and numbers of classes."""
    pairs = set(zip(first, second, strict=True))
    return len(pairs) == len(set(first)) == len(set(second))


def _named(columns: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    found = [column for column in columns if len(column) <= _LONGEST and same_name(column) in names]
    return tuple(sorted(found, key=lambda column: names.index(same_name(column))))


@dataclass(frozen=True)
class Roles:
    """A table with a header, and the names of the columns that count."""

    table: Table
    path: str
    label: str
    target: str = ""
    part: str = ""


def understand(table: Table, finder: Finder) -> Roles:
    """Which column is the path and which the label: by their names, then by what the cells name.

    Raises:
        DessinError: a table of dessin's own, no such columns, or two that could be the label.
    """
    if is_own(table):
        raise DessinError(
            f"{table.path} is a table that dessin wrote, not one of labelled images.",
            do="Name the folder of the images, or the table that you made.",
        )
    table = with_header(table, finder)
    path = path_column(table, finder)
    label, target = _label_column(table, path) if path else ("", "")
    if not path or not label:
        raise DessinError(
            f"{table.path} has the columns {listing(table.columns) or 'none'}.",
            allowed=f"A table of images has {' or '.join(COLUMNS)}, or like names (file, id; class).",
            do=f"Rename the column of the {'labels' if path else 'paths'} in its first line.",
        )
    twice = [name for name in (path, label) if table.columns.count(name) > 1]
    if twice:
        raise DessinError(f"{table.path} has the column {twice[0]} twice.", do="Rename one of them.")
    part = next((c for c in part_columns(table.columns) if c not in (path, label)), "")
    given = [part_of(cell) for cell in table.column(part) if cell] if part else []
    if not given or None in given:
        part = ""
    return Roles(table, path, label, target, part)


def is_own(table: Table) -> bool:
    """Whether dessin wrote the table: a split, a manifest, issues, predictions or the like."""
    own = any(columns <= set(table.columns) for columns in _OWN)
    return table.comment.startswith("dessin ") or ("image_id" in table.columns and own)


def columns_of(path: Path, finder: Finder) -> tuple[str, ...]:
    """The names of a table's columns, or () where the file cannot be read as one."""
    table = head_of(path)
    return with_header(table, finder).columns if table else ()


def with_header(table: Table, finder: Finder) -> Table:
    """The table, its first row taken for a row where it names an image and no column."""
    first = table.columns
    named = path_columns(first) or label_columns(first)
    suffixes = {PurePosixPath(cell).suffix.lower() for cell in first}
    if named or not (suffixes & IMAGE_SUFFIXES or any(finder.find(cell).image_id for cell in first)):
        return table
    columns = tuple(f"{NUMBERED}{place}" for place in range(1, len(first) + 1))
    return replace(table, columns=columns, rows=(first, *table.rows))


def path_column(table: Table, finder: Finder) -> str:
    """The column of the paths: of several with such a name, or else of any name, the one that names files."""
    named = path_columns(table.columns)
    if "image_path" in named:
        return "image_path"
    for columns in (named, table.columns):
        scores = {column: _score(table.column(column), finder) for column in columns}
        best = max(columns, key=lambda column: scores[column], default="")
        if best and scores[best][0]:
            return best
    return next(iter(named), "")


def _score(cells: Sequence[str], finder: Finder) -> tuple[int, int]:
    """How many of the first cells name a file, and how many as they are written."""
    if not any(finder.find(cell).image_id for cell in cells[:_FIRST]):
        return 0, 0
    found = [one for one in map(finder.find, cells[:SAMPLE]) if one.image_id]
    return len(found), sum(not one.how for one in found)


def _label_column(table: Table, path: str) -> tuple[str, str]:
    """The columns of the label and of its number, empty where there is none."""
    others = [column for column in table.columns if column != path]
    if path == "image_path":
        if "label" in others:
            return "label", ""
        if {"class_name", "target"} <= {*others}:
            return "class_name", "target"
    named = [column for column in label_columns(others) if any(table.column(column))]
    if not named:
        parts, paths = part_columns(others), path_columns(others)
        rest = [column for column in others if column not in parts]
        plain = [column for column in rest if column not in paths] or rest
        headless = table.columns[0] == f"{NUMBERED}1"
        few = [c for c in plain if headless or 2 * len(set(table.column(c))) <= len(table.rows)]
        return (few[0] if len(plain) == len(few) == 1 else ""), ""
    cells = {column: table.column(column) for column in named}
    different = [column for column in named if not one_to_one(cells[named[0]], cells[column])]
    if different:
        raise DessinError(
            f"{table.path} has several columns that could be the label: {listing([named[0], *different])}.",
            allowed="One column holds the labels.",
            do=f"Name that column label, and the others otherwise (or remove them); the path is in {path}.",
        )
    words = [column for column in named if not all(cell.isdigit() for cell in cells[column])]
    return (words or named)[0], ""
