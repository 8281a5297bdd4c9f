"""TIFF: the first picture of a file, and a new file with nothing but what draws it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from dessin.images.containers.base import MAX_PARTS, Container, ContainerError, too_many
from dessin.images.containers.jpeg import read_jpeg

MAGICS = (b"II*\0", b"MM\0*")
_KINDS = {1: "B", 3: "H", 4: "I", 7: "B"}  # of values: BYTE, SHORT, LONG, UNDEFINED
(_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _ORIENTATION, _SAMPLES, _ROWS) = (
    *(254, 256, 257, 258, 259, 262, 273, 274, 277, 278),
)
_COUNTS, _PLANAR, _PALETTE, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _FORMAT, _TABLES = (
    *(279, 284, 320, 322, 323, 324, 325, 339, 347),
)
# Bit order, options of fax codes, predictor, extra samples and how colours are halved are handed on as well.
_DRAWS = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS, _PLANAR, _PALETTE, _TILE_WIDTH,
          _TILE_HEIGHT, _TABLES, 266, 292, 293, 317, 338, 530}  # fmt: skip
_PLAIN, _JPEG = 1, 7
# What scanners and editors write: none, fax groups 3 and 4, LZW, JPEG, deflate (two numbers), PackBits.
_COMPRESSIONS = (_PLAIN, 3, 4, 5, _JPEG, 8, 32946, 32773)
_GRAYS_AND_COLOURS = (0, 1, 2, 3, 5, 6)  # white or black is 0, RGB, palette, CMYK, YCbCr
_MANY = {_OFFSETS, _COUNTS, _TILE_OFFSETS, _TILE_COUNTS}
_MAX_VALUES = {_PALETTE: 3 * 2**16, _TABLES: 2**16}
_FEW = 16
# As of PNGs; and what the padding of tiles may add to that.
_MAX_PIXEL_BYTES, _MAX_PADDING = 210_000_000, 16_000_000

Values = tuple[int, ...]


def read_tiff(data: bytes) -> Container:
    """TIFF 6.0 (Adobe 1992), sections 2, 8 and 15, and JPEG by its technical note 2.

    The first directory is read, and of it only the tags that draw; strips or tiles are copied one behind
    the other, so that nothing else of the file is ever entered. JPEG data are checked as JPEGs are.
    """
    order = "<" if data[:2] == b"II" else ">"
    tags = _directory(data, order)
    if _one(tags, _SUBFILE, 0) & 1:
        raise ContainerError("a TIFF that begins with a thumbnail (a camera's raw file?): save it as JPEG")
    width, height = _one(tags, _WIDTH), _one(tags, _HEIGHT)
    compression, samples = _one(tags, _COMPRESSION, _PLAIN), _one(tags, _SAMPLES, 1)
    bits = tags.get(_BITS, (1,))
    if compression not in _COMPRESSIONS:
        raise ContainerError(f"a TIFF of compression {compression}; save it with LZW or none")
    if _one(tags, _PHOTOMETRIC) not in _GRAYS_AND_COLOURS or set(tags.get(_FORMAT, (1,))) != {1}:
        raise ContainerError("a TIFF of other values than gray, RGB, CMYK or a palette; save it as a PNG")
    if len(set(bits)) != 1 or bits[0] not in (1, 2, 4, 8, 16) or len(bits) != samples:
        raise ContainerError(f"a TIFF of {samples} channels of {'/'.join(map(str, bits))} bits")
    planes = samples if _one(tags, _PLANAR, 1) == 2 else 1
    across = samples // planes * bits[0]
    if width <= 0 or height <= 0:
        return Container("TIFF", width, height, 1, b"")
    if bits[0] == 16 and planes * height * _row(width, across) > _MAX_PIXEL_BYTES:
        raise ContainerError(f"too large a TIFF of 16 bits a channel ({width}x{height}); save it with 8 bits")
    parts, sizes = _parts(tags, width, height, planes, across)
    offsets, counts = _places(tags, len(data), parts, sizes if compression == _PLAIN else None)
    pieces: list[bytes | memoryview] = []
    for offset, count in zip(offsets, counts, strict=True):
        if offset + count > len(data):
            raise ContainerError("truncated")
        piece = memoryview(data)[offset : offset + count]
        pieces.append(_jpeg(bytes(piece), sizes, across) if compression == _JPEG else piece)
    orientation = _one(tags, _ORIENTATION, 1)
    drawing = {tag: values for tag, values in tags.items() if tag in _DRAWS}
    body = _written(order, drawing, pieces, tiled=_TILE_WIDTH in tags)
    return Container("TIFF", width, height, orientation if 1 <= orientation <= 8 else 1, body)


def _directory(data: bytes, order: str) -> dict[int, Values]:
    """tag → values of the first directory, of the tags that are looked at."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    wanted = _DRAWS | _MANY | {_SUBFILE, _ORIENTATION, _FORMAT}
    tags: dict[int, Values] = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, place)
        if tag not in wanted or kind not in _KINDS:
            continue
        if number > (MAX_PARTS if tag in _MANY else _MAX_VALUES.get(tag, _FEW)):
            raise too_many("TIFF strips") if tag in _MANY else ContainerError(f"corrupt (TIFF tag {tag})")
        form = f"{order}{number}{_KINDS[kind]}"
        at = place + 8
        if struct.calcsize(form) > 4:
            (at,) = struct.unpack_from(order + "I", data, at)
        tags[tag] = struct.unpack_from(form, data, at)
    return tags


def _one(tags: Mapping[int, Values], tag: int, default: int | None = None) -> int:
    values = tags.get(tag, () if default is None else (default,))
    if not values:
        raise ContainerError(f"corrupt (a TIFF without the tag {tag})")
    return values[0]


def _row(width: int, bits: int) -> int:
    return (width * bits + 7) // 8


def _parts(
    tags: Mapping[int, Values], width: int, height: int, planes: int, across: int
) -> tuple[int, tuple[int, ...]]:
    """How many strips or tiles there are, and of how many bytes the first rows of each plane are."""
    if _TILE_WIDTH in tags:
        tile_width, tile_height = _one(tags, _TILE_WIDTH), _one(tags, _TILE_HEIGHT)
        if not (tile_width and tile_height):
            raise ContainerError("corrupt (TIFF tiles without a size)")
        number = -(-width // tile_width) * -(-height // tile_height)
        size = tile_height * _row(tile_width, across)
        if number > MAX_PARTS:
            raise too_many("TIFF tiles")
        if number * size * planes > planes * height * _row(width, across) * 2 + _MAX_PADDING:
            raise ContainerError(f"too large TIFF tiles ({tile_width}x{tile_height})")
        return number * planes, (size,) * number * planes
    rows = min(_one(tags, _ROWS, height), height)
    if not rows:
        raise ContainerError("corrupt (TIFF strips without rows)")
    number = -(-height // rows)
    if number * planes > MAX_PARTS:
        raise too_many("TIFF strips")
    last = height - (number - 1) * rows
    sizes = tuple(n * _row(width, across) for n in (*(rows,) * (number - 1), last))
    return number * planes, sizes * planes


def _places(
    tags: Mapping[int, Values], length: int, parts: int, plain: Sequence[int] | None
) -> tuple[Sequence[int], Sequence[int]]:
    """Offset and bytes of each part; uncompressed ones are as large as their rows."""
    tiled = _TILE_WIDTH in tags
    offsets = tags.get(_TILE_OFFSETS if tiled else _OFFSETS, ())
    counts = tags.get(_TILE_COUNTS if tiled else _COUNTS, () if plain is None else plain)
    if len(offsets) < parts or len(counts) < parts:
        raise ContainerError("truncated")
    offsets, counts = offsets[:parts], counts[:parts]
    if plain is not None:
        if any(count < size for count, size in zip(counts, plain, strict=True)):
            raise ContainerError("truncated")
        counts = tuple(plain)
    # Parts that lie on one another would make a small file a large one.
    if sum(counts) > length:
        raise ContainerError("corrupt (TIFF strips on one another)")
    return offsets, counts


def _jpeg(piece: bytes, sizes: Sequence[int], across: int) -> bytes:
    if piece[:2] != b"\xff\xd8":
        raise ContainerError("corrupt (a TIFF's JPEG data)")
    found = read_jpeg(piece)
    if not found.whole:
        raise ContainerError("truncated")
    if found.height * _row(found.width, across) > 2 * max(sizes) + _MAX_PADDING // 16:
        raise ContainerError("corrupt (a TIFF's JPEG data are larger than their strip)")
    return found.body


def _written(
    order: str, tags: dict[int, Values], pieces: Sequence[bytes | memoryview], *, tiled: bool
) -> bytes:
    """A file of one directory: the pieces, then values that do not fit into it, then itself."""
    offsets, place = [], 8
    for piece in pieces:
        offsets.append(place)
        place += len(piece)
    tags[_TILE_OFFSETS if tiled else _OFFSETS] = tuple(offsets)
    tags[_TILE_COUNTS if tiled else _COUNTS] = tuple(len(piece) for piece in pieces)
    entries, values = [], b"\0" * (place % 2)
    for tag, numbers in sorted(tags.items()):
        kind = 7 if tag == _TABLES else 3 if max(numbers) < 2**16 else 4
        packed = struct.pack(f"{order}{len(numbers)}{_KINDS[kind]}", *numbers)
        packed += b"\0" * (-len(packed) % 4)
        if len(packed) > 4:
            values, packed = values + packed, struct.pack(order + "I", place + len(values))
        entries.append(struct.pack(order + "HHI", tag, kind, len(numbers)) + packed)
    count = struct.pack(order + "H", len(entries))
    start = MAGICS[order == ">"] + struct.pack(order + "I", place + len(values))
    return b"".join([start, *pieces, values, count, *entries, b"\0" * 4])
