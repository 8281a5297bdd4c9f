"""The page that is drawn on: paper, pen, placement and the kind of file, planned first and then rendered."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dessin.doodles.dice import Dice
from dessin.doodles.strokes import Shape, Stroke, extent

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
FileMode = Literal["L", "RGB", "RGBA", "P"]

_FINER = 2
_SUBPIXEL_BITS = 4
_GRAIN = 96
_FORMATS: dict[str, tuple[str, dict[str, int]]] = {
    ".jpg": ("JPEG", {"quality": 88}),
    ".png": ("PNG", {"compress_level": 3}),
    ".webp": ("WEBP", {"quality": 85, "method": 2}),
    ".bmp": ("BMP", {}),
}
_PENS: tuple[tuple[Colour, bool], ...] = (
    ((20, 20, 22), False),
    ((20, 20, 22), False),
    ((40, 38, 40), False),
    ((70, 70, 74), True),
    ((95, 95, 98), True),
    ((30, 50, 140), False),
    ((150, 40, 40), False),
    ((40, 95, 60), False),
    ((110, 70, 40), True),
)
_PAPERS: tuple[Colour, ...] = (
    (255, 255, 255),
    (255, 255, 255),
    (255, 255, 255),
    (252, 250, 244),
    (244, 238, 224),
    (232, 232, 230),
    (225, 231, 238),
)
_FILES: tuple[tuple[str, FileMode], ...] = (
    *(((".jpg", "RGB"),) * 5),
    *(((".jpg", "L"),) * 3),
    *(((".png", "RGB"),) * 4),
    *(((".png", "L"),) * 4),
    *(((".png", "RGBA"),) * 2),
    (".png", "P"),
    (".webp", "RGB"),
)


@dataclass(frozen=True)
class Page:
    """Sizes in pixels; `strength` is how dark the ink is (0..1), `shade` how much darker the far side is."""

    width: int
    height: int
    paper: Colour
    ink: Colour
    pen: float
    strength: float
    grainy: bool
    shade: float
    suffix: str
    mode: FileMode


def plan_page(dice: Dice) -> Page:
    """A page of 200 to 800 pixels a side in one of the usual kinds of file."""
    long = int(200 * 4 ** dice.between(0.0, 1.0))
    short = max(200, int(long * dice.between(0.62, 1.0)))
    wide = dice.chance(0.55)
    ink, grainy = dice.pick(_PENS)
    suffix, mode = dice.pick(_FILES)
    return Page(
        width=long if wide else short,
        height=short if wide else long,
        paper=dice.pick(_PAPERS) if mode != "RGBA" else (255, 255, 255),
        ink=ink,
        pen=max(1.2, short * dice.between(0.004, 0.017)),
        strength=dice.between(0.75, 1.0),
        grainy=grainy,
        shade=dice.between(0.03, 0.12) if dice.chance(0.15) and mode in ("L", "RGB") else 0.0,
        suffix=suffix,
        mode=mode,
    )


def faint_page(page: Page) -> Page:
    """The same page with a pen that hardly leaves a mark."""
    paper, ink = (250, 250, 250), (226, 226, 226)
    return replace(page, paper=paper, ink=ink, strength=1.0, grainy=False, shade=0.0, suffix=".png", mode="L")


def place(shape: Shape, page: Page, area: tuple[float, float, float, float], dice: Dice) -> Shape:
    """The shape in pixels, inside `area` (left, top, right, bottom as shares of the page)."""
    low, high = extent(shape)
    left, top, right, bottom = area
    room = np.array([(right - left) * page.width, (bottom - top) * page.height])
    scale = float((room / np.maximum(high - low, 0.2)).min()) * dice.between(0.62, 0.92)
    free = room - scale * (high - low)
    slack = 0.5 + 0.8 * (dice.many(2) - 0.5)
    corner = np.array([left * page.width, top * page.height]) + free * slack
    return tuple(Stroke((s.points - low) * scale + corner, s.fill, s.essential) for s in shape)


def render(shape: Shape, page: Page, dice: Dice) -> NDArray[np.float32]:
    """How much ink lies on each pixel, (height, width) float32 from 0 to 1, antialiased."""
    canvas = np.zeros((page.height * _FINER, page.width * _FINER), dtype=np.uint8)
    width = max(1, round(page.pen * _FINER))
    for stroke in shape:
        # The shift of OpenCV's drawing calls: coordinates in sixteenths of a pixel.
        points = np.round(stroke.points * (_FINER * 2**_SUBPIXEL_BITS)).astype(np.int32)
        if stroke.fill != "none":
            inside = 0 if stroke.fill == "paper" else 255
            cv2.fillPoly(canvas, [points], inside, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.polylines(canvas, [points], stroke.fill != "none", 255, width, cv2.LINE_AA, _SUBPIXEL_BITS)
    ink: NDArray[np.float32]
    ink = cv2.resize(canvas, (page.width, page.height), interpolation=cv2.INTER_AREA).astype(np.float32)
    ink *= page.strength / 255.0
    if page.grainy:
        tile = 1.0 - 0.55 * dice.many(_GRAIN * _GRAIN).reshape(_GRAIN, _GRAIN).astype(np.float32)
        repeats = (page.height // _GRAIN + 1, page.width // _GRAIN + 1)
        ink *= np.tile(tile, repeats)[: page.height, : page.width]
    return ink


def encode(ink: NDArray[np.float32], page: Page) -> bytes:
    """The page as a file of its kind; a transparent one holds the ink alone, over black."""
    if page.mode == "RGBA":
        layers = np.zeros((page.height, page.width, 4), dtype=np.uint8)
        layers[..., 3] = np.round(ink * 255.0)
        layers[layers[..., 3] > 0, :3] = page.ink
        return _file(Image.fromarray(layers), page.suffix)
    paper = np.array(page.paper, dtype=np.float32)
    pixels = paper + ink[..., None] * (np.array(page.ink, dtype=np.float32) - paper)
    if page.shade:
        pixels *= np.linspace(1.0, 1.0 - page.shade, page.width, dtype=np.float32)[None, :, None]
    image = Image.fromarray(np.round(pixels).astype(np.uint8))
    if page.mode == "P":
        image = image.quantize(32, dither=Image.Dither.NONE)
    elif page.mode == "L":
        image = image.convert("L")
    return _file(image, page.suffix)


def encode_pixels(pixels: Pixels, suffix: str) -> bytes:
    """(H, W, 3) uint8 as a file of this suffix (.png and .bmp keep every pixel)."""
    return _file(Image.fromarray(pixels), suffix)


def _file(image: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    kind, options = _FORMATS[suffix]
    image.save(buffer, kind, **options)
    return buffer.getvalue()
