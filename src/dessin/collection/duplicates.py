"""Images that show the same drawing: equal bytes, equal pixels, or nearly equal under a symmetry,
confirmed stroke by stroke. Photographs are compared with every image, and two of them more finely."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.collection.hashing import SYMMETRIES, Symmetry, folded, perceptual_hashes, transform_pixels
from dessin.collection.manifest import Manifest
from dessin.collection.neighbours import Neighbours, near_hashes, nearest
from dessin.collection.overlap import overlap
from dessin.collection.scan import Scan
from dessin.progress import track

_WORTH_A_LOOK = 0.65  # copies turned by 4 degrees reach it, 19 of 20
_SYMMETRIES_TRIED = 2
_IDENTITY_MARGIN = 0.02
# Chosen on real drawings: of 3,125 and 4,300, no two that differ reach 0.95 with a bend below 0.045, but for
# single straight lines; copies turned by 2 degrees need that bend and then agree to 0.99.
SIMILARITY, SIMILARITY_BENT = 0.95, 0.985
_SMALL_BEND = 0.045
_LARGEST_BEND, _LARGEST_SHIFT = 0.12, 4.0
_NO_NEED_TO_MOVE = 0.99
_COARSE, _FINE = 1.5, 1.0  # blurs, in pixels of a signature
_MARGIN = 6
_CHUNK = 2048

Key = TypeVar("Key", bound=Hashable)
Strokes = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """Two images of one drawing; `first` comes before `second` by image_id.

    `symmetry` turns the first into the second (rotations counterclockwise, as `numpy.rot90`);
    `similarity` is 1 for exact duplicates, else the correlation of the two drawings' strokes.
    """

    first: str
    second: str
    kind: Literal["bytes", "pixels", "near"]
    symmetry: Symmetry
    similarity: float


class UnionFind(Generic[Key]):
    """Disjoint sets with path halving (Tarjan and van Leeuwen, JACM 1984); an unseen key is alone."""

    def __init__(self) -> None:
        self._parent: dict[Key, Key] = {}

    def find(self, key: Key) -> Key:
        """The representative of a key's set; which one depends on the order of the joins."""
        parent = self._parent
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def join(self, first: Key, second: Key) -> None:
        self._parent[self.find(first)] = self.find(second)


def find_duplicates(manifest: Manifest, scan: Scan) -> tuple[Pair, ...]:
    """Pairs that link all images of one drawing together, in the order of (first, second).

    A cluster of n images gives n - 1 pairs, most of them with its first image, so that a thousand copies do
    not make half a million pairs; joined transitively they give the cluster. Blank images are compared by
    bytes and pixels only, and unreadable ones are left out.
    """
    readable = [row for row, measured in enumerate(scan.measurements) if measured.readable]
    order = sorted(readable, key=lambda row: manifest.rows[row].image_id)
    ids = [manifest.rows[row].image_id for row in order]
    pairs: list[Pair] = []
    digests = [manifest.rows[row].sha256 for row in order]
    kept, same = _first_of_each(range(len(order)), digests)
    pairs += [Pair(ids[i], ids[j], "bytes", "identity", 1.0) for i, j in same]
    pixels = [scan.measurements[row].pixel_digest for row in order]
    kept, same = _first_of_each(kept, pixels)
    pairs += [Pair(ids[i], ids[j], "pixels", "identity", 1.0) for i, j in same]
    drawn = [i for i in kept if not scan.measurements[order[i]].blank]
    rows = np.array([order[i] for i in drawn], dtype=np.int64)
    pairs += [
        Pair(ids[drawn[i]], ids[drawn[j]], "near", SYMMETRIES[symmetry], similarity)
        for i, j, symmetry, similarity in _near(scan, rows)
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.first, pair.second)))


def _first_of_each(rows: Sequence[int], keys: Sequence[str]) -> tuple[list[int], list[tuple[int, int]]]:
    """The rows whose key comes up for the first time, and (first, later) for the others."""
    first: dict[str, int] = {}
    repeated = [(first[keys[row]], row) for row in rows if first.setdefault(keys[row], row) != row]
    return list(first.values()), repeated


def _near(scan: Scan, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, int, float]]:
    """(i, j, symmetry, similarity) of confirmed pairs among `rows`, thinned to a spanning forest."""
    candidates = _candidates(scan, rows)
    likeness = correlations(scan.signatures[rows], candidates)
    sets: UnionFind[int] = UnionFind()
    likely = list(_likely(candidates, likeness))
    for (i, j), symmetries in track(likely, len(likely), "Comparing what looks alike", unit="pairs"):
        if sets.find(i) == sets.find(j):
            continue
        for symmetry in symmetries:
            similarity = _confirmed(scan, int(rows[i]), int(rows[j]), symmetry)
            if similarity is not None:
                sets.join(i, j)
                yield i, j, symmetry, similarity
                break


def _confirmed(scan: Scan, first: int, second: int, symmetry: int) -> float | None:
    """How similar two images (by row) are, None where they are not one drawing."""
    if scan.measurements[first].photograph and scan.measurements[second].photograph:
        return overlap(scan.fine_strokes(first), scan.fine_strokes(second), symmetry)
    found = compare(scan.signatures[first], scan.signatures[second], symmetry)
    return found.similarity if found.confirmed else None


def _candidates(scan: Scan, rows: NDArray[np.int64]) -> Neighbours:
    """Pairs of close hashes, plain or folded, and of each photograph its nearest images.

    A folded hash leaves open which flip it is, so all four are. The strokes of a photograph lie too
    unevenly for the signs of a hash.
    """
    photographed = np.array([scan.measurements[row].photograph is not None for row in rows], dtype=np.bool_)
    plain = np.flatnonzero(~photographed)
    near = near_hashes(scan.hashes[rows[plain]])
    upright, transposed = SYMMETRIES.index("identity"), SYMMETRIES.index("transpose")
    folds = near_hashes(
        perceptual_hashes(folded(scan.signatures[rows[plain]])), symmetries=(upright, transposed)
    )
    flips = np.arange(4)
    pages = nearest(_small(scan.signatures[rows]), np.flatnonzero(photographed), least=_WORTH_A_LOOK)
    return Neighbours(
        first=np.concatenate([plain[near.first], np.repeat(plain[folds.first], 4), pages.first]),
        second=np.concatenate([plain[near.second], np.repeat(plain[folds.second], 4), pages.second]),
        symmetry=np.concatenate([near.symmetry, (folds.symmetry[:, None] + flips).ravel(), pages.symmetry]),
    )


def _small(signatures: NDArray[np.uint8]) -> Strokes:
    """Signatures blurred and halved, normalised, (N, S / 2, S / 2)."""
    half = signatures.shape[-1] // 2
    small = np.empty((len(signatures), half, half), dtype=np.float32)
    for row, signature in enumerate(signatures):
        blurred = _blurred(signature, _COARSE)
        small[row] = _normalised(np.asarray(cv2.resize(blurred, (half, half), interpolation=cv2.INTER_AREA)))
    return small


def _likely(pairs: Neighbours, likeness: NDArray[np.float64]) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Each pair worth a closer look, with its symmetries, likeliest first; the identity wins a near tie."""
    preferred = likeness + np.where(pairs.symmetry == 0, _IDENTITY_MARGIN, 0.0)
    order = np.lexsort((pairs.symmetry, -preferred, pairs.second, pairs.first))
    order = order[likeness[order] >= _WORTH_A_LOOK]
    for pair, members in groupby(order, key=lambda row: (int(pairs.first[row]), int(pairs.second[row]))):
        symmetries = dict.fromkeys(int(pairs.symmetry[row]) for row in members)
        yield pair, list(symmetries)[:_SYMMETRIES_TRIED]


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


def group_images(
    image_ids: Iterable[str], user_groups: Mapping[str, str], pairs: Iterable[Pair]
) -> dict[str, str]:
    """image_id → group: the transitive union of the user's groups and of duplicate pairs.

    A group bears the first of its users' group names, else its first image_id; the names are unique and
    do not depend on any order. A pair may pass through an image outside `image_ids`, which still joins.
    """
    image_ids = sorted(image_ids)
    sets: UnionFind[tuple[str, str]] = UnionFind()
    for image_id in image_ids:
        if user_groups.get(image_id):
            sets.join(("image", image_id), ("group", user_groups[image_id]))
    for pair in pairs:
        sets.join(("image", pair.first), ("image", pair.second))
    taken = {user_groups[image_id] for image_id in image_ids if user_groups.get(image_id)}
    names: dict[tuple[str, str], str] = {sets.find(("group", name)): name for name in sorted(taken)[::-1]}
    groups = {}
    for image_id in image_ids:
        # A user's group may bear the name of another image: "./" keeps the two apart.
        name = f"./{image_id}" if image_id in taken else image_id
        groups[image_id] = names.setdefault(sets.find(("image", image_id)), name)
    return groups
