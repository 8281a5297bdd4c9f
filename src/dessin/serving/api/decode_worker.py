"""One decoder in a process of its own, without torch: image bytes in, a model's pixels out.

Frames go over one socket, which is this process's standard input. In: length (4 bytes, big-endian) and an
image's bytes. Out: status (1 byte), length (4 bytes), then the pixels of each fitting, in the order of the
settings, or a reason in UTF-8. The first frame out says that it is ready. It ends when the socket does.
"""

from __future__ import annotations

import resource
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from enum import IntEnum

import psutil

from dessin.images.colour import one_opencv_thread
from dessin.images.decode import NoMemory, TooManyPixels, Unreadable, decode
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec, Interpolation
from dessin.schema import Section

REQUEST = struct.Struct(">I")
REPLY = struct.Struct(">BI")


class Status(IntEnum):
    """What became of an image."""

    READY = 0
    PREPARED = 1
    UNREADABLE = 2
    TOO_MANY_PIXELS = 3
    NO_MEMORY = 4


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
        return Status.PREPARED, b"".join(
            prepare(pixels, fitting.image, fitting.interpolation).tobytes() for fitting in settings.fittings
        )
    except TooManyPixels as error:
        return Status.TOO_MANY_PIXELS, error.reason.encode()
    except (NoMemory, MemoryError):
        return Status.NO_MEMORY, b""
    except Unreadable as error:
        return Status.UNREADABLE, error.reason.encode()
    except Exception as error:  # hostile pixels must not end the worker
        return Status.UNREADABLE, f"it cannot be fitted ({type(error).__name__})".encode()


def main(arguments: Sequence[str]) -> None:
    """Decode until the socket on standard input closes."""
    # Signals meant for the server reach the whole group; what is in flight is finished first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = WorkerSettings.model_validate_json(arguments[0])
    connection = socket.socket(fileno=sys.stdin.fileno())
    with one_opencv_thread(), connection:
        _restrain(settings.memory)
        _send(connection, Status.READY, b"")
        while (header := _receive(connection, REQUEST.size)) is not None:
            (length,) = REQUEST.unpack(header)
            data = _receive(connection, length)
            if data is None:
                return
            _send(connection, *work(data, settings))


def _restrain(memory: int) -> None:
    most = psutil.Process().memory_info().vms + memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # It has no business with files: none can be written, not even a core dump.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _receive(connection: socket.socket, length: int) -> bytes | None:
    """Just so many bytes, or None where the other end has closed."""
    data = bytearray(length)
    view = memoryview(data)
    position = 0
    while position < length:
        count = connection.recv_into(view[position:])
        if not count:
            return None
        position += count
    return bytes(data)


def _send(connection: socket.socket, status: Status, payload: bytes) -> None:
    connection.sendall(REPLY.pack(status, len(payload)) + payload)


if __name__ == "__main__":
    main(sys.argv[1:])
