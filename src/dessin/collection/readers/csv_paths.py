"""Image paths written in a CSV: refused where they are not portable or leave the folder."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dessin.collection.readers.collection import listing
from dessin.collection.readers.walk import nfc
from dessin.errors import DessinError
from dessin.images.paths import image_path


def check_spelling(csv: Path, number: int, path: str) -> str:
    """The path in NFC; a refused one names its row (numbered from 1, without the header)."""
    parts = path.split("/")
    wrong = next(
        (
            reason
            for reason, found in (
                ("is empty", not path),
                ("is absolute", path.startswith("/") or path[1:2] == ":"),
                ("contains a backslash", "\\" in path),
                ("contains a control character", any(unicodedata.category(c) == "Cc" for c in path)),
                ("contains ..", ".." in parts),
                ("contains an empty part or .", "" in parts or "." in parts),
            )
            if found
        ),
        None,
    )
    if wrong:
        raise DessinError(
            f'{csv}, row {number}: the path "{path}" {wrong}.',
            allowed="A path is relative to the images' folder and written with /, such as cat/1.png.",
            do="Correct the row.",
        )
    return nfc(path)


def refuse_repeated(csv: Path, paths: Sequence[str]) -> None:
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise DessinError(
            f"{csv} lists {len(repeated):,} images more than once: {listing(repeated)}.",
            allowed="An image has one row.",
            do="Remove the duplicate rows.",
        )


def check_files(csv: Path, root: Path, image_ids: Sequence[str]) -> None:
    """Raise `DessinError` where an image is missing, or a link leads it out of the root."""
    for folder in {image_id.rpartition("/")[0] for image_id in image_ids} - {""}:
        image_path(root, folder)
    missing = [image_id for image_id in image_ids if not _is_file(root, image_id)]
    if missing:
        raise DessinError(
            f"{csv} lists {len(missing):,} images that {root} does not hold: {listing(missing)}.",
            allowed="Paths are relative to that folder.",
            do="Add the files, or remove their rows.",
        )


def _is_file(root: Path, image_id: str) -> bool:
    """Whether the image is a file inside the root, once its folder is known to be inside."""
    try:
        if stat.S_ISREG(os.lstat(f"{root}/{image_id}").st_mode):
            return True
    except OSError:
        pass
    # A link, or a name that the disk spells otherwise.
    return image_path(root, image_id).is_file()
