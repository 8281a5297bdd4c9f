"""Whether two drawings with close hashes are one drawing: their strokes compared pixel by pixel.

First a cheap correlation of blurred strokes for every candidate; then, for the promising ones, the second
drawing is laid over the first by a small affine motion (Evangelidis, Psarakis, "Parametric image alignment
using enhanced correlation coefficient maximization", PAMI 2008) and compared at a finer scale. A copy that
was rescaled, shifted, compressed or turned by a few degrees then agrees almost perfectly, and another
drawing of the same thing does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.collection.hashing import SYMMETRIES, transform_pixels
from dessin.collection.neighbours import Neighbours

# Chosen on real drawings: of 3,125 and 4,300, no two that differ reach 0.95 with a bend below 0.045, but for
# single straight lines; copies turned by 2 degrees need that bend and then agree to 0.99.
SIMILARITY, SIMILARITY_BENT = 0.95, 0.985
_SMALL_BEND = 0.045
_LARGEST_BEND, _LARGEST_SHIFT = 0.12, 4.0
_NO_NEED_TO_MOVE = 0.99
_COARSE, _FINE = 1.5, 1.0  # blurs, in pixels of a signature
_MARGIN = 6
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


@dataclass(frozen=True)
class Agreement:
    """The correlation of two drawings at a fine scale, at most 1, and how far one had to be bent for it."""

    similarity: float
    bend: float = 0.0

    @property
    def confirmed(self) -> bool:
        """Whether these are one drawing: the more one is bent, the better must it fit."""
        return self.similarity >= (SIMILARITY if self.bend <= _SMALL_BEND else SIMILARITY_BENT)


def compare(first: NDArray[np.uint8], second: NDArray[np.uint8], symmetry: int) -> Agreement:
    """Compare `first` after a symmetry (by number) with `second`; both signatures (S, S)."""
    turned = _framed(transform_pixels(first, symmetry))
    other = _framed(second)
    as_it_is = Agreement(_agreement(turned, other))
    if as_it_is.similarity >= _NO_NEED_TO_MOVE:
        return as_it_is
    motion = _small_motion(turned, other)
    if motion is None:
        return as_it_is
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = np.asarray(cv2.warpAffine(other, motion, turned.shape[::-1], flags=flags), dtype=np.float32)
    bend = float(np.abs(motion[:, :2] - np.eye(2)).max())
    return max(as_it_is, Agreement(_agreement(turned, moved), bend), key=lambda found: found.similarity)


def _agreement(one: Strokes, other: Strokes) -> float:
    product = _normalised(_blurred(one, _FINE)) * _normalised(_blurred(other, _FINE))
    return round(min(float(product.sum()), 1.0), 4)


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
    centre = np.array([target.shape[1] / 2, target.shape[0] / 2])
    bend = found[:, :2] - np.eye(2)
    shift = bend @ centre + found[:, 2]
    small = np.abs(bend).max() <= _LARGEST_BEND and np.abs(shift).max() <= _LARGEST_SHIFT
    return np.asarray(found, dtype=np.float32) if small else None


def _framed(signature: NDArray[np.generic]) -> Strokes:
    """With an empty margin, into which the alignment may move strokes."""
    return np.pad(signature.astype(np.float32), _MARGIN)


def _blurred(image: NDArray[np.generic], sigma: float) -> Strokes:
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, dtype=np.float32)


def _normalised(image: Strokes) -> Strokes:
    centred = image - image.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), dtype=np.float32)
