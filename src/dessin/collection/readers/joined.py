"""Which image each cell of a table names: by its path, without a folder or an extension, by its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from dessin.collection.readers.columns import whole
from dessin.collection.readers.walk import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES, nfc

_SUFFIXES = IMAGE_SUFFIXES | OTHER_IMAGE_SUFFIXES


def join_names(written: Sequence[str], image_ids: Sequence[str]) -> dict[str, str]:
    """Cell → image id, for as many of the cells as one way of reading them can tell.

    The ways, of which the first that names most images is taken for all: the path below the folder that all
    share, the path without its extension, the file's name, that without its extension, and its number
    (7 for 0007.png). A way in which two images or two cells would be one does not count.
    """
    cells = dict(zip(written, _without_folder([_plain(cell) for cell in written]), strict=True))
    images = dict(zip(image_ids, _without_folder(image_ids), strict=True))
    best: dict[str, str] = {}
    for way in _WAYS:
        of_image = {way(short): image_id for image_id, short in images.items()}
        keys = {cell: way(short) for cell, short in cells.items()}
        if len(of_image) < len(images) or len(set(keys.values())) < len(keys):
            continue
        found = {cell: of_image[key] for cell, key in keys.items() if key and key in of_image}
        if len(found) > len(best):
            best = found
        if len(best) == len(cells):
            break
    return best


def naming_column(table: Mapping[str, Sequence[str]], image_ids: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The column whose cells name most images, once each, and cell → image id; of equal ones the first."""
    best, found = "", dict[str, str]()
    for column, cells in table.items():
        if len(set(cells)) == len(cells) and len(named := join_names(cells, image_ids)) > len(found):
            best, found = column, named
    return best, found


def stem(path: str) -> str:
    """A path without an image's extension; a dot in a name is no extension."""
    return path[: -len(suffix)] if (suffix := PurePosixPath(path).suffix).lower() in _SUFFIXES else path


def _plain(cell: str) -> str:
    path = nfc(cell.strip()).replace("\\", "/")
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _number(path: str) -> str:
    number = whole(stem(_name(path)))
    return "" if number is None else str(number)


_WAYS: tuple[Callable[[str], str], ...] = (
    lambda path: path,
    stem,
    _name,
    lambda path: stem(_name(path)),
    _number,
)


def _without_folder(paths: Sequence[str]) -> list[str]:
    """The paths below the longest folder that all of them lie in."""
    if not paths:
        return []
    # What the first and the last in order have in common, all between them have.
    first, last = min(paths).split("/")[:-1], max(paths).split("/")[:-1]
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    length = sum(len(part) + 1 for part, _ in shared)
    return [path[length:] for path in paths]
