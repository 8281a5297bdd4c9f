"""Which image files the API takes, by what the client calls them and by what their first bytes are."""

from __future__ import annotations

from dessin.serving.api.refusal import Refusal

ANY = "application/octet-stream"
KINDS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP"}
ALLOWED = f"PNG, JPEG and WebP are read ({', '.join(KINDS)}, or {ANY})."


def declared_kind(content_type: str | None) -> str:
    """The media type without its parameters, in lower case; a missing one leaves it to the bytes.

    Raises:
        Refusal: 415 for a type that is no image of ours.
    """
    kind = (content_type or ANY).partition(";")[0].strip().lower()
    if kind != ANY and kind not in KINDS:
        raise _unsupported(f"The Content-Type is {kind[:60] or 'empty'}.")
    return kind


def check_kind(data: bytes, declared: str) -> None:
    """Whether the bytes are of the declared kind.

    Raises:
        Refusal: 422 for no bytes at all, 415 for other ones.
    """
    if not data:
        raise Refusal(422, "empty", "The image is empty.", allowed=ALLOWED, do="Send the file's bytes.")
    found = _kind_of(data)
    if found is None:
        raise _unsupported("The bytes are no PNG, JPEG or WebP.")
    if declared not in (ANY, found):
        raise _unsupported(f"The Content-Type is {declared}, and the bytes are {KINDS[found]}.")


def _kind_of(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _unsupported(seen: str) -> Refusal:
    return Refusal(
        415, "media_type", seen, allowed=ALLOWED, do="Send such a file, with the Content-Type that it has."
    )
