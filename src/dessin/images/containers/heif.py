"""HEIF: the pictures of phones (HEIC) and AVIF, by the boxes before them."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dessin.images.containers.base import MAX_PARTS, Container, ContainerError, too_many

_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif"}
_FILMS = {b"avis", b"msf1", b"hevc", b"hevx"}
_FORMATS = {b"hvc1": "HEIF", b"av01": "AVIF"}
# What decoders are shown of a file; other boxes (films, thumbnails of programs) become empty space.
_KEPT = (b"ftyp", b"meta", b"mdat", b"idat", b"free", b"skip")
MAX_TILES = 4096
# Noise takes 70 to 87 ns a pixel to decode (measured). A photograph of 24 million pixels is read.
_MAX_PIXELS = 25_000_000
# EXIF's number for a turn of 0, 90, 180, 270 degrees to the left and then no mirror, top and bottom
# exchanged, or left and right.
_ORIENTATIONS = {None: (1, 8, 3, 6), 0: (4, 5, 2, 7), 1: (2, 7, 4, 5)}
_SEQUENCE_HEADER = 1

Box = tuple[bytes, int, int]


@dataclass
class _Item:
    kind: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)
    parts: tuple[int, ...] = ()
    properties: list[int] = field(default_factory=list)


def can_read_heic() -> bool:
    """Whether the extra that decodes HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def can_read_avif() -> bool:
    """Whether this Pillow was built with AVIF."""
    from PIL import features

    return bool(features.check("avif"))


def is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp"


def read_heif(data: bytes) -> Container:
    """ISO/IEC 14496-12 and 23008-12: the primary picture, a single one or a grid of tiles.

    Every picture that a decoder may enter has its size checked, as the boxes say it and as the coded data
    do. Metadata and films are not handed on: their types are overwritten.
    """
    body = bytearray(data)
    top = list(_boxes(data, 0, len(data)))
    _check_brands(data, top[0])
    for kind, start, _ in top:
        if kind not in _KEPT:
            _blank(body, data, start, kind)
    meta = next((box for box in top if box[0] == b"meta"), None)
    if meta is None:
        raise ContainerError("corrupt (a HEIF without its boxes)")
    inner = {kind: (start, end) for kind, start, end in _boxes(data, meta[1] + 4, meta[2])}
    try:
        items = _items(data, inner, body)
        primary = _primary(data, inner[b"pitm"])
        properties = list(_boxes(data, *_child(data, inner[b"iprp"], b"ipco")))
        _associate(data, _child(data, inner[b"iprp"], b"ipma"), items)
        item = items[primary]
    except KeyError:
        raise ContainerError("corrupt (a HEIF without its boxes)") from None
    shown = [items[i] for i in item.parts if i in items] if item.kind == b"grid" else [item]
    if len(shown) > MAX_TILES:
        raise too_many("HEIF tiles")
    codec = shown[0].kind if shown else b""
    if codec not in _FORMATS:
        raise ContainerError("a HEIF picture of another kind than HEIC and AVIF; save it as JPEG")
    _check_installed(_FORMATS[codec])
    for place in [box for box in properties if box[0] == b"ispe"]:
        _check_size(*_size(data, place))
    width, height = _size(data, _property(properties, item, b"ispe"))
    if sum(_pixels(data, properties, tile) for tile in shown) > 2 * width * height + 2**20:
        raise ContainerError("corrupt (HEIF tiles larger than their picture)")
    if codec == b"av01":
        for coded in items.values():
            if coded.kind == b"av01":
                _check_av1(data, coded, _size(data, _property(properties, coded, b"ispe")))
    angle, mirror = _turn(data, properties, item)
    if codec == b"av01":
        return Container("AVIF", width, height, _ORIENTATIONS[mirror][angle], bytes(body))
    # libheif cuts and turns the picture itself.
    width, height = _clean(data, _property(properties, item, b"clap"), (width, height))
    if angle % 2:
        width, height = height, width
    return Container("HEIF", width, height, 1, bytes(body))


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """(kind, begin, end) of the payload of each box."""
    for _ in range(MAX_PARTS):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            raise ContainerError("truncated")
        yield kind, start + head, start + size
        start += size
    raise too_many("HEIF boxes")


def _child(data: bytes, parent: tuple[int, int], kind: bytes) -> tuple[int, int]:
    return next(((start, end) for found, start, end in _boxes(data, *parent) if found == kind), (0, 0))


def _blank(body: bytearray, data: bytes, start: int, kind: bytes) -> None:
    """The type of a box, which ends where its payload or long size begins, becomes that of empty space."""
    place = start - 4 if data[start - 4 : start] == kind else start - 12
    body[place : place + 4] = b"free"


def _check_brands(data: bytes, first: Box) -> None:
    kind, start, end = first
    brands = {data[place : place + 4] for place in (start, *range(start + 8, min(end, start + 256), 4))}
    if kind != b"ftyp" or not brands & _BRANDS:
        raise ContainerError("a film or sound, not a picture")
    if data[start : start + 4] in _FILMS:
        raise ContainerError("an animated HEIF or AVIF; save one picture of it")


def _check_installed(kind: str) -> None:
    if kind == "HEIF" and not can_read_heic():
        raise ContainerError("a HEIC photograph: install dessin[heic], or let the phone save JPEG")
    if kind == "AVIF" and not can_read_avif():
        raise ContainerError("an AVIF picture, which this Pillow does not read: save it as JPEG or PNG")


def _check_size(width: int, height: int) -> None:
    if width * height > _MAX_PIXELS:
        raise ContainerError(
            f"too large a HEIC or AVIF ({width}x{height}); up to {_MAX_PIXELS // 10**6} million pixels are "
            "read: save it smaller, or as JPEG"
        )


def _items(data: bytes, inner: dict[bytes, tuple[int, int]], body: bytearray) -> dict[int, _Item]:
    """The pictures, by their number, with where their data lie; metadata are blanked in `body`."""
    items: dict[int, _Item] = {}
    start, end = inner[b"iinf"]
    for kind, at, _ in _boxes(data, start + (6 if data[start] == 0 else 8), end):
        if kind != b"infe" or data[at] < 2:
            continue
        wide = data[at] > 2
        (number,) = struct.unpack_from(">I" if wide else ">H", data, at + 4)
        place = at + (10 if wide else 8)
        items[number] = _Item(bytes(data[place : place + 4]))
        if items[number].kind in (b"Exif", b"mime", b"uri "):
            body[place : place + 4] = b"none"
    _locate(data, inner, items)
    start, end = inner.get(b"iref", (0, 0))
    if end:
        wide = data[start] > 0
        for kind, at, _ in _boxes(data, start + 4, end):
            (number,) = struct.unpack_from(">I" if wide else ">H", data, at)
            (count,) = struct.unpack_from(">H", data, at + (4 if wide else 2))
            if kind == b"dimg" and number in items:
                form = f">{count}{'I' if wide else 'H'}"
                items[number].parts = struct.unpack_from(form, data, at + (6 if wide else 4))
    return items


def _locate(data: bytes, inner: dict[bytes, tuple[int, int]], items: dict[int, _Item]) -> None:
    """Box iloc: numbers of 0, 4 or 8 bytes each, and with version 1 offsets into the box idat."""
    place, _ = inner[b"iloc"]
    version, sizes = data[place], (*_halves(data[place + 4]), *_halves(data[place + 5]))
    if version > 2 or any(size not in (0, 4, 8) for size in sizes):
        raise ContainerError("corrupt (HEIF places)")
    offset_size, length_size, base_size, index_size = sizes
    form = ">I" if version == 2 else ">H"
    (count,) = struct.unpack_from(form, data, place + 6)
    place += 6 + struct.calcsize(form)
    left = MAX_PARTS
    for _ in range(count):
        (number,) = struct.unpack_from(form, data, place)
        place += struct.calcsize(form)
        method = 0
        if version:
            method = data[place + 1] & 15
            place += 2
        base = int.from_bytes(data[place + 2 : place + 2 + base_size], "big")
        (extents,) = struct.unpack_from(">H", data, place + 2 + base_size)
        place += 4 + base_size
        left -= 1 + extents
        if left < 0:
            raise too_many("HEIF places")
        if method == 1:
            base += inner.get(b"idat", (0, 0))[0]
        for _ in range(extents):
            place += index_size if version else 0
            offset = int.from_bytes(data[place : place + offset_size], "big")
            length = int.from_bytes(data[place + offset_size : place + offset_size + length_size], "big")
            place += offset_size + length_size
            if base + offset + length > len(data):
                raise ContainerError("truncated")
            if number in items:
                items[number].extents.append((base + offset, length))


def _halves(byte: int) -> tuple[int, int]:
    return byte >> 4, byte & 15


def _primary(data: bytes, box: tuple[int, int]) -> int:
    (number,) = struct.unpack_from(">I" if data[box[0]] else ">H", data, box[0] + 4)
    return int(number)


def _associate(data: bytes, box: tuple[int, int], items: dict[int, _Item]) -> None:
    """Box ipma: the numbers of each picture's properties, from 1."""
    place, _ = box
    form, long = ">I" if data[place] else ">H", data[place + 3] & 1
    (count,) = struct.unpack_from(">I", data, place + 4)
    place += 8
    left = MAX_PARTS
    for _ in range(min(count, MAX_PARTS)):
        (number,) = struct.unpack_from(form, data, place)
        place += struct.calcsize(form)
        several = data[place]
        place += 1
        left -= several
        if left < 0:
            raise too_many("HEIF properties")
        for _ in range(several):
            (index,) = struct.unpack_from(">H" if long else ">B", data, place)
            place += 2 if long else 1
            if number in items:
                items[number].properties.append(index & (0x7FFF if long else 0x7F))


def _property(properties: list[Box], item: _Item, kind: bytes) -> Box | None:
    own = (properties[index - 1] for index in item.properties if 0 < index <= len(properties))
    return next((box for box in own if box[0] == kind), None)


def _size(data: bytes, box: Box | None) -> tuple[int, int]:
    if box is None:
        raise ContainerError("corrupt (a HEIF picture without its size)")
    width, height = struct.unpack_from(">II", data, box[1] + 4)
    return width, height


def _pixels(data: bytes, properties: list[Box], item: _Item) -> int:
    width, height = _size(data, _property(properties, item, b"ispe"))
    return width * height


def _turn(data: bytes, properties: list[Box], item: _Item) -> tuple[int, int | None]:
    """Quarter turns to the left, and the axis of the mirror."""
    turn, mirror = _property(properties, item, b"irot"), _property(properties, item, b"imir")
    return data[turn[1]] & 3 if turn else 0, data[mirror[1]] & 1 if mirror else None


def _clean(data: bytes, box: Box | None, size: tuple[int, int]) -> tuple[int, int]:
    """The size of the part that is shown (box clap, of fractions), of a picture of `size`."""
    if box is None:
        return size
    width, width_of, height, height_of = struct.unpack_from(">IIII", data, box[1])
    if not (width_of and height_of) or width > size[0] * width_of or height > size[1] * height_of:
        raise ContainerError("corrupt (a HEIF shows more than its picture)")
    return width // width_of, height // height_of


def _check_av1(data: bytes, item: _Item, size: tuple[int, int]) -> None:
    """The size in the AV1 sequence header, which is what decoding costs, is that of the box."""
    coded = b"".join(data[start : start + length] for start, length in item.extents)[:1024]
    place = 0
    while True:
        header = coded[place]
        place += 2 if header & 4 else 1
        length = shift = 0
        while True:  # leb128
            byte = coded[place]
            length |= (byte & 127) << shift
            shift, place = shift + 7, place + 1
            if byte < 128:
                break
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            break
        place += length
    if _av1_size(coded[place : place + length]) != size:
        raise ContainerError("corrupt (an AVIF contradicts itself about its size)")


def _av1_size(header: bytes) -> tuple[int, int]:
    """Of a sequence header (AV1, section 5.5.1) without the timing of films."""
    bits = _bits(header)
    bits(4)  # profile, still picture
    if bits(1):
        bits(5)
    else:
        if bits(1):
            raise ContainerError("an AVIF with the timing of a film; save it as JPEG")
        delays = bits(1)
        for _ in range(bits(5) + 1):
            bits(12)
            if bits(5) > 7:
                bits(1)
            if delays and bits(1):
                bits(4)
    across, down = bits(4) + 1, bits(4) + 1
    return bits(across) + 1, bits(down) + 1


def _bits(data: bytes) -> Callable[[int], int]:
    whole, left = int.from_bytes(data, "big"), 8 * len(data)

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise ContainerError("truncated")
        return whole >> left & (1 << count) - 1

    return take
