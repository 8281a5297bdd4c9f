"""A file, or its beginning, in spite of the network: by Range from where it broke off, checked, begun anew
where the source has changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse

from dessin.errors import DessinError
from dessin.fetch.client import Client
from dessin.fetch.part import Part, Version
from dessin.fetch.trouble import PassingError, Patience
from dessin.progress import track, warn

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_STEP = 2**20


@dataclass(frozen=True)
class Fetched:
    """The first `size` bytes of a file, all of it where `whole`; they lie in the part."""

    version: Version
    size: int
    whole: bool
    sha256: str


def download(client: Client, url: str, part: Part, *, want: int | None = None, label: str = "") -> Fetched:
    """Bring the first `want` bytes of `url` into the part (default: all), going on from what it holds.

    `label` names a bar of progress. A part that holds enough is taken without asking.

    Raises:
        DessinError: the source fails again and again, refuses, or sends more than the client's budget.
    """
    patience = Patience(url, client.manners, client.clock)
    while not _enough(part, url, want):
        try:
            _go_on(client, url, part, want, label)
        except PassingError as trouble:
            if trouble.restart:
                part.discard()
            patience.reached(part.size())
            patience.wait(trouble)
    version = part.version()
    assert version is not None
    size = part.size()
    return Fetched(version, size, whole=size == version.length, sha256=part.sha256())


def _enough(part: Part, url: str, want: int | None) -> bool:
    version, size = part.version(), part.size()
    if version is None or version.url != url:
        return False
    return size == version.length or (want is not None and size >= want)


def _go_on(client: Client, url: str, part: Part, want: int | None, label: str) -> None:
    version = part.version()
    # Bytes can be joined only where the source can say that they are still of one file.
    if version is None or version.url != url or not version.validator:
        part.discard()
        version = None
    have = part.size()
    with client.open(url, _headers(have, want, version)) as reply:
        offer = _read_offer(reply, url, have)
        if version is None or offer.start == 0 or not version.same_as(offer.version):
            _begin_anew(part, version, offer)
        limit = None if want is None else want - offer.start
        sizes = part.append(client.blocks(reply, limit))
        steps = _left(offer, want) // _STEP if label else 0
        for _ in track(_steps(sizes), steps, label):
            pass
    _check_end(part, offer, want)


def _headers(have: int, want: int | None, version: Version | None) -> dict[str, str]:
    if not have and want is None:
        return {}
    headers = {"Range": f"bytes={have}-{'' if want is None else want - 1}"}
    return {**headers, "If-Range": version.validator} if have and version else headers


@dataclass(frozen=True)
class _Offer:
    """What a reply brings: bytes of a version from `start` up to `end`, where that is known."""

    version: Version
    start: int
    end: int | None


def _read_offer(reply: HTTPResponse, url: str, have: int) -> _Offer:
    headers = reply.headers
    if headers.get("Content-Encoding", "identity") != "identity":
        raise DessinError(
            f"{url} comes packed as {headers['Content-Encoding']}, which was not asked for.",
            do="See whether a proxy between this machine and the source changes what is fetched.",
        )
    if reply.status == 416:
        if not have:
            raise DessinError(f"{url} is empty.", do="See what the source says about it.")
        raise PassingError(f"it has no byte {have:,}", restart=True)
    etag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
    if reply.status == 200:
        return _Offer(Version(url=url, etag=etag, modified=modified, length=reply.length), 0, reply.length)
    text = headers.get("Content-Range", "")
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) != have:
        raise PassingError(f'it sent "{text}" where bytes from {have} on were asked for', restart=True)
    length = None if found[3] == "*" else int(found[3])
    return _Offer(Version(url=url, etag=etag, modified=modified, length=length), have, int(found[2]) + 1)


def _begin_anew(part: Part, version: Version | None, offer: _Offer) -> None:
    if version is not None and not version.same_as(offer.version):
        warn(f"{version.url} has changed at the source since the fetch began; it is fetched anew.")
    if offer.start:
        raise PassingError("it sent the rest of another version of the file", restart=True)
    part.begin(offer.version)


def _left(offer: _Offer, want: int | None) -> int:
    known = [end for end in (offer.end, want) if end is not None]
    return min(known) - offer.start if known else 0


def _steps(sizes: Iterable[int]) -> Iterator[None]:
    """One step a mebibyte."""
    done = 0
    for size in sizes:
        done += size
        while done >= _STEP:
            done -= _STEP
            yield


def _check_end(part: Part, offer: _Offer, want: int | None) -> None:
    size, length = part.size(), offer.version.length
    satisfied = want is not None and size >= want
    if length is not None and size > length:
        raise PassingError(f"it sent {size:,} bytes of a file of {length:,}", restart=True)
    if not satisfied and size < max(offer.end or 0, length or 0):
        raise PassingError(
            f"the connection ended after {size:,} of {max(offer.end or 0, length or 0):,} bytes"
        )
    if not satisfied and length is None:
        # Without a length the end of the connection is the end of the file; who reads it checks what it can.
        part.note(offer.version.model_copy(update={"length": size}))
