"""A body of multipart/form-data taken apart into its images, in memory and without their file names."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dessin.serving.api.refusal import Refusal

FIELD = "images"


@dataclass
class Part:
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
        self.parts: list[Part] = []
        self.complete = False
        self._most = most
        self._name = self._value = b""

    def on_part_begin(self) -> None:
        if len(self.parts) > self._most:
            raise _too_many(self._most)
        self.parts.append(Part())

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


def split_parts(content_type: str, body: bytes, most: int) -> list[Part]:
    """The images of a batch in their order, at least one and at most `most`.

    Raises:
        Refusal: 415 for another type of body, 413 for too many images, 422 for a broken body, another field
            or no image.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
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
    parts = _Parts(most)
    callbacks = {name: getattr(parts, name) for name in dir(parts) if name.startswith("on_")}
    try:
        parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _broken(str(error)[:80]) from None
    if not parts.complete:
        raise _broken("it ends too early")
    return _checked(parts.parts, most)


def _checked(parts: list[Part], most: int) -> list[Part]:
    if len(parts) > most:
        raise _too_many(most)
    if not parts:
        raise Refusal(422, "empty", "There is no image in the batch.", do=f"Send files as {FIELD}.")
    strange = [part.name for part in parts if part.name != FIELD]
    if strange:
        raise Refusal(
            422,
            "field",
            f'There is a field "{strange[0][:80]}".',
            allowed=f"Every part is a file of the field {FIELD}.",
        )
    return parts


def _too_many(most: int) -> Refusal:
    return Refusal(
        413,
        "images",
        f"There are more than {most} images.",
        allowed=f"A batch has at most {most}.",
        do="Send several batches.",
    )


def _broken(reason: str) -> Refusal:
    return Refusal(422, "multipart", f"The body is not multipart/form-data: {reason}.")
