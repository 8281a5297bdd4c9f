"""Lines across a small picture that may be a sheet's borders: how clear they are, and what is beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.ground import Pixels

Floats = NDArray[np.float64]
Shades = NDArray[np.float32]

_NEAR = 8  # pixels, how far a border is moved in the end
_SEGMENTS = 120
_LINES = 10  # of each of two directions, besides the frame's own two
_SAMPLES = 128  # along a line
_LIGHT, _CHROMA = 20.0, 8.0  # levels of Lab between both sides of a clear border
_SLOPE = 0.4  # of a change beside the border, which light and shadow make too
_SAME = 0.25  # of a clear border's light
DARKER = 0.5  # how much a border counts whose inside is darker
_GOES_ON = 0.3  # correlation of the strokes inside a line and outside; at twice that it is no border
_SLANTS = (-4, -2, -1, 0, 1, 2, 4)  # quarters of a step, by which what crosses may be aside on the other side
_FAINT = 0.04  # of the paper's level, strokes and ruling are darker by more
_CELL, _PATCH = 17, 41  # pixels: wider than a cell of squared paper; the least that is called ruled
_MUCH = 0.3  # of the picture, less ruling says nothing
_BLANK = 21  # pixels without strokes beside a border at which ruling ends
_ENDS = 0.7  # what that adds to how clear the border is


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines across the picture, seen along `_SAMPLES` steps from where they enter to where they leave it.

    `start` (n, 2), `way` (n, 2) from one end to the other, `clear` (n, samples + 1, 2) cumulative: how clear
    a border it is with the paper on its left, or on its right. `is_frame` (n,) are the picture's own sides.
    """

    start: Floats
    way: Floats
    clear: Floats
    is_frame: NDArray[np.bool_]

    def __getitem__(self, index: NDArray[np.intp]) -> Lines:
        return Lines(self.start[index], self.way[index], self.clear[index], self.is_frame[index])


def ruled_parts(ink: Shades) -> Pixels:
    """Where the paper is ruled or squared, (h, w) uint8, 1 or 0; nowhere if that is little."""
    strokes = (ink > _FAINT).astype(np.uint8)
    close = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, np.ones((_CELL, _CELL), np.uint8))
    ruled = cv2.morphologyEx(close, cv2.MORPH_OPEN, np.ones((_PATCH, _PATCH), np.uint8))
    return np.asarray(ruled if ruled.mean() > _MUCH else 0 * ruled)


def clearest(lab: Pixels, ruled: Pixels) -> Iterator[tuple[Lines, Lines]]:
    """The clearest lines of two directions, each with the frame's sides of that direction.

    First of those along which most straight edges run, then of those half way between: a drawing or a
    chequered cloth under the sheet may have more edges than the sheet.
    """
    segments = _segments(lab, ruled)
    lines = _across(segments, lab)
    diagonal = float(np.hypot(*lab.shape[:2]))
    angle = np.arctan2(lines.way[:, 1], lines.way[:, 0])
    length = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    turn = float(np.angle((length * np.exp(4j * angle[4:])).sum()) / 4) if len(segments) else 0.0
    worth = lines.clear[:, -1].max(axis=-1) * np.hypot(lines.way[:, 0], lines.way[:, 1])
    order = np.concatenate([np.arange(4), 4 + np.argsort(-worth[4:], kind="stable")])
    for half in (0.0, np.pi / 4):
        across, down = (
            _along(turn + half + quarter, order, angle, lines, diagonal) for quarter in (0.0, np.pi / 2)
        )
        yield across, down


def _along(direction: float, order: NDArray[np.intp], angle: Floats, lines: Lines, diagonal: float) -> Lines:
    """Of the lines in this order the first that run about in a direction, none beside another."""
    chosen: list[int] = []
    for index in order:
        if abs(_apart(angle[index], direction)) > np.pi / 5:
            continue
        if index >= 4 and any(_are_near(lines, index, other, diagonal) for other in chosen if other >= 4):
            continue
        chosen.append(int(index))
        if len(chosen) == _LINES + 2:
            break
    return lines[np.array(chosen, dtype=np.intp)]


def between(lines: Lines, where: Floats, ink: Shades, ruled: Pixels) -> tuple[Floats, Floats]:
    """How clear (n, m, m, 2) each line is, and how long (n, m, m), between each two of its m crossings."""
    at = np.nan_to_num(where, nan=0.0).clip(0, 1)
    index = np.rint(at * _SAMPLES).astype(int)
    every = np.concatenate([lines.clear, _beside(lines, ink, ruled)], axis=-1)
    sums = np.take_along_axis(every, index[..., None], axis=1)
    steps = (index[:, :, None] - index[:, None])[..., None]
    means = (sums[:, :, None] - sums[:, None]) / np.where(steps == 0, 1, steps)
    clear, ends, (one, other, *both) = (
        means[..., :2],
        means[..., 2:4].clip(0, 1),
        np.moveaxis(means[..., 4:], -1, 0),
    )
    # What crosses a shadow's edge, or a line that is drawn, goes on behind it; a sheet's strokes end with it.
    goes_on = np.max(both, axis=0) / np.sqrt(one * other + 1e-12)
    clear = (clear + _ENDS * ends * (1 - clear)) * (2 - goes_on / _GOES_ON).clip(0, 1)[..., None]
    length = np.abs(at[:, :, None] - at[:, None]) * np.hypot(lines.way[:, 0], lines.way[:, 1])[:, None, None]
    return clear, length


def fitted(start: Floats, way: Floats, lab: Pixels) -> tuple[Floats, Floats] | None:
    """The line (point, way) through what is clearest within some pixels of each of many points."""
    height, width = lab.shape[:2]
    along = start + np.linspace(0.02, 0.98, _SAMPLES)[:, None] * way
    along = along[((along >= 0) & (along < [width, height])).all(axis=1)]
    normal = np.array([-way[1], way[0]]) / np.hypot(*way).clip(1e-9)
    at = along[:, None] + (np.arange(-_NEAR - 2, _NEAR + 3) * normal[:, None]).T
    x, y = np.rint(at[..., 0]).astype(int), np.rint(at[..., 1]).astype(int)
    scaled = lab.astype(np.float32) / np.array([_LIGHT, _CHROMA, _CHROMA], np.float32)
    seen = scaled[y.clip(0, height - 1), x.clip(0, width - 1)]
    step = np.abs(seen[:, 4:] - seen[:, :-4]).max(axis=-1)
    best = step.argmax(axis=1)
    clear = step.max(axis=1) > 0.5
    if clear.sum() < _SAMPLES // 4:
        return None
    points = (along + (best - _NEAR)[:, None] * normal)[clear]
    fit = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().astype(np.float64)
    return fit[2:], fit[:2] * np.sign(fit[:2] @ way)


def _segments(lab: Pixels, ruled: Pixels) -> Floats:
    """Straight edges (n, 4): x, y of both ends."""
    diagonal = float(np.hypot(*lab.shape[:2]))
    edges = 255 * cv2.morphologyEx(ruled, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    for channel, high in zip(cv2.split(lab), (40, 24, 24), strict=True):
        edges |= cv2.Canny(channel, high / 2, high)
    found = cv2.HoughLinesP(
        edges, 1, np.pi / 360, int(0.04 * diagonal), minLineLength=0.07 * diagonal, maxLineGap=0.02 * diagonal
    )
    if found is None:
        return np.zeros((0, 4))
    segments = found.reshape(-1, 4).astype(np.float64)
    length = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    return np.asarray(segments[np.argsort(-length, kind="stable")][:_SEGMENTS])


def _across(segments: Floats, lab: Pixels) -> Lines:
    """Segments made longer up to the frame, after the frame's four sides."""
    height, width = lab.shape[:2]
    right, bottom = width - 1.0, height - 1.0
    frame = np.array(
        [[0, 0, right, 0], [0, bottom, right, bottom], [0, 0, 0, bottom], [right, 0, right, bottom]], float
    )
    start, way = segments[:, :2], segments[:, 2:] - segments[:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = -start / way, (np.array([right, bottom]) - start) / way
    enter = np.nan_to_num(np.minimum(first, last), nan=-np.inf).max(axis=1, keepdims=True)
    leave = np.nan_to_num(np.maximum(first, last), nan=np.inf).min(axis=1, keepdims=True)
    enter, leave = np.maximum(enter, -1e3), np.minimum(leave, 1e3)
    start, way = start + enter * way, (leave - enter) * way
    clear = _clearness(start, way, lab)
    is_frame = np.arange(4 + len(segments)) < 4
    none = np.zeros((4, _SAMPLES + 1, 2))
    return Lines(
        np.concatenate([frame[:, :2], start]),
        np.concatenate([frame[:, 2:] - frame[:, :2], way]),
        np.concatenate([none, clear]),
        is_frame,
    )


def _clearness(start: Floats, way: Floats, lab: Pixels) -> Floats:
    """(n, samples + 1, 2) cumulative, see `Lines`."""
    height, width = lab.shape[:2]
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    along = start[:, None] + steps[:, None] * way[:, None]
    length = np.hypot(way[:, 0], way[:, 1]).clip(1e-9)
    left = np.stack([way[:, 1], -way[:, 0]], axis=-1) / length[:, None]  # on the screen, y grows downwards
    scaled = lab.astype(np.float32) / np.array([_LIGHT, _CHROMA, _CHROMA], np.float32)

    def at(offset: float) -> NDArray[np.float32]:
        x = np.rint(along[..., 0] + offset * left[:, None, 0]).astype(int).clip(0, width - 1)
        y = np.rint(along[..., 1] + offset * left[:, None, 1]).astype(int).clip(0, height - 1)
        return np.asarray(scaled[y, x])

    clear = np.zeros(along.shape[:2], np.float32)
    for shift in (-4, -2, 0, 2, 4):  # a sheet's border is seldom quite straight
        step = at(shift + 2.5) - at(shift - 2.5)
        slope = np.abs(at(shift + 9) - at(shift + 2.5)) + np.abs(at(shift - 9) - at(shift - 2.5))
        clear = np.maximum(clear, (np.abs(step) - _SLOPE * slope).max(axis=-1))
    far = at(9) - at(-9)
    clear = np.clip(np.minimum(clear, np.abs(far).max(axis=-1)), 0, 1)
    lighter = far[..., 0]
    sides = np.stack(
        [
            np.where(lighter > -_SAME, clear, DARKER * clear),
            np.where(lighter < _SAME, clear, DARKER * clear),
        ],
        axis=-1,
    )
    return np.concatenate([np.zeros((len(start), 1, 2)), np.cumsum(sides, axis=1)], axis=1)


def _apart(one: float, other: float) -> float:
    return float((one - other + np.pi / 2) % np.pi - np.pi / 2)


def _are_near(lines: Lines, one: int, other: int, diagonal: float) -> bool:
    """Whether both ends of one line lie on the other, within a hundredth of the diagonal."""
    way = lines.way[other] / np.hypot(*lines.way[other]).clip(1e-9)
    normal = np.array([-way[1], way[0]])
    ends = lines.start[one] + np.array([[0.0], [1.0]]) * lines.way[one]
    return bool(np.abs((ends - lines.start[other]) @ normal).max() < 0.01 * diagonal)


def _beside(lines: Lines, ink: Shades, ruled: Pixels) -> Floats:
    """(n, samples + 1, 4 + slants) cumulative, of what is beside each line.

    Whether ruling on its left ends with it, and on its right; squares of what crosses there, and products.
    """
    steps = (np.arange(4 * _SAMPLES) + 0.5) / (4 * _SAMPLES)  # with fewer, thin strokes are missed
    along = lines.start[:, None] + steps[:, None] * lines.way[:, None]
    normal = (
        np.stack([lines.way[:, 1], -lines.way[:, 0]], axis=-1) / np.hypot(*lines.way.T).clip(1e-9)[:, None]
    )

    def at(offset: float, what: NDArray[Any]) -> Shades:
        x, y = np.moveaxis((along + offset * normal[:, None]).astype(np.float32), -1, 0)
        return np.asarray(cv2.remap(what, x, y, cv2.INTER_NEAREST), dtype=np.float32)

    strokes = cv2.dilate((ink > _FAINT).astype(np.uint8), np.ones((_BLANK, _BLANK), np.uint8))
    ends = [at(10 * side, ruled) - at(-side * (8 + _BLANK // 2), strokes) for side in (1, -1)]
    crossing = [sum(at(side * offset, ink) for offset in (4, 5, 6, 7, 8)) for side in (1, -1)]
    one, other = (each - cv2.blur(each, (25, 1)) for each in crossing)  # without what runs along the line
    both = [one * np.roll(other, shift, axis=1) for shift in _SLANTS]
    each = np.stack([*ends, one * one, other * other, *both], axis=-1, dtype=np.float64)
    sums = each.reshape(len(along), _SAMPLES, 4, -1).mean(axis=2).cumsum(axis=1)
    return np.concatenate([np.zeros_like(sums[:, :1]), sums], axis=1)
