"""JPEG: its segments and scans, from the first marker to the last."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from dessin.images.containers.base import MAX_PARTS, Container, ContainerError, exif_orientation, too_many

_END = b"\xff\xd9"
_EOI, _SOS = 0xD9, 0xDA
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)  # with Huffman codes
_ARITHMETIC = 0xC9  # and above
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
# JFIF and Adobe say how colours are stored; every other application segment is metadata.
_METADATA = (set(range(0xE1, 0xF0)) - {0xEE}) | {0xFE}

# Encoders write up to 18 scans; libjpeg-turbo advises to stop after some hundred.
MAX_SCANS = 100
# Each scan of a JPEG of several can walk all its samples, however few bytes it has (0.2 ns a sample), and it
# takes 30 ns a byte: 18 scans of 40 million CMYK pixels, or 40 MiB, are a second or so.
_MAX_SCANNED = 3_000_000_000
_MAX_SCANNED_BYTES = 40 * 2**20
# Arithmetic codes, which no browser reads, take ten times as long a byte.
_MAX_ARITHMETIC_BYTES = 8 * 2**20
# It is held as coefficients, 2 bytes a sample, beside Pillow's 4 bytes a pixel and the file twice.
_MAX_MEMORY = 480 * 2**20


@dataclass(frozen=True)
class Frame:
    """What a frame header says: its marker, the height's place in the file, the components' sampling."""

    marker: int
    place: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]

    @property
    def unit(self) -> tuple[int, int]:
        """Height and width in pixels of what is coded together, one after the other from the top left."""
        if len(self.sampling) == 1:
            return 8, 8
        return 8 * max(down for _, down in self.sampling), 8 * max(across for across, _ in self.sampling)

    @property
    def samples(self) -> int:
        """Of all components, with the padding to whole units."""
        height, width = self.unit
        units = -(-self.height // height) * -(-self.width // width)
        return 64 * units * (1 if len(self.sampling) == 1 else sum(a * d for a, d in self.sampling))


def read_jpeg(data: bytes) -> Container:
    """ITU-T T.81, annex B. Metadata are not handed on, nor what follows the end mark.

    The entropy-coded data are walked for markers only, so that the scans are known before one is decoded.
    """
    kept, exif, frame, position = [data[:2]], b"", None, 2
    for _ in range(MAX_PARTS):
        if data[position] != 0xFF:
            raise ContainerError("corrupt (no JPEG marker where one must be)")
        while data[position + 1] == 0xFF:  # fill bytes
            position += 1
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + length
        if end > len(data):
            raise ContainerError("truncated")
        if marker in _FRAMES:
            if frame is not None:
                raise ContainerError("corrupt (two JPEG frame headers)")
            frame = _frame(data, position)
        if marker == _SOS:
            break
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0" and not exif:
            exif = data[position + 10 : end]
        if marker not in _METADATA:
            kept.append(data[position:end])
        position = end
    else:
        raise too_many("JPEG segments")
    if frame is None:
        raise ContainerError("corrupt (a JPEG scan without a frame header)")
    scans, end = _scans(data, position)
    if scans > 1 or frame.marker not in _SEQUENTIAL:
        _check_cost(frame, scans, len(data))
    body = b"".join([*kept, memoryview(data)[position : end or None], b"" if end else _END])
    return Container("JPEG", frame.width, frame.height, exif_orientation(exif), body, whole=bool(end))


def _frame(data: bytes, position: int) -> Frame:
    height, width, count = struct.unpack_from(">HHB", data, position + 5)
    factors = [data[position + 11 + 3 * number] for number in range(count)]
    sampling = tuple((max(1, factor >> 4), max(1, factor & 15)) for factor in factors)
    return Frame(data[position + 1], position + 5, width, height, sampling or ((1, 1),))


def _scans(data: bytes, position: int) -> tuple[int, int]:
    """How many scans there are from the first one on, and where the end mark ends; 0 without one."""
    count = 0
    for _ in range(MAX_PARTS):
        marker = data[position + 1]
        if marker == _EOI:
            return count, position + 2
        count += marker == _SOS
        if count > MAX_SCANS:
            raise ContainerError(f"more than {MAX_SCANS} JPEG scans")
        if marker in _ALONE:
            position += 2
        elif position + 4 <= len(data):
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        else:
            return count, 0
        position = _next_marker(data, position)
        if position < 0:
            return count, 0
    raise too_many("JPEG segments")


def _next_marker(data: bytes, start: int) -> int:
    """Where the next marker begins that ends entropy-coded data: no stuffed byte, fill or restart; or -1."""
    step = 2**12
    while start < len(data) - 1:
        part = np.frombuffer(data, np.uint8, min(step + 1, len(data) - start), start)
        places = np.flatnonzero(part[:-1] == 0xFF)
        after = part[places + 1]
        ends = np.flatnonzero((after != 0) & (after != 0xFF) & ((after & 0xF8) != 0xD0))
        if len(ends):
            return start + int(places[ends[0]])
        start, step = start + len(part) - 1, min(2 * step, 2**20)
    return -1


def _check_cost(frame: Frame, scans: int, size: int) -> None:
    if frame.marker >= _ARITHMETIC and size > _MAX_ARITHMETIC_BYTES:
        raise ContainerError(f"too large a JPEG of arithmetic codes ({size / 2**20:.0f} MiB)")
    memory = 2 * frame.samples + 4 * frame.width * frame.height + 2 * size
    if max(scans, 1) * frame.samples > _MAX_SCANNED or size > _MAX_SCANNED_BYTES or memory > _MAX_MEMORY:
        raise ContainerError(
            f"too costly a progressive JPEG ({scans} scans, {frame.width}x{frame.height}, "
            f"{size / 2**20:.0f} MiB); save it smaller, or not progressive"
        )


EXTRA_UNITS = 3


def with_extra_rows(body: bytes) -> tuple[bytes, Frame] | None:
    """A JPEG of one scan of Huffman codes made higher by `EXTRA_UNITS` rows of units, without data for them.

    None for another kind of JPEG, or where it would be too high.
    """
    position = 2
    frame = None
    while body[position + 1] != _SOS:
        if body[position + 1] in _FRAMES:
            frame = _frame(body, position)
        position += 2 + int.from_bytes(body[position + 2 : position + 4], "big")
    assert frame is not None
    scans, _ = _scans(body, position)
    if scans > 1 or frame.marker not in _SEQUENTIAL or body[position + 4] != len(frame.sampling):
        return None
    unit = frame.unit[0]
    height = (-(-frame.height // unit) + EXTRA_UNITS) * unit
    if height > 65_500:  # libjpeg's largest
        return None
    higher = bytearray(body)
    struct.pack_into(">H", higher, frame.place, height)
    return bytes(higher), frame
