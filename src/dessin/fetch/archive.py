"""The images in a zip file of class folders, by an allow-list: what was not looked for is not unpacked."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError

# Class folders by WordNet id, with folders above them; no dots, so that no name leads out or is hidden.
_MEMBER = re.compile(r"(?:[A-Za-z0-9_-]{1,64}/){0,3}(n\d{8})/([A-Za-z0-9_-]{1,100}\.(?:JPEG|jpeg|jpg|png))")
LARGEST_IMAGE = 20 * 2**20
_TIGHTEST = 100
_MOST_MEMBERS = 500_000


class DamagedError(Exception):
    """The archive, or an image in it, is not what its own checksums say."""


@dataclass(frozen=True)
class Listing:
    """Per class the images by file name, and how many members were left out for which reason."""

    images: dict[str, dict[str, zipfile.ZipInfo]]
    left_out: Counter[str]


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """
    Raises:
        DamagedError: it is not a zip file, or was cut.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise DamagedError(str(error)) from None
    with archive:
        yield archive


def list_images(archive: zipfile.ZipFile) -> Listing:
    """
    Raises:
        DessinError: it has more members than a collection of drawings would.
    """
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise DessinError(f"The archive has {len(members):,} members.", allowed=f"At most {_MOST_MEMBERS:,}.")
    listing = Listing({}, Counter())
    for member in members:
        if member.is_dir():
            continue
        found, reason = _MEMBER.fullmatch(member.filename), _refused(member)
        if found is None:
            listing.left_out["not an image of a class"] += 1
        elif reason:
            listing.left_out[reason] += 1
        elif listing.images.setdefault(found[1], {}).setdefault(found[2], member) is not member:
            listing.left_out["of the same name as another"] += 1
    return listing


def read_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Its bytes; `zipfile` unpacks no more of them than the directory claims, and compares the checksum.

    Raises:
        DamagedError: they are not what the archive says.
    """
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise DamagedError(f"{member.filename}: {error}") from None


def _refused(member: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    if member.flag_bits & 1:
        return "encrypted"
    if member.file_size > LARGEST_IMAGE or member.file_size > _TIGHTEST * max(member.compress_size, 1):
        return "too large, or packed too tightly for an image"
    return "" if member.file_size else "empty"
