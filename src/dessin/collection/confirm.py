"""Whether two drawings with close hashes are one drawing: their strokes compared pixel by pixel.

First a cheap correlation of blurred strokes for every candidate; then, for the promising ones, the second
drawing is laid over the first by a small affine motion (Evangelidis, Psarakis, "Parametric image alignment
using enhanced correlation coefficient maximization", PAMI 2008) and compared at a finer scale. A copy that
was rescaled, shifted, compressed or turned by a few degrees then agrees almost perfectly, and another
drawing of the same thing does not.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.collection.hashing import SYMMETRIES, transform_pixels
from dessin.collection.neighbours import Neighbours

_COARSE, _FINE = 1.5, 1.0
_MARGIN = 6
_LARGEST_TURN, _LARGEST_SHIFT = 0.12, 4.0
_CHUNK = 2048

Strokes = NDArray[np.float32]


def correlations(signatures: NDArray[np.uint8], pairs: Neighbours) -> NDArray[np.float64]:
    """The correlation (n,) of each pair's blurred strokes after its symmetry, -1..1.

    The mean is taken away, so that white paper alone does not make two drawings alike.
    """
    result = np.zeros(len(pairs.first))
    involved, where = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    strokes = np.empty((len(involved), *signatures.shape[1:]), dtype=np.float32)
    for row, index in enumerate(involved):
        strokes[row] = _normalised(_blurred(signatures[index], _COARSE))
    first, second = where[: len(result)], where[len(result) :]
    for symmetry in range(len(SYMMETRIES)):
        chosen = np.flatnonzero(pairs.symmetry == symmetry)
        for start in range(0, len(chosen), _CHUNK):
            rows = chosen[start : start + _CHUNK]
            turned = transform_pixels(strokes[first[rows]], symmetry)
            result[rows] = np.einsum("nyx,nyx->n", turned, strokes[second[rows]])
    return result


def similarity(first: NDArray[np.uint8], second: NDArray[np.uint8], symmetry: int) -> float:
    """How well `first` after a symmetry (by number) agrees with `second`, at most 1; signatures (S, S)."""
    turned = _framed(transform_pixels(first, symmetry))
    other = _framed(second)
    motion = _small_motion(turned, other)
    if motion is not None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        other = cv2.warpAffine(other, motion, turned.shape[::-1], flags=flags)
    agreement = _normalised(_blurred(turned, _FINE)) * _normalised(_blurred(other, _FINE))
    return round(min(float(agreement.sum()), 1.0), 4)


def _small_motion(target: Strokes, moved: Strokes) -> Strokes | None:
    """The affine motion (2, 3) that lays `moved` over `target`; None where none is found or it is large."""
    motion = np.eye(2, 3, dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, found = cv2.findTransformECC(
            _blurred(target, _COARSE), _blurred(moved, _COARSE), motion, cv2.MOTION_AFFINE, stop, None, 1
        )
    except cv2.error:  # it did not converge: these two do not lie over each other
        return None
    centre = np.float32([target.shape[1] / 2, target.shape[0] / 2])
    turn = found[:, :2] - np.eye(2, dtype=np.float32)
    shift = turn @ centre + found[:, 2]
    small = np.abs(turn).max() <= _LARGEST_TURN and np.abs(shift).max() <= _LARGEST_SHIFT
    return np.asarray(found, dtype=np.float32) if small else None


def _framed(signature: NDArray[np.generic]) -> Strokes:
    """With an empty margin, into which the alignment may move strokes."""
    return np.pad(signature.astype(np.float32), _MARGIN)


def _blurred(image: NDArray[np.generic], sigma: float) -> Strokes:
    blurred = cv2.GaussianBlur(
        image.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(blurred, dtype=np.float32)


def _normalised(image: Strokes) -> Strokes:
    centred = image - image.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), dtype=np.float32)
