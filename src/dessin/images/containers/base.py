"""A container as its reader gives it, why one is refused, and the EXIF turn."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Chunks and segments are walked one by one in Python, a microsecond each; this many are the largest file
# that is read in chunks of 1 KiB (libpng writes 8 KiB).
MAX_PARTS = 65_536
_ORIENTATION_TAG = 0x0112
# As messages name them.
FORMATS = "PNG, JPEG, WebP, BMP, GIF, TIFF, HEIC and AVIF"


class ContainerError(ValueError):
    """The container is broken or not an accepted one; the message is short enough for a table."""


@dataclass(frozen=True)
class Container:
    """An accepted file: size as stored (before the EXIF turn), EXIF orientation 1..8, bytes to decode.

    `whole` is False for a JPEG that ends before its end mark: rows of pixels may be missing. `animated` says
    that the body holds several frames.
    """

    format: str
    width: int
    height: int
    orientation: int
    body: bytes
    whole: bool = True
    animated: bool = False


def too_many(what: str) -> ContainerError:
    return ContainerError(f"more than {MAX_PARTS:,} {what}")


def exif_orientation(exif: bytes) -> int:
    """The orientation tag of a TIFF-structured EXIF block; 1 (upright) where it is absent or broken."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
