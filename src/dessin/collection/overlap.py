"""Two photographs compared stroke by stroke: one sheet seen twice, or two sheets that are alike.

The strokes of one are laid over those of the other by a homography, as a sheet seen from elsewhere is
(enhanced correlation: Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation
coefficient maximization", PAMI 2008). Then nearly all strokes of both must lie on each other, and most of
them in every part: what is printed on two worksheets does, what is drawn on them does not.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.collection.hashing import transform_pixels

Strokes = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Chosen on photographs, see docs/log.md: of copies nearly all lie beyond these, of other pairs none.
_OVERLAP, _CORRELATION, _ALONE, _LARGEST_BEND = 0.93, 0.88, 0.035, 0.25
_NEAR, _FAR = 3.0, 5.0  # pixels of 192
_PART, _PART_INK, _PART_NEAR, _PART_OVERLAP = 24, 40, 2.0, 0.7  # a part's side, least ink, its nearness
_INK, _ANY_INK = 96, 40  # what must lie on the other's, and on what: light makes a stroke darker or paler
_MARGIN = 16
_FINE = 1.5
# (share of the size, blur in pixels of it, motion) of the two steps of the alignment.
_STEPS = ((0.25, 1.5, cv2.MOTION_AFFINE), (0.5, 1.2, cv2.MOTION_HOMOGRAPHY))
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)


def overlap(first: NDArray[np.uint8], second: NDArray[np.uint8], symmetry: int) -> float | None:
    """How much of the strokes of `first`, after a symmetry (by number), and of `second` lies on the other's.

    Both (S, S) uint8. None where they are not one sheet, else 0.93 to 1.
    """
    one = _framed(transform_pixels(first, symmetry))
    motion = _motion(one, _framed(second))
    if _bend(motion, one.shape) > _LARGEST_BEND:
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    other = np.asarray(cv2.warpPerspective(_framed(second), motion, one.shape[::-1], flags=flags), np.float32)
    if _correlation(one, other) < _CORRELATION:
        return None
    share, alone = 1.0, 0.0
    for strokes, others in ((one >= _INK, other >= _ANY_INK), (other >= _INK, one >= _ANY_INK)):
        ink = int(np.count_nonzero(strokes))
        if not ink:
            return None
        away = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, 3)
        share = min(share, float((away[strokes] <= _NEAR).mean()))
        if _least_part(strokes, strokes & (away <= _PART_NEAR)) < _PART_OVERLAP:
            return None
        _, _, boxes, _ = cv2.connectedComponentsWithStats((strokes & (away > _FAR)).astype(np.uint8))
        alone = max(alone, float(boxes[1:, cv2.CC_STAT_AREA].max(initial=0)) / ink)
    return round(share, 4) if share >= _OVERLAP and alone <= _ALONE else None


def _least_part(strokes: Mask, near: Mask) -> float:
    """The smallest share of strokes that are near the others', over all parts that hold enough of them."""
    ink, hit = (
        cv2.boxFilter(mask.astype(np.float32), -1, (_PART, _PART), normalize=False)
        for mask in (strokes, near)
    )
    enough = ink >= _PART_INK
    return float((hit[enough] / ink[enough]).min(initial=1.0))


def _motion(target: Strokes, moved: Strokes) -> Strokes:
    """The homography (3, 3) that lays `moved` over `target`; without effect where nothing converges."""
    motion = np.eye(3, dtype=np.float32)
    for share, blur, kind in _STEPS:
        shrunk = (
            cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            for image in (target, moved)
        )
        small, other = (cv2.GaussianBlur(image, (0, 0), blur) for image in shrunk)
        # Pixels have their middles at whole numbers.
        scale = np.array([[share, 0, (share - 1) / 2], [0, share, (share - 1) / 2], [0, 0, 1]])
        begin = (scale @ motion @ np.linalg.inv(scale)).astype(np.float32)
        try:
            _, found = cv2.findTransformECC(
                small, other, begin if kind == cv2.MOTION_HOMOGRAPHY else begin[:2], kind, _STOP, None, 1
            )
        except cv2.error:
            continue
        whole = found if kind == cv2.MOTION_HOMOGRAPHY else np.vstack([found, [0, 0, 1]])
        motion = np.linalg.inv(scale) @ whole @ scale
        motion = (motion / motion[2, 2]).astype(np.float32)
    return motion


def _bend(motion: Strokes, shape: tuple[int, ...]) -> float:
    """How far the motion moves a corner of the strokes, over their side."""
    near, far = _MARGIN, shape[0] - _MARGIN
    corners = np.array([[[near, near], [far, near], [far, far], [near, far]]], dtype=np.float32)
    return float(np.abs(cv2.perspectiveTransform(corners, motion) - corners).max()) / (far - near)


def _correlation(one: Strokes, other: Strokes) -> float:
    blurred = [cv2.GaussianBlur(image, (0, 0), _FINE) for image in (one, other)]
    x, y = (image - image.mean() for image in blurred)
    return float((x * y).sum() / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-6))


def _framed(strokes: NDArray[np.uint8]) -> Strokes:
    return np.pad(strokes.astype(np.float32), _MARGIN)
