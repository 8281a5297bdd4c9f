"""The body of a request: counted while it arrives, given up when it is too large or too slow."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from dessin.serving.api.admission import Admission
from dessin.serving.api.limits import Limits
from dessin.serving.api.refusal import Refusal

TYPES = ("image/png", "image/jpeg", "image/webp")
ANY_TYPE = "application/octet-stream"


async def read_body(request: Request, most: int, limits: Limits, admission: Admission) -> bytes:
    """The whole body, of at most `most` bytes; the rest of a larger one is not read.

    Raises:
        Refusal: 413 too large, 408 too slow, 429 too much is arriving, 400 a length that is no number.
    """
    if _stated_length(request) > most:
        raise _too_large(most)
    parts, got = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                admission.arrive(len(part))
                got += len(part)
                if got > most:
                    raise _too_large(most)
                parts.append(part)
    except TimeoutError:
        raise Refusal(
            408,
            "slow_sender",
            f"The body did not arrive within {limits.body_seconds:g} s ({got:,} bytes did).",
            do="Send a smaller image, or over a faster line.",
        ) from None
    finally:
        admission.leave(got)
    return b"".join(parts)


def media_type(request: Request) -> str:
    """The type that the request states, without its parameters, in lower case; empty where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_stated(stated: str) -> None:
    """Refuse a stated type that no image has, before the body is read.

    Raises:
        Refusal: 415.
    """
    if stated and stated != ANY_TYPE and stated not in TYPES:
        raise _wrong_type(f'The content type is "{stated[:80]}".')


def check_format(stated: str, data: bytes) -> None:
    """The bytes must be of an allowed format, and of the one that was stated, if one was.

    Raises:
        Refusal: 415; 422 for no bytes at all.
    """
    if not data:
        raise Refusal(422, "empty", "The body is empty.", do="Send the bytes of one image.")
    found = sniff(data)
    if found is None:
        raise _wrong_type("The bytes are not those of a PNG, JPEG or WebP image.")
    if stated in TYPES and stated != found:
        raise _wrong_type(f"The content type is {stated}, and the bytes are those of {found}.")


def sniff(data: bytes) -> str | None:
    """The format by the first bytes, as a media type."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _stated_length(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    if not text.isdecimal():
        raise Refusal(400, "length", "The Content-Length is not a number.")
    return int(text[:20])


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        "bytes",
        "The body is too large.",
        allowed=f"At most {most / 2**20:g} MiB.",
        do="Send a smaller image; the model looks at a few hundred pixels a side.",
    )


def _wrong_type(seen: str) -> Refusal:
    return Refusal(
        415,
        "type",
        seen,
        allowed=f"Images are {', '.join(TYPES)}; {ANY_TYPE} is taken for whichever of them it is.",
        do="Send the bytes of such a file with its content type.",
    )
