"""The images of a multipart/form-data body, kept in memory: no file is written, and no file name is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dessin.serving.api.refusal import Refusal

FORM = "multipart/form-data"
_DO = "Send each image as a part with a filename, as browsers and curl -F do."


@dataclass
class Part:
    """One part: its bytes and the Content-Type that it gives, None where it gives none."""

    content_type: str | None = None
    data: bytearray = field(default_factory=bytearray)


def read_parts(body: bytes, content_type: str | None, most: int) -> list[Part]:
    """The parts of a form, 1 to `most`.

    Raises:
        Refusal: 415 for another media type, 422 for a broken form or none, 413 for too many parts.
    """
    kind, options = parse_options_header(content_type)
    if kind.decode("latin-1").lower() != FORM:
        raise Refusal(415, "media_type", "The body is no form.", allowed=f"{FORM} is read here.", do=_DO)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, section 5.1.1
        raise _broken("the Content-Type names no boundary")
    collector = _Collector(most)
    parser = MultipartParser(boundary, collector.callbacks())
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise _broken("a part does not begin or end as it should") from None
    if not collector.ended:
        raise _broken("it ends in the middle of a part")
    if not collector.parts:
        raise _broken("it has no parts")
    return collector.parts


class _Collector:
    """What the parser calls while it walks through a body."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.parts: list[Part] = []
        self.ended = False
        self._name = bytearray()
        self._value = bytearray()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == self._most:
            raise Refusal(
                413,
                "too_many_images",
                f"The form has more than {self._most} parts.",
                allowed=f"Up to {self._most} images at once.",
                do="Send them in several requests.",
            )
        self.parts.append(Part())

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def _header(self) -> None:
        if bytes(self._name).lower() == b"content-type":
            self.parts[-1].content_type = self._value.decode("latin-1")
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        self.ended = True


def _broken(how: str) -> Refusal:
    return Refusal(422, "broken_form", f"The form cannot be read: {how}.", do=_DO)
