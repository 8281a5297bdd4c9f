"""ImageNet-Sketch (Wang et al. 2019): one large zip file, of which the wanted classes are unpacked.

By an allow-list: what was not looked for is not unpacked.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError
from dessin.fetch.client import AGAIN, Client
from dessin.fetch.download import PartialFile, download
from dessin.fetch.record import Ledger
from dessin.fetch.sources import Source, sample
from dessin.progress import say, track, warn

SAMPLING = "a seeded sample of each class's images, bytes as they are in the archive"
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


def fetch_sketch(ledger: Ledger, client: Client, source: Source, labels: Sequence[str], parts: Path) -> None:
    """Fetch the archive if a class is missing, and unpack the classes that are.

    Raises:
        DessinError: the archive lacks a class or is damaged, or the network does not let it.
    """
    missing = [label for label in labels if not ledger.done(label)]
    if not missing:
        return
    part = PartialFile(parts / "archive.zip")
    origin = download(client, source.address, part, label=source.title)
    say(f"{source.title}: {origin.size:,} bytes, sha256 {origin.sha256}")
    try:
        with open_archive(part.path) as archive:
            listing = list_images(archive)
            _check_listing(ledger, listing, missing, source)
            for label in track(missing, len(missing), source.title, unit="classes"):
                members = listing.images[label]
                chosen = sample(
                    sorted(members), ledger.record.per_class, label=label, seed=ledger.record.seed
                )
                images = {name: read_image(archive, members[name]) for name in chosen}
                ledger.write_class(label, images, pool=len(members), left_out=Counter(), origin=origin)
    except DamagedError as damage:
        part.discard()
        raise DessinError(
            f"The archive from {source.address} is damaged ({damage}); it was removed.", do=AGAIN
        ) from None


def _check_listing(ledger: Ledger, listing: Listing, labels: Sequence[str], source: Source) -> None:
    absent = [label for label in labels if label not in listing.images]
    if absent:
        raise DessinError(
            f"{source.title} as served today has no images of {len(absent):,} classes, such as {absent[0]}.",
            allowed=f"It has {len(listing.images):,} classes.",
            do="Leave these classes out with --classes.",
        )
    if listing.left_out:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(listing.left_out.items()))
        warn(f"Members of the archive were left out: {reasons}.")
        ledger.note_left_out(dict(sorted(listing.left_out.items())))


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
