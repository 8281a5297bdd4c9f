"""Where an image lies on disk: the only way from an `image_id` to a file."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

from dessin.errors import DessinError
from dessin.system import leads_out

FOLLOW_LINKS = "DESSIN_FOLLOW_LINKS"


def image_path(root: Path, image_id: str) -> Path:
    """The file of an image id below `root`, with symlinks resolved.

    An id is in NFC; a name that the disk holds in NFD (archives packed on macOS) is found as well. The file
    itself need not exist. A symlink out of `root` is followed where DESSIN_FOLLOW_LINKS=1 in the environment.

    Raises:
        DessinError: the id is absolute, climbs with `..`, or a symlink leads out of `root`.
    """
    relative = PurePosixPath(image_id)
    if not image_id or "\0" in image_id or leads_out(image_id):
        raise _outside(root, image_id)
    path = root / relative
    if not _is_there(path):
        path = _by_parts(root, relative)
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):
        raise DessinError(f'The path of image "{image_id}" below {root} is a loop of symlinks.') from None
    if not resolved.is_relative_to(root.resolve()) and os.environ.get(FOLLOW_LINKS) != "1":
        raise DessinError(
            f'"{image_id}" is a link to something that does not lie inside {root}.',
            allowed=f"Links may lead out of the folder where {FOLLOW_LINKS}=1 allows it.",
            do=f"Set it ({FOLLOW_LINKS}=1 dessin ..), or copy what the links name (cp -rL {root.name} copy).",
        )
    return resolved


def _by_parts(root: Path, relative: PurePosixPath) -> Path:
    path = root
    for part in relative.parts:
        decomposed = path / unicodedata.normalize("NFD", part)
        path = decomposed if _is_there(decomposed) else path / part
    return path


def _is_there(path: Path) -> bool:
    """Whether there is such a file; a name that no disk takes, or that nobody may look at, is none."""
    try:
        return path.exists()
    except OSError:
        return False


def _outside(root: Path, image_id: str) -> DessinError:
    return DessinError(
        f'Image "{image_id}" does not lie inside {root}.',
        allowed="An image id is a relative path, and .. may not lead out of the folder.",
        do="Correct the path, or move the image into the folder.",
    )
