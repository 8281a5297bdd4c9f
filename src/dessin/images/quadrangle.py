"""Quadrangles of paper in a small picture: pairs of straight borders, and what speaks for them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.borders import DARKER, Floats, Lines, Shades, between, clearest, fitted, ruled_parts
from dessin.images.ground import Pixels

_DARK_GROUND = 100
_CHANCE = 0.4  # how clear a line is that is no border
_RULED = 0.7  # of a sheet, from which on all of it should be
_LEAST_AREA = 0.1  # of the picture
_LEAST_AREA_ONE_SIDE = 0.72  # below, it could as well be a drawing's horizon
_BEYOND = 0.05  # of the picture's side, corners outside of it
_LOOKED_AT = 24
CONFIDENT = 0.6  # from which on a quadrangle is taken for a sheet


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


def quadrangles(lab: Pixels, ink: Shades) -> list[Quadrangle]:
    """Those that may be a sheet, best first, in a picture (h, w, 3) uint8 Lab without strokes.

    `ink` (h, w) float32 says how much darker than the paper around them strokes and ruling are, 0 to 1. Among
    what comes back are some that lie beside the best.
    """
    ruled = ruled_parts(ink)
    found: list[Quadrangle] = []
    for groups in clearest(lab, ruled):
        pairs = _pairs(groups, ink, ruled)
        found += [_judged(pairs, i, lab, ruled) for i in range(min(_LOOKED_AT, len(pairs.corners)))]
        if not found:
            continue
        best = max(found, key=lambda each: each.rank)
        beside = np.flatnonzero(
            ~_holds(best.corners, pairs.corners.mean(axis=1)) & (pairs.seen.sum(axis=1) >= 3)
        )
        found += [_judged(pairs, i, lab, ruled) for i in beside[beside >= _LOOKED_AT][: _LOOKED_AT // 2]]
        if best.confidence >= CONFIDENT:
            break
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


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Quadrangles (n, 4, 2), the most evidence first; which sides are seen, and how clear each is, (n, 4)."""

    corners: Floats
    seen: NDArray[np.bool_]
    clear: Floats
    evidence: Floats


def _pairs(groups: tuple[Lines, Lines], ink: Shades, ruled: Pixels) -> _Pairs:
    """Two lines across with two lines down, wherever that could be a sheet."""
    height, width = ink.shape
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
    clear_across, length_across = between(across, on_across, ink, ruled)  # (a, d, d, 2), (a, d, d)
    clear_down, length_down = between(down, on_down.T, ink, ruled)  # (d, a, a, 2), (d, a, a)

    a, b, c, d = np.meshgrid(
        *(np.arange(n) for n in (len(across.start),) * 2 + (len(down.start),) * 2), indexing="ij"
    )
    keep = (a < b) & (c < d)
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


def _judged(pairs: _Pairs, index: int, lab: Pixels, ruled: Pixels) -> Quadrangle:
    """With what lies inside: paper is of one colour, though not of one light, and ruled everywhere or not."""
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
    lines = float(ruled[::4, ::4][mask > 0].mean())
    bare = 1 - lines if lines > _RULED else 0.0
    length = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    mean = float((clear * length * seen).sum() / (length * seen).sum())
    worst = float(clear[seen].min())
    whole = DARKER if dull else 1.0
    confidence = mean * min(1.0, worst / 0.45) * min(1.0, (paper / 0.9) ** 2) * whole
    rank = float(pairs.evidence[index]) * whole - 2 * max(0.0, 0.97 - paper) - bare
    return Quadrangle(corners, seen, confidence, rank, middle)


def refined(found: Quadrangle, lab: Pixels) -> Floats:
    """Its corners (4, 2), after each border is laid through the clearest steps near it."""
    corners = found.corners
    lines = []
    for i in range(4):
        start, way = corners[i], corners[(i + 1) % 4] - corners[i]
        line = fitted(start, way, lab) if found.seen[i] else None
        lines.append(line or (start, way))
    moved = np.stack([_crossing(*lines[i - 1], *lines[i]) for i in range(4)])
    near = np.hypot(*(moved - corners).T).max() <= 0.04 * np.hypot(*lab.shape[:2])
    return moved if near else corners


def _crossing(start: Floats, way: Floats, other: Floats, along: Floats) -> Floats:
    share = np.linalg.solve(np.stack([way, -along], axis=-1), other - start)[0]
    return np.asarray(start + share * way)
