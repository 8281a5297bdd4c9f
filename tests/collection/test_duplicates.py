from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from scribbles import encode, scribble, write_drawings

from dessin.collection.duplicates import Pair, find_duplicates, group_images
from dessin.collection.hashing import SYMMETRIES
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images

pytestmark = pytest.mark.slow

Edit = Callable[[np.ndarray], np.ndarray]


def duplicates(root: Path, drawings: dict[str, bytes]) -> tuple[Pair, ...]:
    manifest = build_manifest(read_collection(write_drawings(root, drawings)))
    return find_duplicates(manifest, scan_images(manifest))


def turned(pixels: np.ndarray, degrees: float, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    matrix[:, 2] += shift
    return cv2.warpAffine(pixels, matrix, (width, height), borderValue=(255, 255, 255))


SYMMETRIC: dict[str, Edit] = {
    "hflip": np.fliplr,
    "vflip": np.flipud,
    "rot180": lambda a: np.rot90(a, 2),
    "transpose": lambda a: a.transpose(1, 0, 2),
    "rot90": np.rot90,
    "rot270": lambda a: np.rot90(a, 3),
    "transverse": lambda a: np.rot90(a, 2).transpose(1, 0, 2),
}
GENTLE: dict[str, Edit] = {
    "smaller": lambda a: cv2.resize(a, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    "larger": lambda a: cv2.resize(a, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
    "shifted": lambda a: turned(a, 0, shift=1.5),
    "turned by 2 degrees": lambda a: turned(a, 2),
    "a thicker pen": lambda a: cv2.erode(a, np.ones((2, 2))),
    "fainter": lambda a: (255 - (255 - a.astype(int)) // 2).astype(np.uint8),
    "gray": lambda a: cv2.cvtColor(a, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2),
}


def others() -> dict[str, bytes]:
    return {f"{'ab'[n % 2]}/other{n:02d}.png": encode(scribble(100 + n)) for n in range(30)}


def test_different_drawings_are_no_duplicates(tmp_path):
    assert duplicates(tmp_path / "d", others()) == ()


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_turned_and_compressed_copy_is_found_with_its_symmetry(tmp_path, name):
    copies = {}
    for n in range(6):
        page = scribble(n)
        copies |= {f"a/{n}.png": encode(page), f"b/{n}.jpg": encode(SYMMETRIC[name](page), ".jpg", 60)}
    pairs = duplicates(tmp_path / "d", others() | copies)
    assert [(p.first, p.second) for p in pairs] == [(f"a/{n}.png", f"b/{n}.jpg") for n in range(6)]
    assert {p.symmetry for p in pairs} == {name}
    assert {p.kind for p in pairs} == {"near"}
    assert min(p.similarity for p in pairs) > 0.95


@pytest.mark.parametrize("name", GENTLE)
def test_a_gently_changed_copy_is_found(tmp_path, name):
    copies = {}
    for n in range(8):
        page = scribble(n, level=40)
        copies |= {f"a/{n}.png": encode(page), f"a/{n}x.jpg": encode(GENTLE[name](page), ".jpg", 75)}
    pairs = duplicates(tmp_path / "d", others() | copies)
    assert [(p.first, p.second) for p in pairs] == [(f"a/{n}.png", f"a/{n}x.jpg") for n in range(8)]
    assert {p.symmetry for p in pairs} == {"identity"}


def test_bytes_before_pixels_before_near(tmp_path):
    page = scribble(1)
    drawings = {
        "a/1.png": encode(page),
        "a/2.png": encode(page),
        "a/3.bmp": encode(page, ".bmp"),
        "b/4.bmp": encode(page, ".bmp"),
        "b/5.jpg": encode(page, ".jpg", 70),
    }
    pairs = duplicates(tmp_path / "d", others() | drawings)
    assert [(p.first, p.second, p.kind) for p in pairs] == [
        ("a/1.png", "a/2.png", "bytes"),
        ("a/1.png", "a/3.bmp", "pixels"),
        ("a/1.png", "b/5.jpg", "near"),
        ("a/3.bmp", "b/4.bmp", "bytes"),
    ]


def test_a_symmetric_drawing_is_the_identity_of_its_copy(tmp_path):
    half = scribble(2, width=100)
    page = np.hstack([half, np.fliplr(half)])
    drawings = {"a/1.png": encode(page), "b/2.jpg": encode(page, ".jpg", 60)}
    (pair,) = duplicates(tmp_path / "d", drawings)
    assert pair.symmetry == "identity"


def test_blank_pages_are_copies_only_by_their_bytes_and_broken_files_never(tmp_path):
    white = np.full((80, 90, 3), 255, dtype=np.uint8)
    drawings = {
        "a/1.png": encode(white),
        "a/2.png": encode(white),
        "a/3.png": encode(white[:60]),
        "b/4.jpg": encode(white - 3, ".jpg"),
        "b/5.png": b"",
        "b/6.png": b"",
    }
    pairs = duplicates(tmp_path / "d", drawings)
    assert [(p.first, p.second, p.kind) for p in pairs] == [("a/1.png", "a/2.png", "bytes")]


def test_many_copies_give_a_tree_and_one_group(tmp_path):
    page = scribble(3)
    drawings = {
        f"a/{n:03d}.jpg": encode(SYMMETRIC[list(SYMMETRIC)[n % 7]](page), ".jpg", 40 + n) for n in range(60)
    }
    pairs = duplicates(tmp_path / "d", others() | drawings)
    assert len(pairs) == 59
    groups = group_images(drawings, {}, pairs)
    assert len(set(groups.values())) == 1
    assert sum(pair.first == "a/000.jpg" for pair in pairs) > 40


def test_renaming_files_renames_pairs_and_changes_nothing_else(tmp_path):
    page, other = scribble(4), scribble(5)
    drawings = {
        "a/1.png": encode(page),
        "a/2.jpg": encode(np.fliplr(page), ".jpg"),
        "b/3.png": encode(other),
        "b/4.png": encode(np.rot90(other)),
    }
    swapped = {"a/1.png": "b/9.png", "a/2.jpg": "a/8.jpg", "b/3.png": "b/3.png", "b/4.png": "a/0.png"}
    before = duplicates(tmp_path / "d", drawings)
    after = duplicates(tmp_path / "e", {swapped[image_id]: data for image_id, data in drawings.items()})
    expected = {frozenset((swapped[p.first], swapped[p.second])) for p in before}
    assert {frozenset((p.first, p.second)) for p in after} == expected
    assert len(before) == 2
    assert {p.symmetry for p in before} == {"hflip", "rot90"}
    assert {p.symmetry for p in after} == {"hflip", "rot270"}  # seen from the other side


def test_every_symmetry_has_a_case_here():
    assert {*SYMMETRIC, "identity"} == set(SYMMETRIES)
