"""The body of a request: counted while it arrives, given up when it is too large or too slow, and taken
apart into its images."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from dessin.images.containers.heif import is_heif
from dessin.images.containers.tiff import MAGICS
from dessin.serving.api.limits import Admission
from dessin.serving.api.refusal import Refusal

FIELD = "images"
TYPES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/avif", "image/heic")
ANY_TYPE = "application/octet-stream"


@dataclass
class Upload:
    """One image of a batch with the media type that it states."""

    stated: str = ""
    name: str = ""
    pieces: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


class _Parts:
    """What the parser calls; it collects at most `most` parts, and one to know that there are more."""

    def __init__(self, most: int) -> None:
        self.parts: list[Upload] = []
        self.complete = False
        self._most = most
        self._name = self._value = b""

    def on_part_begin(self) -> None:
        if len(self.parts) > self._most:
            raise _too_many(self._most)
        self.parts.append(Upload())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        name, part = self._name.lower(), self.parts[-1]
        if name == b"content-disposition":
            part.name = parse_options_header(self._value)[1].get(b"name", b"").decode("latin-1")
        elif name == b"content-type":
            part.stated = self._value.partition(b";")[0].strip().lower().decode("latin-1")
        self._name = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].pieces.append(data[start:end])

    def on_end(self) -> None:
        self.complete = True


async def read_batch(request: Request, most: int, admission: Admission) -> list[Upload]:
    """The images of a batch in their order, at least one and at most `most`.

    Raises:
        Refusal: as `read_body`; 415 for another type of body, 413 for too many images, 422 for a broken body,
            another field or no image.
    """
    body = await read_body(request, admission.limits.batch_bytes, admission)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != _FORM.encode():
        raise Refusal(
            415,
            "type",
            f'The content type is "{kind.decode("latin-1")[:80]}".',
            allowed="A batch is multipart/form-data.",
            do=f"Send every image as a file of the field {FIELD}.",
        )
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise _broken("it names no boundary")
    found = _Parts(most)
    callbacks = {name: getattr(found, name) for name in dir(found) if name.startswith("on_")}
    try:
        parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _broken(str(error)[:80]) from None
    if not found.complete:
        raise _broken("it ends too early")
    if len(found.parts) > most:
        raise _too_many(most)
    if not found.parts:
        raise Refusal(422, "empty", "There is no image in the batch.", do=f"Send files as {FIELD}.")
    for part in found.parts:
        if part.name != FIELD:
            seen = f'There is a field "{part.name[:80]}".'
            raise Refusal(422, "field", seen, allowed=f"Every part is a file of the field {FIELD}.")
    return found.parts


def _too_many(most: int) -> Refusal:
    allowed = f"A batch has at most {most}."
    return Refusal(
        413, "images", f"There are more than {most} images.", allowed=allowed, do="Send several batches."
    )


def _broken(reason: str) -> Refusal:
    return Refusal(422, "multipart", f"The body is not multipart/form-data: {reason}.")


async def read_image(request: Request, admission: Admission) -> bytes:
    """The body of a request that should be one image; refused as in `read_body` and `check_format`."""
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    check_stated(stated)
    data = await read_body(request, admission.limits.body_bytes, admission)
    check_format(stated, data)
    return data


async def read_body(request: Request, most: int, admission: Admission) -> bytes:
    """The whole body, of at most `most` bytes; the rest of a larger one is not read.

    Raises:
        Refusal: 413 too large, 408 too slow, 429 too much is arriving, 400 a length that is no number.
    """
    length, seconds = request.headers.get("content-length", "0"), admission.limits.body_seconds
    if not length.isdecimal():
        raise Refusal(400, "length", "The Content-Length is not a number.")
    if int(length[:20]) > most:
        raise _too_large(most)
    parts, got = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                admission.arrive(len(part))
                got += len(part)
                if got > most:
                    raise _too_large(most)
                parts.append(part)
    except TimeoutError:
        seen = f"The body did not arrive within {seconds:g} s ({got:,} bytes did)."
        do = "Send a smaller image, or over a faster line."
        raise Refusal(408, "slow_sender", seen, do=do) from None
    finally:
        admission.leave(got)
    return b"".join(parts)


def check_stated(stated: str) -> None:
    """Refuse, with 415, a stated type that no image has; the body need not be read for it."""
    if stated and stated != ANY_TYPE and stated not in TYPES:
        raise _wrong_type(f'The content type is "{stated[:80]}".', _CURES.get(stated, ""))


def check_format(stated: str, data: bytes) -> None:
    """The bytes must be of an allowed format, and of a stated one, else 415; 422 for no bytes at all."""
    if not data:
        raise Refusal(422, "empty", "The body is empty.", do="Send the bytes of one image.")
    found = sniff(data)
    if found is None:
        raise _wrong_type("The bytes are not those of an image of these types.", _CURES[_text_kind(data)])
    # Which of the two a file of boxes is, its first bytes may leave open.
    if stated in TYPES and stated != found and not {stated, found} <= {"image/avif", "image/heic"}:
        raise _wrong_type(f"The content type is {stated}, and the bytes are those of {found}.")


def sniff(data: bytes) -> str | None:
    """The format by the first bytes, as a media type."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith(MAGICS):
        return "image/tiff"
    if is_heif(data):
        return "image/avif" if data[8:12] in (b"avif", b"avis") else "image/heic"
    return None


_FORM, _JSON = "multipart/form-data", "application/json"
_CURES = {
    "": "",
    _FORM: f"The body is the image itself; /v1/predict/batch takes a form, with files of the field {FIELD}.",
    _JSON: "The body is the bytes of the image file themselves, neither JSON nor base64.",
    # What curl says where nobody says anything.
    "application/x-www-form-urlencoded": "With curl: --data-binary @cat.png -H 'Content-Type: image/png'.",
}
# PNG, JPEG, WebP and GIF in base64.
_TEXTS = (b"{", b"[", b'"', b"data:image/", b"iVBORw0KGgo", b"/9j/", b"UklGR", b"R0lGOD")


def _text_kind(data: bytes) -> str:
    """What people send in place of the bytes of an image, as a key of `_CURES`."""
    if data.startswith(b"--") and b"content-disposition" in data[:1024].lower():
        return _FORM
    return _JSON if data.startswith(_TEXTS) else ""


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        "bytes",
        "The body is too large.",
        allowed=f"At most {most / 2**20:g} MiB.",
        do="Send a smaller image; the model looks at a few hundred pixels a side.",
    )


def _wrong_type(seen: str, cure: str = "") -> Refusal:
    return Refusal(
        415,
        "type",
        seen,
        allowed=f"Images are {', '.join(TYPES)}; {ANY_TYPE} is taken for whichever of them it is.",
        do=cure or "Send the bytes of such a file with its content type.",
    )
