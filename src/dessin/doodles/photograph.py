"""A photograph of a drawing: its sheet on a desk, under some lamp, seen by a phone that is held by hand.

What belongs to the sheet (paper, ruling, margins) depends on (seed, name) alone, so a second photograph shows
the same sheet from elsewhere, on another desk, in another light.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dessin.doodles.desks import SIDE, Plane, draw_desk, window
from dessin.doodles.dice import Dice
from dessin.doodles.page import Colour, Pixels
from dessin.images.ink import border_median

Ruling = Literal["plain", "ruled", "squared"]
Corners = NDArray[np.float64]

_PAPERS: tuple[Colour, ...] = (
    (252, 252, 252),
    (250, 250, 248),
    (246, 243, 234),
    (240, 240, 238),
    (232, 228, 216),
)
_LINES: tuple[Colour, ...] = ((150, 175, 215), (175, 180, 190), (190, 170, 205), (165, 200, 190))
_MARGIN_LINE: Colour = (225, 150, 150)
_RULINGS: tuple[Ruling, ...] = ("plain", "plain", "squared", "ruled")
_A4 = 2**0.5
_DARK = 128
_NEARLY = 0.92  # of the paper's level: its own shades and grain are not drawn again
_COARSE = 8  # pixels of the picture for one of its light
_EDGE = 0.015  # of the picture's side, between it and the sheet
_SUBPIXEL_BITS = 4
# EXIF's orientation of a file whose pixels were turned by so many quarter turns, counterclockwise.
_ORIENTATIONS = {0: 1, 1: 6, 2: 3, 3: 8}
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture and the truth about it.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright.
        corners: (4, 2) float64, where the sheet's corners are: x, y as shares of the width and height, from
            the upper left one on, clockwise.
        ruling: what is printed on the sheet.
        lamp: the colour of the light on white, three factors of at most 1.
        turn: by how many quarter turns, counterclockwise, the camera stored it turned.
        quality: of the JPEG.
    """

    pixels: Pixels
    corners: Corners
    ruling: Ruling
    lamp: tuple[float, float, float]
    turn: int
    quality: int

    def turned(self) -> Photograph:
        """The same a quarter turn counterclockwise, and no EXIF tells of it: the sheet lay on its side."""
        x, y = np.roll(self.corners, -1, axis=0).T
        pixels = np.ascontiguousarray(np.rot90(self.pixels))
        return replace(self, pixels=pixels, corners=np.stack([y, 1 - x], axis=1), turn=0)

    def jpeg(self) -> bytes:
        """The file as a phone writes it: stored as the sensor saw it, with EXIF's word for what is up."""
        exif = Image.Exif()
        exif[_ORIENTATION_TAG] = _ORIENTATIONS[self.turn]
        stored, buffer = Image.fromarray(np.rot90(self.pixels, self.turn)), io.BytesIO()
        stored.save(buffer, "JPEG", quality=self.quality, exif=exif)
        return buffer.getvalue()


def photograph(drawing: Pixels, *, seed: int, name: str, take: int = 0, side: int = 800) -> Photograph:
    """The photograph number `take` of a drawing, a function of its arguments.

    Args:
        drawing: (H, W, 3) uint8 RGB; its paper becomes that of the sheet, its pen keeps its colour. One that
            is light on dark is a dark sheet.
        seed: of all draws, together with the name.
        name: of the drawing; the sheet is the same in every take.
        take: which of the photographs of this sheet.
        side: pixels of the picture's longer side.
    """
    sheet_dice, dice = Dice(seed, f"sheet {name}"), Dice(seed, f"view {name} {take}")
    layout = _Layout.drawn(drawing, sheet_dice)
    height, width = _frame(layout.height / layout.width, side, dice)
    homography = _view(layout, height, width, dice)
    corners = cv2.perspectiveTransform(layout.outline[None], homography)[0]
    longest = max(np.hypot(*(corners - np.roll(corners, 1, axis=0)).T))
    sheet, ruling = _draw_sheet(drawing, layout, longest, sheet_dice)
    lamp = _lamp(dice)
    pixels = _laid(sheet, layout, homography, (height, width), dice)
    pixels = _seen(pixels, lamp, dice)
    turn = dice.pick((0, 0, 0, 1, 2, 3))
    shares = corners.astype(np.float64) / (width, height)
    return Photograph(pixels, shares, ruling, lamp, turn, dice.count(72, 92))


@dataclass(frozen=True)
class _Layout:
    """A sheet of `width` x `height` pixels of the drawing, which stands at `left`, `top` on it."""

    width: float
    height: float
    left: float
    top: float

    @property
    def outline(self) -> NDArray[np.float32]:
        w, h = self.width, self.height
        return np.array([(0, 0), (w, 0), (w, h), (0, h)], dtype=np.float32)

    @classmethod
    def drawn(cls, drawing: Pixels, dice: Dice) -> _Layout:
        """Margins around the drawing; a sheet that would be squarer than A4 becomes A4 now and then."""
        rows, columns = drawing.shape[:2]
        margin = dice.between(0.02, 0.1) * min(rows, columns)
        height, width = rows + 2 * margin, columns + 2 * margin
        if dice.chance(0.35):
            tall = rows > columns or (rows == columns and dice.chance(0.5))
            height, width = (max(height, _A4 * width), width) if tall else (height, max(width, _A4 * height))
        left, top = (between * dice.between(0.3, 0.7) for between in (width - columns, height - rows))
        return cls(width, height, left, top)


def _frame(aspect: float, side: int, dice: Dice) -> tuple[int, int]:
    """Rows and columns of a phone's picture, held as the sheet lies, or not."""
    other = round(0.75 * side)
    tall = aspect > 1 if dice.chance(0.85) else dice.chance(0.5)
    return (side, other) if tall else (other, side)


def _view(layout: _Layout, height: int, width: int, dice: Dice) -> NDArray[np.float64]:
    """The homography (3, 3) from the sheet to the picture: a camera that leans, turns and stands aside."""
    roll, lean, aside = (np.deg2rad(dice.around(0.0, degrees)) for degrees in (18.0, 24.0, 16.0))
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    flat = (layout.outline - layout.outline.mean(axis=0)) / max(layout.width, layout.height) @ turn.T
    # The plane is turned about its middle, which lies two of the sheet's longer sides away.
    depth = 2.0 + flat[:, 0] * np.sin(aside) + flat[:, 1] * np.sin(lean)
    seen = flat * (np.cos(aside), np.cos(lean)) / depth[:, None]
    low, high = seen.min(axis=0), seen.max(axis=0)
    frame = np.array([width, height], dtype=np.float64)
    room = frame - 2 * _EDGE * max(width, height)
    scale = float((room / (high - low)).min()) * dice.between(0.68, 1.0)
    free = room - scale * (high - low)
    corner = _EDGE * max(width, height) + free * (0.5 + 0.7 * (dice.many(2) - 0.5))
    goal = ((seen - low) * scale + corner).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(layout.outline, goal))


def _draw_sheet(drawing: Pixels, layout: _Layout, longest: float, dice: Dice) -> tuple[Pixels, Ruling]:
    """The sheet seen from above, uint8, its longer side about as many pixels as in the picture."""
    scale = longest / max(layout.width, layout.height)
    rows, columns = (max(8, round(scale * side)) for side in (layout.height, layout.width))
    size = [max(1, round(scale * side)) for side in (drawing.shape[1], drawing.shape[0])]
    drawn = cv2.resize(drawing, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = min(round(scale * layout.left), columns - 1), min(round(scale * layout.top), rows - 1)
    drawn = drawn[: rows - top, : columns - left]
    where = np.s_[top : top + drawn.shape[0], left : left + drawn.shape[1]]

    paper, ruling = border_median(drawing), dice.pick(_RULINGS)
    if paper.mean() < _DARK:
        dark: Pixels = np.empty((rows, columns, 3), dtype=np.uint8)
        dark[...] = paper
        dark[where] = drawn
        return dark, "plain"
    printed = _printed(ruling, rows, columns, dice)
    sheet = cv2.multiply(printed, (*map(float, dice.pick(_PAPERS)), 0.0), scale=1 / 255)
    # What the ink lets through of its own paper, it lets through of this one; paper is what is nearly so.
    white = _NEARLY * np.maximum(paper, 1).astype(np.float64)
    through = cv2.divide(drawn, (*white.tolist(), 1.0), scale=255)
    sheet[where] = cv2.multiply(sheet[where], through, scale=1 / 255)
    return np.asarray(sheet, dtype=np.uint8), ruling


def _printed(ruling: Ruling, rows: int, columns: int, dice: Dice) -> Pixels:
    """White with the lines of the ruling, (rows, columns, 3) uint8."""
    printed: Pixels = np.full((rows, columns, 3), 255, dtype=np.uint8)
    if ruling == "plain":
        return printed
    # As on A4: 5 mm for squares, 7 to 10 mm between lines.
    low, high = (0.022, 0.034) if ruling == "squared" else (0.034, 0.05)
    pitch, width = min(rows, columns) * dice.between(low, high), max(0.8, 0.0022 * min(rows, columns))
    lines = np.repeat(_lines(rows, pitch, width, dice.between(0.0, 1.0))[:, None], columns, axis=1)
    if ruling == "squared":
        lines = np.maximum(lines, _lines(columns, pitch, width, dice.between(0.0, 1.0)))
    colour, strength = dice.pick(_LINES), dice.between(0.35, 0.9)
    printed -= cv2.merge([lines * np.float32(strength * (255 - c)) for c in colour]).astype(np.uint8)
    if ruling == "ruled" and dice.chance(0.5):
        at = round(columns * dice.between(0.1, 0.16))
        printed[:, at : at + max(1, round(width))] = _MARGIN_LINE
    return printed


def _lines(length: int, pitch: float, width: float, start: float) -> Plane:
    """How much of each pixel along a side is line, (length,) float32 from 0 to 1."""
    away = np.abs((np.arange(length) / pitch + start) % 1.0 - 0.5) * pitch
    return np.clip(0.5 + 0.5 * width - away, 0.0, min(1.0, width)).astype(np.float32)


def _laid(
    sheet: Pixels, layout: _Layout, homography: NDArray[np.float64], frame: tuple[int, int], dice: Dice
) -> Pixels:
    """The sheet on its desk, both seen through the homography, in even light."""
    height, width = frame
    rows, columns = sheet.shape[:2]
    # Whole pixels have their middles at halves in the layout, and at whole numbers in OpenCV.
    middles = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    shrunk = np.diag([layout.width / columns, layout.height / rows, 1.0])
    to_picture = np.linalg.inv(middles) @ homography
    page = cv2.warpPerspective(
        sheet, to_picture @ shrunk @ middles, (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    angle, zoom = dice.between(0.0, 2 * np.pi), 2.4 * max(layout.width, layout.height) / SIDE
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([layout.width, layout.height]) / 2 - turn @ np.full(2, SIDE / 2)
    to_sheet = np.vstack([np.column_stack([turn, middle]), [0, 0, 1]])
    desk = cv2.warpPerspective(
        draw_desk(dice), to_picture @ to_sheet, (width, height), borderMode=cv2.BORDER_REFLECT
    )
    outline = cv2.perspectiveTransform(layout.outline[None], to_picture)[0]
    mask = np.zeros((height, width), dtype=np.uint8)
    points = np.round(outline * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillConvexPoly(mask, points, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    # The sheet's own shadow on the desk, on the side away from the lamp.
    away, reach = 2 * np.pi * dice.between(0, 1), dice.between(0.002, 0.01) * max(frame)
    shift = np.array([[1, 0, reach * np.cos(away)], [0, 1, reach * np.sin(away)]])
    under = cv2.GaussianBlur(cv2.warpAffine(mask, shift, (width, height)), (0, 0), reach)
    inside = mask.astype(np.float32) / 255
    lit = (1 - inside) * (1 - np.float32(dice.between(0.25, 0.6) / 255) * under)
    parts = [
        cv2.multiply(part, cv2.merge([weight] * 3), dtype=cv2.CV_8U)
        for part, weight in ((page, inside), (desk, lit))
    ]
    return np.asarray(cv2.add(*parts), dtype=np.uint8)


def _lamp(dice: Dice) -> tuple[float, float, float]:
    """From a bulb's yellow to the blue of a cloudy window."""
    warm = dice.around(0.15, 0.85)
    colour = np.array([1 + 0.1 * warm, 1 + min(0.0, 0.02 * warm), 1 - max(0.0, 0.24 * warm)])
    red, green, blue = (colour / colour.max()).tolist()
    return red, green, blue


def _seen(pixels: Pixels, lamp: tuple[float, float, float], dice: Dice) -> Pixels:
    """The picture in the light of the lamp, slightly out of focus, with the sensor's noise."""
    height, width = pixels.shape[:2]
    light = _light(height, width, dice)
    lit = cv2.multiply(pixels, cv2.merge([light * np.float32(colour) for colour in lamp]), dtype=cv2.CV_32F)
    blurred = cv2.GaussianBlur(lit, (0, 0), dice.between(0.35, 1.0) * max(height, width) / 800)
    grain = window(height, width, dice) * np.float32(dice.between(0.8, 4.0))
    return np.asarray(cv2.add(blurred, cv2.merge([grain] * 3), dtype=cv2.CV_8U), dtype=np.uint8)


def _light(height: int, width: int, dice: Dice) -> Plane:
    """How bright each place is, (height, width) float32: a slope, a darker rim, mostly a shadow across."""
    y, x = np.mgrid[0 : height // _COARSE + 1, 0 : width // _COARSE + 1].astype(np.float32)
    x, y = 2 * x / x.max() - 1, 2 * y / y.max() - 1
    angle, slope = 2 * np.pi * dice.between(0, 1), dice.between(0.0, 0.16)
    light = 1.0 + slope * (np.cos(angle) * x + np.sin(angle) * y) - dice.between(0.0, 0.1) * (x * x + y * y)
    if dice.chance(0.6):
        light *= 1.0 - dice.between(0.12, 0.42) * _shadow(x, y, dice)
    light *= dice.between(0.68, 1.06) / light.max()
    return np.asarray(cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC))


def _shadow(x: Plane, y: Plane, dice: Dice) -> Plane:
    """The shadow of an arm or a phone from one side, 0 to 1; `x` and `y` run from -1 to 1."""
    angle, softness = 2 * np.pi * dice.between(0, 1), dice.between(0.04, 0.3)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    wave = 0.12 * np.sin(dice.between(1.0, 5.0) * across + dice.between(0.0, 2 * np.pi))
    inside = [along + wave - dice.between(-0.5, 0.6)]
    if dice.chance(0.5):
        # An arm has two sides as well.
        side = across + wave - dice.around(0.0, 0.5)
        half = dice.between(0.2, 0.5)
        inside += [half - side, half + side]
    # A smooth step at each edge (Perlin's, 3 t^2 - 2 t^3).
    steps = [np.clip(0.5 + each / softness, 0.0, 1.0) for each in inside]
    shadow: Plane = np.prod([t * t * (3 - 2 * t) for t in steps], axis=0).astype(np.float32)
    return shadow
