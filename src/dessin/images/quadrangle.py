"""Quadrangles of paper in a small picture: straight borders, pairs of them, and how well they are seen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.ground import Pixels

Floats = NDArray[np.float64]

_DARK_GROUND = 100
_NEAR = 8  # pixels, how far a border is moved in the end
_SEGMENTS = 120
_LINES = 10  # of each of two directions, besides the frame's own two
_SAMPLES = 128  # along a line
_LIGHT, _CHROMA = 20.0, 8.0  # levels of Lab between both sides of a clear border
_SLOPE = 0.4  # of a change beside the border, which light and shadow make too
_SAME = 0.25  # of a clear border's light
_CHANCE = 0.4  # how clear a line is that is no border
_DARKER = 0.5  # how much a border counts whose inside is darker
_CUT = 0.6  # of the strokes at a border, more may not go on outside
_LEAST_AREA = 0.1  # of the picture
_LEAST_AREA_ONE_SIDE = 0.72  # below, it could as well be a drawing's horizon
_BEYOND = 0.05  # of the picture's side, corners outside of it
_LOOKED_AT = 24


@dataclass(frozen=True, eq=False)
class Quadrangle:
    """Corners (4, 2) float64 x, y in the small picture, and what speaks for them.

    `seen` (4,) bool are the sides from each corner to the next that are borders; the others are the picture's
    frame. `confidence` is 0 to 1, `colour` (3,) the median inside in Lab.
    """

    corners: Floats
    seen: NDArray[np.bool_]
    confidence: float
    rank: float
    colour: Floats


def without_strokes(small: Pixels) -> Pixels:
    """(h, w, 3) uint8 Lab without thin strokes: dark ones on light paper, and light ones on a dark ground."""
    side = max(3, max(small.shape[:2]) // 100 * 2 + 1)
    smooth = small
    if np.median(small) >= _DARK_GROUND:
        smooth = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return np.asarray(cv2.cvtColor(cv2.medianBlur(smooth, side), cv2.COLOR_RGB2LAB), dtype=np.uint8)


def quadrangles(lab: Pixels, strokes: NDArray[np.bool_]) -> list[Quadrangle]:
    """Those that may be a sheet, best first, in a picture (h, w, 3) uint8 Lab without its `strokes` (h, w).

    Among them are some that lie beside the best.
    """
    pairs = _pairs(_chosen(_segments(lab), lab), lab)
    found = [_judged(pairs, i, lab, strokes) for i in range(min(_LOOKED_AT, len(pairs.corners)))]
    if not found:
        return []
    best = max(found, key=lambda each: each.rank)
    beside = np.flatnonzero(~_holds(best.corners, pairs.corners.mean(axis=1)) & (pairs.seen.sum(axis=1) >= 3))
    found += [_judged(pairs, i, lab, strokes) for i in beside[beside >= _LOOKED_AT][: _LOOKED_AT // 2]]
    return sorted(found, key=lambda each: -each.rank)


def second_sheet(found: list[Quadrangle]) -> Quadrangle | None:
    """Another sheet of paper, as light as the best and beside it."""
    best = found[0]
    for other in found[1:]:
        if other.confidence < best.confidence / 2 or other.seen.sum() < 3:
            continue
        if (
            _holds(best.corners, other.corners.mean(axis=0)[None])[0]
            or _overlap(best.corners, other.corners) > 0.2
        ):
            continue
        apart = other.colour - best.colour
        if np.abs(apart[1:]).max() <= 10 and apart[0] >= -0.2 * best.colour[0]:
            return other
    return None


def _overlap(one: Floats, other: Floats) -> float:
    """As a share of the smaller one."""
    common, _ = cv2.intersectConvexConvex(one.astype(np.float32), other.astype(np.float32))
    return float(common / max(1.0, min(_area(np.stack([one, other])))))


def _holds(corners: Floats, points: Floats) -> NDArray[np.bool_]:
    """Which points (n, 2) lie inside of a convex quadrangle."""
    way = np.roll(corners, -1, axis=0) - corners
    apart = points[:, None] - corners
    side = way[:, 0] * apart[..., 1] - way[:, 1] * apart[..., 0]
    return np.asarray((side > 0).all(axis=1) | (side < 0).all(axis=1))


def _segments(lab: Pixels) -> Floats:
    """Straight edges (n, 4): x, y of both ends."""
    diagonal = float(np.hypot(*lab.shape[:2]))
    edges = np.zeros(lab.shape[:2], np.uint8)
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


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines across the picture, seen along `_SAMPLES` steps from where they enter to where they leave it.

    `start` (n, 2), `way` (n, 2) from one end to the other, `clear` (n, samples + 1, 2) cumulative: how clear
    a border it is with the paper on its left, or on its right. `is_frame` (n,) are the picture's own sides.
    """

    start: Floats
    way: Floats
    clear: Floats
    is_frame: NDArray[np.bool_]

    def __getitem__(self, index: NDArray[np.intp]) -> _Lines:
        return _Lines(self.start[index], self.way[index], self.clear[index], self.is_frame[index])


def _across(segments: Floats, lab: Pixels) -> _Lines:
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
    return _Lines(
        np.concatenate([frame[:, :2], start]),
        np.concatenate([frame[:, 2:] - frame[:, :2], way]),
        np.concatenate([none, clear]),
        is_frame,
    )


def _clearness(start: Floats, way: Floats, lab: Pixels) -> Floats:
    """(n, samples + 1, 2) cumulative, see `_Lines`."""
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
            np.where(lighter > -_SAME, clear, _DARKER * clear),
            np.where(lighter < _SAME, clear, _DARKER * clear),
        ],
        axis=-1,
    )
    return np.concatenate([np.zeros((len(start), 1, 2)), np.cumsum(sides, axis=1)], axis=1)


def _chosen(segments: Floats, lab: Pixels) -> tuple[_Lines, _Lines]:
    """The clearest lines of two directions, each with the frame's sides of that direction."""
    lines = _across(segments, lab)
    diagonal = float(np.hypot(*lab.shape[:2]))
    angle = np.arctan2(lines.way[:, 1], lines.way[:, 0])
    length = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    turn = float(np.angle((length * np.exp(4j * angle[4:])).sum()) / 4) if len(segments) else 0.0
    worth = lines.clear[:, -1].max(axis=-1) * np.hypot(lines.way[:, 0], lines.way[:, 1])
    order = np.concatenate([np.arange(4), 4 + np.argsort(-worth[4:], kind="stable")])
    groups = []
    for quarter in (0.0, np.pi / 2):
        chosen: list[int] = []
        for index in order:
            if abs(_apart(angle[index], turn + quarter)) > np.pi / 5:
                continue
            if index >= 4 and any(_are_near(lines, index, other, diagonal) for other in chosen if other >= 4):
                continue
            chosen.append(int(index))
            if len(chosen) == _LINES + 2:
                break
        groups.append(lines[np.array(chosen, dtype=np.intp)])
    return groups[0], groups[1]


def _apart(one: float, other: float) -> float:
    return float((one - other + np.pi / 2) % np.pi - np.pi / 2)


def _are_near(lines: _Lines, one: int, other: int, diagonal: float) -> bool:
    """Whether both ends of one line lie on the other, within a hundredth of the diagonal."""
    way = lines.way[other] / np.hypot(*lines.way[other]).clip(1e-9)
    normal = np.array([-way[1], way[0]])
    ends = lines.start[one] + np.array([[0.0], [1.0]]) * lines.way[one]
    return bool(np.abs((ends - lines.start[other]) @ normal).max() < 0.01 * diagonal)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Quadrangles (n, 4, 2), the most evidence first; which sides are seen, and how clear each is, (n, 4)."""

    corners: Floats
    seen: NDArray[np.bool_]
    clear: Floats
    evidence: Floats


def _pairs(groups: tuple[_Lines, _Lines], lab: Pixels) -> _Pairs:
    """Two lines across with two lines down, wherever that could be a sheet."""
    height, width = lab.shape[:2]
    diagonal = float(np.hypot(height, width))
    across, down = groups
    if len(across.start) < 2 or len(down.start) < 2:
        return _Pairs(np.zeros((0, 4, 2)), np.zeros((0, 4), bool), np.zeros((0, 4)), np.zeros(0))
    # Where each line across meets each line down: as shares of the ways of both.
    difference = down.start[None] - across.start[:, None]
    cross = across.way[:, None, 0] * down.way[None, :, 1] - across.way[:, None, 1] * down.way[None, :, 0]
    cross = np.where(np.abs(cross) < 1e-6, np.nan, cross)
    on_across = (
        difference[..., 0] * down.way[None, :, 1] - difference[..., 1] * down.way[None, :, 0]
    ) / cross
    on_down = (
        difference[..., 0] * across.way[:, None, 1] - difference[..., 1] * across.way[:, None, 0]
    ) / cross
    points = across.start[:, None] + on_across[..., None] * across.way[:, None]
    clear_across, length_across = _between(across, on_across)  # (a, d, d, 2), (a, d, d)
    clear_down, length_down = _between(down, on_down.T)  # (d, a, a, 2), (d, a, a)

    a, b, c, d = np.meshgrid(
        *(np.arange(n) for n in (len(across.start),) * 2 + (len(down.start),) * 2), indexing="ij"
    )
    keep = (a != b) & (c < d)
    a, b, c, d = (each[keep] for each in (a, b, c, d))
    quads = np.stack([points[a, c], points[a, d], points[b, d], points[b, c]], axis=1)
    ok = _are_sheets(quads, width, height)
    a, b, c, d, quads = a[ok], b[ok], c[ok], d[ok], quads[ok]
    middle = quads.mean(axis=1)
    sides = []
    for lines, index, clear, length in (
        (across, a, clear_across[a, c, d], length_across[a, c, d]),
        (down, d, clear_down[d, a, b], length_down[d, a, b]),
        (across, b, clear_across[b, c, d], length_across[b, c, d]),
        (down, c, clear_down[c, a, b], length_down[c, a, b]),
    ):
        way, apart = lines.way[index], middle - lines.start[index]
        on_left = way[:, 1] * apart[:, 0] - way[:, 0] * apart[:, 1] > 0
        sides.append((np.where(on_left, clear[:, 0], clear[:, 1]), length, ~lines.is_frame[index]))
    clear, length, seen = (np.stack([side[i] for side in sides], axis=1) for i in range(3))
    evidence = ((clear - _CHANCE) * length * seen).sum(axis=1) / diagonal
    area = _area(quads) / (width * height)
    ok = seen.any(axis=1) & ((seen.sum(axis=1) > 1) | (area > _LEAST_AREA_ONE_SIDE))
    order = np.argsort(-evidence, kind="stable")
    order = order[ok[order]]
    return _Pairs(quads[order], seen[order], clear[order], evidence[order])


def _between(lines: _Lines, where: Floats) -> tuple[Floats, Floats]:
    """How clear (n, m, m, 2) each line is, and how long (n, m, m), between each two of its m crossings."""
    at = np.nan_to_num(where, nan=0.0).clip(0, 1)
    index = np.rint(at * _SAMPLES).astype(int)
    sums = np.take_along_axis(lines.clear, index[..., None], axis=1)
    steps = np.abs(index[:, :, None] - index[:, None]).clip(1)
    clear = np.abs(sums[:, :, None] - sums[:, None]) / steps[..., None]
    length = np.abs(at[:, :, None] - at[:, None]) * np.hypot(lines.way[:, 0], lines.way[:, 1])[:, None, None]
    return clear, length


def _area(quads: Floats) -> Floats:
    x, y = quads[..., 0], quads[..., 1]
    return np.asarray(np.abs((x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)).sum(axis=-1)) / 2)


def _are_sheets(quads: Floats, width: int, height: int) -> NDArray[np.bool_]:
    """Which (n, 4, 2) could be a sheet seen from not too far aside."""
    with np.errstate(invalid="ignore"):
        inside = (np.abs(quads / [width, height] - 0.5) <= 0.5 + _BEYOND).all(axis=(1, 2))
        sides = np.roll(quads, -1, axis=1) - quads
        length = np.hypot(sides[..., 0], sides[..., 1]).clip(1e-9)
        following = np.roll(sides, -1, axis=1)
        sine = (sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0]) / (
            length * np.roll(length, -1, axis=1)
        )
        square = (sine > 0.7).all(axis=1) | (sine < -0.7).all(axis=1)
        alike = (
            np.minimum(length[:, :2], length[:, 2:]) > 0.45 * np.maximum(length[:, :2], length[:, 2:])
        ).all(axis=1)
        large = _area(quads) > _LEAST_AREA * width * height
    return np.asarray(inside & square & alike & large)


def _judged(pairs: _Pairs, index: int, lab: Pixels, strokes: NDArray[np.bool_]) -> Quadrangle:
    """With what lies inside: paper is of one colour, though not of one light, and its strokes end with it."""
    corners, seen, clear = pairs.corners[index], pairs.seen[index], pairs.clear[index]
    coarse = lab[::4, ::4]
    mask = np.zeros(coarse.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(corners / 4).astype(np.int32), 1)
    inside = coarse[mask > 0].astype(np.int16)
    outside = coarse[mask == 0][:, 0]
    middle = np.median(inside, axis=0)
    apart = np.abs(inside - middle)
    paper = float(((apart[:, 1:].max(axis=-1) <= 10) & (inside[:, 0] >= 0.45 * middle[0])).mean())
    dull = bool(len(outside) and np.median(outside) > middle[0])
    length = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    mean = float((clear * length * seen).sum() / (length * seen).sum())
    worst = float(clear[seen].min())
    whole = min(1.0, max(0.0, 1 - _cut(corners, seen, strokes)) / _CUT) * (_DARKER if dull else 1.0)
    confidence = mean * min(1.0, worst / 0.45) * min(1.0, (paper / 0.9) ** 2) * whole
    rank = float(pairs.evidence[index]) * whole - 2 * max(0.0, 0.97 - paper)
    return Quadrangle(corners, seen, confidence, rank, middle)


def refined(found: Quadrangle, lab: Pixels) -> Floats:
    """Its corners (4, 2), after each border is laid through the clearest steps near it."""
    corners = found.corners
    lines = []
    for i in range(4):
        start, way = corners[i], corners[(i + 1) % 4] - corners[i]
        fitted = _fitted(start, way, lab) if found.seen[i] else None
        lines.append((start, way) if fitted is None else fitted)
    moved = np.stack([_crossing(*lines[i - 1], *lines[i]) for i in range(4)])
    near = np.hypot(*(moved - corners).T).max() <= 0.04 * np.hypot(*lab.shape[:2])
    return moved if near else corners


def _fitted(start: Floats, way: Floats, lab: Pixels) -> tuple[Floats, Floats] | None:
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


def _crossing(start: Floats, way: Floats, other: Floats, along: Floats) -> Floats:
    share = np.linalg.solve(np.stack([way, -along], axis=-1), other - start)[0]
    return np.asarray(start + share * way)


def _cut(corners: Floats, seen: NDArray[np.bool_], strokes: NDArray[np.bool_]) -> float:
    """By how much a stroke inside a border makes one outside likelier, at the worst border."""
    height, width = strokes.shape
    turn = np.sign(_turning(corners))
    worst = 0.0
    for i in np.flatnonzero(seen):
        way = corners[(i + 1) % 4] - corners[i]
        inwards = turn * np.array([-way[1], way[0]]) / np.hypot(*way).clip(1e-9)
        along = corners[i] + np.linspace(0.03, 0.97, 2 * _SAMPLES)[:, None] * way
        sides = []
        for sign in (1, -1):
            at = along + sign * np.array([4, 5, 6, 7])[:, None, None] * inwards
            x, y = np.rint(at[..., 0]).astype(int), np.rint(at[..., 1]).astype(int)
            there = (x >= 0) & (y >= 0) & (x < width) & (y < height)
            sides.append((strokes[y.clip(0, height - 1), x.clip(0, width - 1)] & there).any(axis=0))
        inside, outside = sides
        if 0.03 <= inside.mean() < 1:
            worst = max(worst, float(outside[inside].mean() - outside[~inside].mean()))
    return worst


def _turning(corners: Floats) -> float:
    """Above zero for clockwise on the screen."""
    x, y = corners[:, 0], corners[:, 1]
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
