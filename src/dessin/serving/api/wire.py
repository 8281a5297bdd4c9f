"""What passes between the server and a decoding process: a byte, a length, and bytes; nothing is unpickled."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

from pydantic import BaseModel

from dessin.images.spec import ImageSpec, Interpolation

# A verdict (0 in what is sent to the process) and the length of the bytes that follow.
HEAD = struct.Struct("!BI")


class Verdict(IntEnum):
    """What a decoding process says; `PREPARED` is followed by pixels, the others by a reason in UTF-8."""

    READY = 0
    PREPARED = 1
    UNREADABLE = 2
    TOO_MANY_PIXELS = 3
    NO_MEMORY = 4


class Order(BaseModel):
    """What a decoding process is started with; `fittings` are those of the runtime."""

    fittings: tuple[tuple[ImageSpec, Interpolation], ...]
    pixels: int
    memory_bytes: int


def picture_shapes(fittings: Sequence[tuple[ImageSpec, Interpolation]]) -> list[tuple[int, int, int]]:
    """(channels, S, S) of the pictures that follow `PREPARED`, in their order, one byte a value."""
    return [(spec.channels, spec.size, spec.size) for spec, _ in fittings]
