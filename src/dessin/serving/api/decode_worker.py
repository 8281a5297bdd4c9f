"""One decoder in a process of its own, without torch: image bytes in, a model's pixels out.

Frames in, on standard input: length (4 bytes, big-endian) and an image's bytes. Out, on standard output:
status (1 byte), length (4 bytes), then the pixels of each fitting, in the order of the settings, or a reason
in UTF-8. The first frame out says that it is ready, and what this system does not bound; an empty frame in
asks whether it still is. It ends with its input.
"""

from __future__ import annotations

import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import BinaryIO

from dessin.images.colour import one_opencv_thread
from dessin.images.decode import NoMemory, TooManyPixels, Unreadable, decode
from dessin.images.fit import prepare_for
from dessin.images.spec import ImageSpec, Interpolation
from dessin.schema import Section
from dessin.system import restrain

REQUEST = struct.Struct(">I")
REPLY = struct.Struct(">BI")


class Status(IntEnum):
    """What became of an image."""

    READY = 0
    PREPARED = 1
    UNREADABLE = 2
    TOO_MANY_PIXELS = 3
    NO_MEMORY = 4
    PAGE_FOUND = 5
    PAGE_NOT_FOUND = 6


# What is prepared, and whether a sheet of paper was found in it; None where none was looked for.
PAGES: Mapping[Status, bool | None] = {
    Status.PREPARED: None,
    Status.PAGE_FOUND: True,
    Status.PAGE_NOT_FOUND: False,
}


class FittingSetting(Section):
    """One way of fitting an image into a model's square."""

    image: ImageSpec
    interpolation: Interpolation


class WorkerSettings(Section):
    """`pixels` is the largest image; `memory` bytes may be taken beyond what the process starts with."""

    fittings: tuple[FittingSetting, ...]
    pixels: int
    memory: int


def work(data: bytes, settings: WorkerSettings) -> tuple[Status, bytes]:
    """The status and the payload for one image; nothing is raised, whatever the bytes are."""
    try:
        pixels = decode(data, max_pixels=settings.pixels).pixels
        prepared = prepare_for(pixels, [(each.image, each.interpolation) for each in settings.fittings])
        status = next(status for status, page in PAGES.items() if page is prepared.page)
        return status, b"".join(square.tobytes() for square in prepared.squares.values())
    except TooManyPixels as error:
        return Status.TOO_MANY_PIXELS, error.reason.encode()
    except (NoMemory, MemoryError):
        return Status.NO_MEMORY, b""
    except Unreadable as error:
        return Status.UNREADABLE, error.reason.encode()
    except Exception as error:  # hostile pixels must not end the worker
        return Status.UNREADABLE, f"it cannot be fitted ({type(error).__name__})".encode()


def main(arguments: Sequence[str]) -> None:
    """Decode until standard input closes."""
    # Signals meant for the server reach the whole group; what is in flight is finished first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = WorkerSettings.model_validate_json(arguments[0])
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    with one_opencv_thread():
        _send(replies, Status.READY, restrain(settings.memory).encode())
        while len(header := requests.read(REQUEST.size)) == REQUEST.size:
            (length,) = REQUEST.unpack(header)
            data = requests.read(length)
            if len(data) < length:
                return
            _send(replies, *(work(data, settings) if data else (Status.READY, b"")))


def _send(replies: BinaryIO, status: Status, payload: bytes) -> None:
    replies.write(REPLY.pack(status, len(payload)) + payload)
    replies.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
