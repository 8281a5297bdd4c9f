"""A file, or its beginning, in spite of the network: by Range from where it broke off, checked, begun anew
where the source has changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from dessin.errors import DessinError
from dessin.fetch.client import Client, TryAgainError
from dessin.files import sha256_file, write_json
from dessin.progress import track, warn
from dessin.reading import read_json
from dessin.schema import Section, validated
from dessin.system import sync

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_STEP = 2**20


class Version(Section):
    """What tells one state of the source's file from another; `length` in bytes, where it is known."""

    url: str
    etag: str = ""
    modified: str = ""
    length: int | None = None

    @property
    def validator(self) -> str:
        """What If-Range may carry (RFC 9110, section 13.1.5): a strong ETag, else the date, else nothing."""
        strong = self.etag if self.etag.startswith('"') else ""
        return strong or self.modified

    def same_as(self, other: Version) -> bool:
        lengths = None in (self.length, other.length) or self.length == other.length
        return lengths and (self.url, self.etag, self.modified) == (other.url, other.etag, other.modified)


class Origin(Version):
    """A file at the source: `size` bytes of it were fetched, and `sha256` is of these."""

    size: int
    sha256: str
    date: str

    @property
    def whole(self) -> bool:
        return self.size == self.length


class PartialFile:
    """A file on its way, kept at `path` with its version beside it; it survives the death of the process."""

    def __init__(self, path: Path) -> None:
        self.path, self._version = path, path.with_name(path.name + ".version.json")

    def version(self) -> Version | None:
        if not (self.path.is_file() and self._version.is_file()):
            return None
        try:
            return validated(Version, read_json(self._version), str(self._version))
        except DessinError:
            return None

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, version: Version) -> None:
        """Empty the part, then note the version: bytes never lie under a version that is not theirs."""
        self.discard()
        self.note(version)
        self.path.touch()

    def note(self, version: Version) -> None:
        write_json(self._version, version.model_dump())

    def append(self, blocks: Iterable[bytes]) -> Iterator[int]:
        """Write the blocks, yielding the size of each; what came is on the disk however this ends."""
        try:
            with self.path.open("ab") as file:
                try:
                    for block in blocks:
                        file.write(block)
                        file.flush()
                        yield len(block)
                finally:
                    sync(self.path)
        except OSError as error:
            raise DessinError(
                f"{self.path} could not be written: {error.strerror or error}.",
                do="Free some space or check the folder, then run the same command again; it goes on from "
                "there.",
            ) from None

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)


def download(
    client: Client, url: str, part: PartialFile, *, want: int | None = None, label: str = ""
) -> Origin:
    """Bring the first `want` bytes of `url` into the part (default: all), going on from what it holds.

    `label` names a bar of progress. A part that holds enough is taken without asking.

    Raises:
        DessinError: the source fails again and again, refuses, or sends more than the client's budget.
    """
    failures, most = 0, 0
    while (version := _enough(part, url, want)) is None:
        try:
            _go_on(client, url, part, want, label)
        except TryAgainError as trouble:
            if trouble.restart:
                part.discard()
            # A mebibyte more than ever before starts the count of failures anew.
            if part.size() >= most + _STEP:
                failures, most = 0, part.size()
            failures += 1
            client.pause(url, trouble, failures)
    return Origin(
        **version.model_dump(),
        size=part.size(),
        sha256=sha256_file(part.path),
        date=client.now().date().isoformat(),
    )


def _enough(part: PartialFile, url: str, want: int | None) -> Version | None:
    """The version of a part that holds what is wanted."""
    version, size = part.version(), part.size()
    if version is None or version.url != url:
        return None
    return version if size == version.length or (want is not None and size >= want) else None


def _go_on(client: Client, url: str, part: PartialFile, want: int | None, label: str) -> None:
    version = part.version()
    # Bytes can be joined only where the source can say that they are still of one file.
    if version is None or version.url != url or not version.validator:
        part.discard()
        version = None
    have = part.size()
    headers = {"Range": f"bytes={have}-{'' if want is None else want - 1}"} if have or want else {}
    if have and version:
        headers["If-Range"] = version.validator
    with client.open(url, headers) as reply:
        offer = _read_offer(reply, url, have)
        if version is None or offer.start == 0 or not version.same_as(offer.version):
            _begin_anew(part, version, offer)
        sizes = part.append(client.blocks(reply, None if want is None else want - offer.start))
        ends = [end for end in (offer.end, want) if end is not None]
        steps = (min(ends) - offer.start) // _STEP if label and ends else 0
        for _ in track(_steps(sizes), steps, label, unit="MiB"):
            pass
    _check_end(part, offer, want)


@dataclass(frozen=True)
class _Offer:
    """What a reply brings: bytes of a version from `start` up to `end`, where that is known."""

    version: Version
    start: int
    end: int | None


def _read_offer(reply: httpx.Response, url: str, have: int) -> _Offer:
    headers = reply.headers
    if headers.get("Content-Encoding", "identity") != "identity":
        raise DessinError(
            f"{url} comes packed as {headers['Content-Encoding']}, which was not asked for.",
            do="See whether a proxy between this machine and the source changes what is fetched.",
        )
    if reply.status_code == 416:
        if not have:
            raise DessinError(f"{url} is empty.", do="See what the source says about it.")
        raise TryAgainError(f"it has no byte {have:,}", restart=True)
    version = Version(url=url, etag=headers.get("ETag", ""), modified=headers.get("Last-Modified", ""))
    if reply.status_code == 200:
        text = headers.get("Content-Length", "")
        length = int(text) if text.isdecimal() else None
        return _Offer(version.model_copy(update={"length": length}), 0, length)
    text = headers.get("Content-Range", "")
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) != have:
        raise TryAgainError(f'it sent "{text}" where bytes from {have} on were asked for', restart=True)
    length = None if found[3] == "*" else int(found[3])
    return _Offer(version.model_copy(update={"length": length}), have, int(found[2]) + 1)


def _begin_anew(part: PartialFile, version: Version | None, offer: _Offer) -> None:
    if version is not None and not version.same_as(offer.version):
        warn(f"{version.url} has changed at the source since the fetch began; it is fetched anew.")
    if offer.start:
        raise TryAgainError("it sent the rest of another version of the file", restart=True)
    part.begin(offer.version)


def _steps(sizes: Iterable[int]) -> Iterator[None]:
    """One step a mebibyte."""
    done = 0
    for size in sizes:
        done += size
        while done >= _STEP:
            done -= _STEP
            yield


def _check_end(part: PartialFile, offer: _Offer, want: int | None) -> None:
    size, length = part.size(), offer.version.length
    if length is not None and size > length:
        raise TryAgainError(f"it sent {size:,} bytes of a file of {length:,}", restart=True)
    if want is not None and size >= want:
        return
    end = max(offer.end or 0, length or 0)
    if size < end:
        raise TryAgainError(f"the connection ended after {size:,} of {end:,} bytes")
    if length is None:
        # Without a length the end of the connection is the end of the file; who reads it checks what it can.
        part.note(offer.version.model_copy(update={"length": size}))
