"""Safe decoding: the bytes of an image file to opaque RGB pixels, or a short reason why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from dessin.errors import DessinError
from dessin.images.containers.base import FORMATS, Container, ContainerError
from dessin.images.containers.png import holds_all_pixels
from dessin.images.containers.read import read_container
from dessin.images.ground import Ground, Pixels, on_a_ground
from dessin.images.last_rows import end_is_made_up, holds_all_rows
from dessin.system import READING

MAX_PIXELS = 40_000_000
# What JPEG and GIF can say; a longer side costs Pillow a pointer a row, and every caller margins.
MAX_SIDE = 65_535
MAX_BYTES = 64 * 2**20

# Image.open checks against Pillow's own limit and warns; a lower cap of ours keeps it silent.
_PILLOW_LIMIT = Image.MAX_IMAGE_PIXELS or MAX_PIXELS
# The turns of EXIF's orientations on (H, W, 3).
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}


class Unreadable(DessinError):  # noqa: N818 (a state of a file, as the tables call it)
    """An image file that cannot be decoded; `reason` is short enough for a table row."""

    def __init__(self, reason: str, *, name: str = "") -> None:
        self.reason = reason
        super().__init__(
            f"{name or 'The image'} cannot be read: {reason}.",
            allowed=f"{FORMATS} are read, up to {MAX_PIXELS // 10**6} million pixels.",
        )


class TooManyPixels(Unreadable):
    """An image with more pixels than are wanted; it may be a good one."""


class NoMemory(Unreadable):
    """Decoding took more memory than there is."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself: size after the EXIF turn, Pillow mode of the file, format."""

    width: int
    height: int
    mode: str
    format: str


@dataclass(frozen=True, eq=False)
class Decoded(Header):
    """A file's header with its pixels (H, W, 3) uint8 RGB, EXIF-turned and read-only.

    `ground` is what a transparent picture was laid on (see `ground`), None where nothing is transparent.
    `truncated` is True for a JPEG without its last bytes whose rows of pixels are all there.
    """

    pixels: Pixels
    ground: Ground | None = None
    truncated: bool = False


def read_header(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Size, mode and format, without decoding a pixel.

    Raises:
        Unreadable: another format, a broken file, or more than `max_pixels`.
    """
    container = _checked(data, max_pixels)
    with _refusing():
        mode = _mode(container)
    width, height = container.width, container.height
    if container.orientation >= 5:
        width, height = height, width
    return Header(width, height, mode, container.format)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode one image (of an animation, the first).

    Raises:
        Unreadable: another format, a broken or truncated file, or more than `max_pixels`.
    """
    container = _checked(data, max_pixels)
    with _refusing():
        mode, pixels, ground = _drawn(container)
    if container.orientation in _TURNS:
        pixels = np.ascontiguousarray(_TURNS[container.orientation](pixels))
    pixels.flags.writeable = False
    height, width = pixels.shape[:2]
    return Decoded(width, height, mode, container.format, pixels, ground, not container.whole)


def read_image_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `max_bytes`.

    Raises:
        Unreadable: missing, not a regular file, no permission, or too large.
    """
    try:
        handle = os.open(path, READING)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file", name=str(path))
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise Unreadable("there is no such file", name=str(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(reason[:1].lower() + reason[1:], name=str(path)) from None
    if len(data) > max_bytes:
        raise Unreadable(f"larger than {max_bytes / 2**20:.0f} MiB", name=str(path))
    return data


def _checked(data: bytes, max_pixels: int) -> Container:
    try:
        container = read_container(data)
    except ContainerError as error:
        raise Unreadable(str(error)) from None
    width, height = container.width, container.height
    if width <= 0 or height <= 0:
        raise Unreadable("zero-size image")
    most = min(max_pixels, _PILLOW_LIMIT)
    if width * height > most:
        millions = width * height / 10**6
        seen = f"{millions:,.0f}" if millions >= 100 else f"{millions:.4g}"
        raise TooManyPixels(
            f"{seen} million pixels ({width}x{height}); up to {most / 10**6:g} million are read: "
            "save it smaller, for example at 300 dpi"
        )
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels(f"a side too long ({width}x{height}); up to {MAX_SIDE:,} pixels are read")
    return container


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever goes wrong inside the block is `Unreadable`."""
    try:
        yield
    except Unreadable:
        raise
    except MemoryError:
        raise NoMemory("not enough memory") from None
    except Exception as error:  # decoders raise almost any type on hostile bytes
        raise Unreadable(_reason(error)) from None


def _open(container: Container) -> Image.Image:
    if container.format == "HEIF":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    image = Image.open(BytesIO(container.body), formats=(container.format,))
    if image.size != (container.width, container.height):
        raise Unreadable("corrupt (the header contradicts itself)")
    return image


def _mode(container: Container) -> str:
    with _open(container) as image:
        return image.mode


def _drawn(container: Container) -> tuple[str, Pixels, Ground | None]:
    """Mode, pixels before the EXIF turn, and ground."""
    if not (container.whole or holds_all_rows(container.body)):
        raise Unreadable("truncated")
    if container.format == "PNG" and not holds_all_pixels(container.body):
        raise Unreadable("truncated or corrupt pixel data")
    if container.format == "WEBP" and not container.animated:
        return _mode(container), *on_a_ground(_still_webp(container))
    mode, pixels, ground = _by_pillow(container)
    if container.format == "JPEG" and container.whole and end_is_made_up(container.body, pixels):
        raise Unreadable("truncated")
    return mode, pixels, ground


def _by_pillow(container: Container) -> tuple[str, Pixels, Ground | None]:
    with _open(container) as image:
        mode = image.mode
        image.load()
        return mode, *on_a_ground(image)


def _still_webp(container: Container) -> Image.Image:
    """A WebP without Pillow's decoder, which is made for animations and holds five pictures of its size."""
    found = cv2.imdecode(np.frombuffer(container.body, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.shape[:2] != (container.height, container.width):
        raise Unreadable("truncated or corrupt pixel data")
    cv2.cvtColor(found, cv2.COLOR_BGRA2RGBA if found.shape[2] == 4 else cv2.COLOR_BGR2RGB, found)
    # RGBA is looked at where it lies, without a copy.
    return Image.frombuffer("RGBA" if found.shape[2] == 4 else "RGB", found.shape[1::-1], found)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    if isinstance(error, UnidentifiedImageError) or not text:
        return "corrupt"
    return f"corrupt ({text[:80]})"
