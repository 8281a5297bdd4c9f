"""Drawings that come in by the studio: collections that are made here, and an inbox in those of others.

A collection made here is a folder with `studio.json`, its drawings as class folders in `drawings/`, and
`curation.csv`. In somebody else's class folders new drawings go into a folder `inbox` of the class, so that
every verb finds them there, and nothing that was there before is written over.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

from PIL import Image

from dessin.collection.readers.columns import PART_NAMES, same_name
from dessin.collection.readers.folders import ClassFolders
from dessin.collection.readers.walk import IMAGE_SUFFIXES, folder_rule, nfc
from dessin.errors import DessinError, quoted
from dessin.files import remove, storage_error, write_bytes, write_json
from dessin.images.decode import decode
from dessin.images.fit import page_of
from dessin.images.ground import Pixels
from dessin.images.paths import image_path
from dessin.images.shrink import shrunk
from dessin.studio.curating import alone
from dessin.studio.drawings import Drawings
from dessin.studio.workspace import DRAWINGS, MADE_FILE, Workspace

INBOX = "inbox"
FILES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic", "heif")
MOST_BYTES = 8 * 2**20
# Of what is dropped at once, which is held in memory until it is kept.
MOST_FILES, MOST_TOGETHER = 1_000, 512 * 2**20
_LONGEST = 60
# Characters that some system does not take in names.
_FORBIDDEN = frozenset('<>:"/\\|?*')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
# Of the longer side: a photograph's sheet is not kept in more detail than any model looks at.
_KEPT = 1600


def checked_name(name: str, what: str) -> str:
    """A name of a collection, a class or a person that every system takes for a folder's or a file's.

    Raises:
        DessinError: it is none.
    """
    name = nfc(" ".join(name.split()))
    wrong = (
        not name
        or len(name) > _LONGEST
        or name.endswith(".")
        or bool(_FORBIDDEN & set(name))
        or any(unicodedata.category(each).startswith("C") for each in name)
        or bool(_RESERVED.fullmatch(name.partition(".")[0]))
        or folder_rule(name) is not None
    )
    if wrong:
        raise DessinError(
            f'"{quoted(name)}" cannot be the name of a {what}.' if name else f"The {what} has no name.",
            allowed=f"A name has 1 to {_LONGEST} letters, digits, spaces and signs, none of "
            f"{' '.join(sorted(_FORBIDDEN))}, and no dot at its ends.",
            do="Choose another one.",
        )
    return name


def make_collection(workspace: Workspace, name: str) -> str:
    """A new collection without classes; its name in the workspace.

    Raises:
        DessinError: a name that cannot be one, or that is taken.
    """
    name = checked_name(name, "collection")
    folder = workspace.root / name
    with alone(folder):
        if folder.exists():
            raise DessinError(f"{folder} is there already.", do="Choose another name.")
        try:
            (folder / DRAWINGS).mkdir(parents=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        write_json(folder / MADE_FILE, {"format": 1, "kind": "studio"})
    return f"{name}/{DRAWINGS}"


def make_class(drawings: Drawings, label: str, *, made: bool) -> str:
    """A new class of a collection, which has its folder at once; its label.

    Raises:
        DessinError: a name that cannot be one or is taken, or a collection that no class can be added to.
    """
    label = checked_name(label, "class")
    if same_name(label) in PART_NAMES:
        raise DessinError(
            f'A class cannot be called "{label}": folders of that name are parts of a split.',
            do="Choose another name.",
        )
    known = {each.casefold(): each for each in drawings.members}
    if label.casefold() in known:
        raise DessinError(f"There is a class {known[label.casefold()]} already.", do="Choose another name.")
    folder = folder_of(drawings, label, made=made)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    return label


def folder_of(drawings: Drawings, label: str, *, made: bool) -> Path:
    """Where new drawings of a class go.

    Raises:
        DessinError: the labels are in a table, or the class folders lie deeper.
    """
    root = drawings.collection.root
    if made:
        return root / label
    plain = all(image_id.startswith(f"{each}/") for image_id, each in drawings.labels.items())
    if drawings.collection.layout != ClassFolders.name or drawings.collection.group_by or not plain:
        raise DessinError(
            f"The labels of {root} are not simply its folders, so that the studio adds no drawings to it.",
            do="Make a collection here, and drop its drawings there.",
        )
    return root / label / INBOX


@dataclass(frozen=True, eq=False)
class Arrived:
    """A picture that came in: its bytes to keep, what is seen of it, and what it was before it was cut.

    `pixels` (H, W, 3) uint8 are those that will be learnt from; `photograph` is the whole photograph where a
    sheet of paper was found in it, else None.
    """

    data: bytes
    suffix: str
    pixels: Pixels
    photograph: Pixels | None = None


def arrived(data: bytes, suffix: str = "") -> Arrived:
    """A picture as it came, by file or camera; of a photograph of paper the sheet alone.

    Raises:
        DessinError: too large, or no picture.
    """
    if len(data) > MOST_BYTES:
        raise DessinError(
            f"The picture has more than {MOST_BYTES // 2**20} MiB.", do="Make it smaller, and try again."
        )
    decoded = decode(data)
    sheet = page_of(decoded.pixels, "auto")
    if sheet is decoded.pixels:
        own = suffix.lower() if suffix.lower() in IMAGE_SUFFIXES else f".{decoded.format.lower()}"
        return Arrived(data, own, decoded.pixels)
    sheet = shrunk(sheet, _KEPT)
    return Arrived(png_of(sheet), ".png", sheet, decoded.pixels)


def whole(picture: Arrived) -> Arrived:
    """The photograph itself, where its sheet is not wanted."""
    if picture.photograph is None:
        return picture
    pixels = shrunk(picture.photograph, _KEPT)
    return Arrived(png_of(pixels), ".png", pixels)


def png_of(pixels: Pixels) -> bytes:
    """A PNG without anything but its pixels (H, W, 3) uint8."""
    held = BytesIO()
    Image.fromarray(pixels).save(held, format="PNG")
    return held.getvalue()


def keep(folder: Path, picture: Arrived, root: Path, *, stem: str = "", who: str = "") -> str:
    """Put a picture into a class's folder, under a new name; its image id below `root`.

    The name begins with `who` drew it and a number, or is the file's own `stem`, or the time.

    Raises:
        DessinError: it cannot be written.
    """
    who = checked_name(who, "person") if who else ""
    with alone(folder):
        path = _free(folder, picture.suffix, stem, who)
        write_bytes(path, picture.data)
    return nfc(path.relative_to(root).as_posix())


def _free(folder: Path, suffix: str, stem: str, who: str) -> Path:
    taken = {entry.stem.casefold() for entry in folder.iterdir()} if folder.is_dir() else set()
    if who:
        number = 1
        while f"{who}_{number}".casefold() in taken:
            number += 1
        return folder / f"{who}_{number}{suffix}"
    try:
        stem = checked_name(stem, "file") if stem else ""
    except DessinError:
        stem = ""
    if not stem or stem.casefold() in taken:
        moment = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        stem = f"{stem} {moment}" if stem else moment
    return folder / f"{stem}{suffix}"


def is_own(image_id: str, *, made: bool) -> bool:
    """Whether a drawing came in by the studio, so that it may delete it."""
    return made or image_id.split("/")[1:2] == [INBOX]


def drawn_by(image_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The drawings of each person, as names such as `anna_3.png` say it, of those who drew several."""
    found: dict[str, list[str]] = {}
    for image_id in image_ids:
        match = re.fullmatch(r"(.+)_\d+", Path(image_id).stem)
        if match:
            found.setdefault(match[1], []).append(image_id)
    return {who: tuple(ids) for who, ids in sorted(found.items()) if len(ids) > 1}


def delete(root: Path, image_ids: Iterable[str], *, made: bool) -> int:
    """Delete drawings that came in by the studio; how many there were. Others are left as they are."""
    count = 0
    for image_id in image_ids:
        path = image_path(root, image_id)
        if is_own(image_id, made=made) and path.is_file() and not path.is_symlink():
            remove(path)
            count += 1
    return count
