"""The manifest: one row an image with its size, mode and sha256, from the headers alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass
from operator import itemgetter
from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Item
from dessin.errors import DessinError
from dessin.files import digest_of, sha256_bytes, sha256_file, write_csv
from dessin.images.decode import Unreadable, read_header, read_image_bytes
from dessin.images.paths import image_path
from dessin.progress import track
from dessin.reading import count_of, read_csv

COLUMNS = ("image_id", "label", "group", "width", "height", "mode", "sha256")
UNREADABLE = "unreadable"
_THREADS = 8


@dataclass(frozen=True)
class Row:
    """One image. Where its header is bad, `mode` is "unreadable" and the size 0 x 0.

    `sha256` is that of the file's bytes, empty where the file cannot be opened.
    """

    image_id: str
    label: str
    group: str
    width: int
    height: int
    mode: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Rows sorted by image_id, the sorted classes that occur in them, and each class's name for people."""

    root: Path
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    names: Mapping[str, str]

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over image_id, label and sha256 of every row."""
        return digest_of([[row.image_id, row.label, row.sha256] for row in self.rows])

    def path(self, image_id: str) -> Path:
        """The file of an image, whichever way the disk spells its name."""
        return image_path(self.root, image_id)


def build_manifest(collection: Collection) -> Manifest:
    """Read the header and the digest of every image; a bad file becomes an unreadable row, never an error."""
    items = sorted(collection.items, key=lambda item: item.image_id)

    def row_of(item: Item) -> Row:
        return _row(item, collection.path(item.image_id))

    with ThreadPoolExecutor(_THREADS) as pool:
        rows = tuple(track(pool.map(row_of, items), len(items), "Reading headers"))
    return Manifest(collection.root, rows, collection.classes, collection.names)


def _row(item: Item, path: Path) -> Row:
    width, height, mode = 0, 0, UNREADABLE
    try:
        data = read_image_bytes(path)
    except (Unreadable, OSError):
        sha256 = _digest_if_any(path)
    else:
        sha256 = sha256_bytes(data)
        with suppress(Unreadable):
            header = read_header(data)
            width, height, mode = header.width, header.height, header.mode
    return Row(item.image_id, item.label, item.group, width, height, mode, sha256)


def _digest_if_any(path: Path) -> str:
    try:
        return sha256_file(path) if path.is_file() else ""
    except OSError:
        return ""


def write_manifest(manifest: Manifest, path: Path) -> None:
    write_csv(path, COLUMNS, map(astuple, manifest.rows), comment=f"dessin manifest 1 {manifest.digest}")


def read_manifest(path: Path, root: Path) -> Manifest:
    """A manifest written before, for the images below `root`.

    Raises:
        DessinError: not a manifest, a size that is no number, or rows changed since it was written.
    """
    comment, table = read_csv(path, COLUMNS)
    rows = tuple(
        Row(image_id, label, group, count_of(width, str(path)), count_of(height, str(path)), mode, sha256)
        for image_id, label, group, width, height, mode, sha256 in map(itemgetter(*COLUMNS), table)
    )
    classes = tuple(sorted({row.label for row in rows}))
    manifest = Manifest(root, rows, classes, class_names(classes))
    if comment != f"dessin manifest 1 {manifest.digest}":
        raise DessinError(
            f"{path} is not as dessin wrote it: its rows do not match the digest in its first line.",
            do="Make it anew with dessin audit.",
        )
    return manifest
