"""Quadrangles of paper in a small picture: straight borders, pairs of them, and how well they are seen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.ground import Pixels

Floats = NDArray[np.float64]

_LINES = 10  # of each direction
_SAMPLES = 160  # along a line
_CLEAR = 14.0  # levels of Lab between both sides of a clear border


@dataclass(frozen=True, eq=False)
class Scene:
    """A small picture without its thin strokes, (h, w, 3) uint8 Lab, and what its ground is like."""

    lab: Pixels
    median: float
    unevenness: float
    is_even: bool
    is_paper: bool


@dataclass(frozen=True, eq=False)
class Candidate:
    """A quadrangle (4, 2) float64 in the small picture, 0 to 1 how well its border is seen."""

    corners: Floats
    confidence: float
    is_cut: bool


def scene(small: Pixels) -> Scene:
    side = max(small.shape[:2])
    kernel = max(3, side // 100 * 2 + 1)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((kernel, kernel), np.uint8))
    smooth = cv2.medianBlur(closed, kernel)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    level = cv2.resize(lab[..., 0], (32, 32), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(level, (10, 90))
    ring = np.concatenate(
        [
            lab[:4].reshape(-1, 3),
            lab[-4:].reshape(-1, 3),
            lab[:, :4].reshape(-1, 3),
            lab[:, -4:].reshape(-1, 3),
        ]
    )
    apart = np.abs(ring.astype(int) - np.median(ring, axis=0)).max(axis=-1)
    ink = (cv2.cvtColor(closed, cv2.COLOR_RGB2GRAY).astype(int) - luma) > 24
    rough = cv2.Laplacian(level.astype(np.float32), cv2.CV_32F)
    return Scene(
        lab,
        float(np.median(luma)),
        float(high - low),
        bool((apart <= 5).mean() >= 0.85),
        bool(0.001 < ink.mean() < 0.35 and np.median(np.abs(rough)) < 6 and np.percentile(level, 10) > 60),
    )


def candidates(view: Scene) -> list[Candidate]:
    """Best first."""
    lines = _lines(view.lab)
    if len(lines) == 0:
        return []
    return _quadrangles(view.lab, lines)


def _lines(lab: Pixels) -> Floats:
    """Segments (n, 4): x, y of both ends, the longest first."""
    height, width = lab.shape[:2]
    diagonal = float(np.hypot(height, width))
    edges = np.zeros((height, width), np.uint8)
    for channel, high in zip(cv2.split(lab), (40, 25, 25), strict=True):
        edges |= cv2.Canny(channel, high / 2, high)
    found = cv2.HoughLinesP(
        edges, 1, np.pi / 360, int(0.04 * diagonal), minLineLength=0.08 * diagonal, maxLineGap=0.02 * diagonal
    )
    if found is None:
        return np.zeros((0, 4))
    segments = found.reshape(-1, 4).astype(np.float64)
    length = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    return np.asarray(segments[np.argsort(-length, kind="stable")][:200])


def _quadrangles(lab: Pixels, segments: Floats) -> list[Candidate]:
    height, width = lab.shape[:2]
    length = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    angle = np.arctan2(segments[:, 3] - segments[:, 1], segments[:, 2] - segments[:, 0])
    turn = np.angle((length * np.exp(4j * angle)).sum()) / 4  # the grid's direction, modulo a quarter turn
    frame = np.array(
        [[0, 0, width, 0], [0, height, width, height], [0, 0, 0, height], [width, 0, width, height]], float
    )
    groups = []
    for quarter in (0.0, np.pi / 2):
        chosen: list[_Line] = []
        for segment, is_frame in [(s, True) for s in frame] + [(s, False) for s in segments]:
            line = _Line.through(segment, lab, is_frame)
            if abs(_apart(line.angle, turn + quarter)) > np.pi / 5:
                continue
            if any(line.is_near(other) for other in chosen):
                continue
            chosen.append(line)
            if len(chosen) >= _LINES + 4:
                break
        groups.append(chosen)
    found = []
    for a, b in combinations(groups[0], 2):
        for c, d in combinations(groups[1], 2):
            candidate = _judged(a, b, c, d, lab)
            if candidate is not None:
                found.append(candidate)
    return sorted(found, key=lambda each: -each.confidence)


def _apart(one: float, other: float) -> float:
    return float((one - other + np.pi / 2) % np.pi - np.pi / 2)


@dataclass(frozen=True, eq=False)
class _Line:
    """A line across the picture: a point, a direction, and what its two sides look like along it."""

    point: Floats
    direction: Floats
    is_frame: bool
    reach: float
    seen: Floats  # cumulative, (samples + 1, 2): clear border, inside to the left is lighter

    @property
    def angle(self) -> float:
        return float(np.arctan2(self.direction[1], self.direction[0]))

    @classmethod
    def through(cls, segment: Floats, lab: Pixels, is_frame: bool) -> _Line:
        height, width = lab.shape[:2]
        reach = float(np.hypot(height, width))
        start, end = segment[:2], segment[2:]
        direction = (end - start) / np.hypot(*(end - start))
        normal = np.array([-direction[1], direction[0]])
        point = (start + end) / 2
        along = point + np.linspace(-reach, reach, 2 * _SAMPLES)[:, None] * direction
        sides = []
        for sign in (1, -1):
            at = along + sign * 3 * normal
            x, y = np.round(at[:, 0]).astype(int), np.round(at[:, 1]).astype(int)
            ok = (x >= 0) & (y >= 0) & (x < width) & (y < height)
            sides.append(
                (np.where(ok[:, None], lab[y.clip(0, height - 1), x.clip(0, width - 1)], np.nan)).astype(
                    float
                )
            )
        difference = sides[0] - sides[1]
        clear = np.nan_to_num(np.clip(np.abs(difference).max(axis=-1) / _CLEAR, 0, 1))
        lighter = np.nan_to_num(np.clip(difference[:, 0] / _CLEAR, -1, 1))
        seen = np.concatenate([np.zeros((1, 2)), np.cumsum(np.stack([clear, lighter], axis=-1), axis=0)])
        return cls(point, direction, is_frame, reach, seen)

    def is_near(self, other: _Line) -> bool:
        if abs(_apart(self.angle, other.angle)) > np.pi / 60:
            return False
        normal = np.array([-other.direction[1], other.direction[0]])
        return bool(abs((self.point - other.point) @ normal) < 0.012 * self.reach)

    def between(self, one: Floats, other: Floats) -> Floats:
        """Mean of what is seen between two points of the line."""
        ends = sorted((p - self.point) @ self.direction for p in (one, other))
        first, last = (int(np.clip((e / self.reach + 1) * _SAMPLES, 0, 2 * _SAMPLES)) for e in ends)
        last = max(last, first + 1)
        return np.asarray((self.seen[min(last, 2 * _SAMPLES)] - self.seen[first]) / (last - first))


def _crossing(one: _Line, other: _Line) -> Floats | None:
    matrix = np.stack([one.direction, -other.direction], axis=-1)
    if abs(np.linalg.det(matrix)) < 0.3:
        return None
    way = np.linalg.solve(matrix, other.point - one.point)
    return np.asarray(one.point + way[0] * one.direction)


def _judged(a: _Line, b: _Line, c: _Line, d: _Line, lab: Pixels) -> Candidate | None:
    height, width = lab.shape[:2]
    lines = (a, c, b, d)
    if all(line.is_frame for line in lines):
        return None
    corners = []
    for i in range(4):
        crossing = _crossing(lines[i], lines[(i + 1) % 4])
        if crossing is None:
            return None
        x, y = crossing
        if not (-0.03 * width <= x <= 1.03 * width and -0.03 * height <= y <= 1.03 * height):
            return None
        corners.append(crossing)
    quad = np.array(corners)
    area = cv2.contourArea(quad.astype(np.float32)) / (height * width)
    if area < 0.15 or not cv2.isContourConvex(quad.astype(np.float32)):
        return None
    middle = quad.mean(axis=0)
    total = weight = worst = 0.0
    worst = 1.0
    for i, line in enumerate(lines):
        one, other = quad[i - 1], quad[i]
        length = float(np.hypot(*(other - one)))
        if line.is_frame:
            total += 0.35 * length
            weight += length
            continue
        clear, lighter = line.between(one, other)
        normal = np.array([-line.direction[1], line.direction[0]])
        inside_left = (middle - line.point) @ normal > 0
        lighter = lighter if inside_left else -lighter
        seen = float(clear) * (1.0 if lighter > 0 else 0.6)
        worst = min(worst, seen)
        total += seen * length
        weight += length
    score = total / weight * min(1.0, 0.5 + worst)
    cut = any(line.is_frame for line in lines)
    return Candidate(quad, float(min(1.0, score * (0.9 + 0.1 * area))), cut)
