"""Photographs of pages in a collection: measured on the page, found as copies where they show one sheet."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter
from scribbles import encode, scribble, write_drawings

from dessin.collection.checks.base import Context
from dessin.collection.duplicates import Pair, find_duplicates
from dessin.collection.hashing import INVERSE, transform_pixels
from dessin.collection.issues import CHECKS
from dessin.collection.manifest import build_manifest
from dessin.collection.measure import Measurement, measure
from dessin.collection.overlap import overlap
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.doodles.photograph import photograph

pytestmark = pytest.mark.slow

SIDE = 560


@cache
def shot(number: int, take: int = 0) -> bytes:
    """A photograph of scribble `number`: another take is another desk, lamp, shadow, turn and angle."""
    return photograph(scribble(number), seed=2, name=str(number), take=take, side=SIDE).jpeg()


def context_of(root: Path, files: dict[str, bytes]) -> Context:
    manifest = build_manifest(read_collection(write_drawings(root, files)))
    scan = scan_images(manifest)
    return Context(manifest, scan, find_duplicates(manifest, scan))


def pairs_of(root: Path, files: dict[str, bytes]) -> tuple[Pair, ...]:
    return context_of(root, files).pairs


def on_desk(page: np.ndarray, *, turn: float = 4.0, light: float = 0.3, seed: int = 0) -> bytes:
    """A page on a brown desk, 480 x 640, the light falling off to the right."""
    rng = np.random.default_rng(seed)
    scene = np.full((480, 640, 3), (96, 70, 48), np.uint8)
    scene = np.clip(scene + rng.normal(0, 6, (480, 1, 1)), 0, 255).astype(np.uint8)
    height, width = page.shape[:2]
    motion = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    motion[:, 2] += (320 - width / 2, 240 - height / 2)
    laid = cv2.warpAffine(page, motion, (640, 480))
    cover = cv2.warpAffine(np.full((height, width), 255, np.uint8), motion, (640, 480))[..., None] / 255.0
    lit = (laid * cover + scene * (1 - cover)) * np.linspace(1.0, 1.0 - light, 640)[None, :, None]
    return encode(np.clip(lit + rng.normal(0, 1.5, lit.shape), 0, 255).astype(np.uint8), ".jpg")


def sheet(*, ruled: bool = False) -> np.ndarray:
    page = np.full((360, 480, 3), 246, np.uint8)
    if ruled:
        page[20::18] = (170, 190, 220)
    return page


def form() -> np.ndarray:
    """A worksheet: a heading, a frame, two boxes to fill in."""
    page = sheet()
    cv2.putText(page, "Draw your house", (40, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 20), 2)
    cv2.rectangle(page, (30, 75), (450, 335), (20, 20, 20), 2)
    cv2.rectangle(page, (330, 20), (450, 55), (20, 20, 20), 2)
    return page


def filled(number: int, *, small: bool = False) -> np.ndarray:
    page = form()
    drawing = (
        scribble(number, height=70, width=90) if small else scribble(number, height=230, width=380, pen=3)
    )
    where = np.s_[180:250, 200:290] if small else np.s_[90:320, 50:430]
    page[where] = np.minimum(page[where], drawing)
    return page


def test_a_photograph_is_measured_on_its_page():
    plain, photographed = (measure(data).measurement for data in (encode(scribble(3)), shot(3)))
    assert plain.photograph is None
    seen = photographed.photograph
    assert seen is not None
    assert seen.found
    assert 0.1 < seen.share < 1
    assert 0.2 < seen.evenness <= 1
    # The drawing lies on a sheet with margins, so that its share of the page is smaller.
    assert 0.2 * plain.ink < photographed.ink < 1.5 * plain.ink
    assert photographed.contrast > 100


def test_neither_lamp_nor_desk_changes_the_measures():
    page = sheet()
    page[60:300, 90:400] = scribble(5, height=240, width=310, pen=3)
    light, dark = (measure(on_desk(page, light=light, seed=1)).measurement for light in (0.0, 0.55))
    assert dark.ink == pytest.approx(light.ink, rel=0.15)
    assert dark.objects == light.objects
    assert dark.photograph.evenness < 0.8 < light.photograph.evenness


def test_second_photographs_are_copies_and_other_sheets_on_the_desk_are_none(tmp_path):
    files = {f"{'ab'[n % 2]}/{n:02d}.jpg": shot(n) for n in range(12)}
    files |= {f"{'ab'[n % 2]}/{n:02d}again.jpg": shot(n, 1) for n in range(6)}
    pairs = pairs_of(tmp_path / "d", files)
    found = {(pair.first, pair.second) for pair in pairs}
    planted = {(f"{'ab'[n % 2]}/{n:02d}.jpg", f"{'ab'[n % 2]}/{n:02d}again.jpg") for n in range(6)}
    assert found <= planted
    assert len(found) >= 5
    assert {pair.kind for pair in pairs} == {"near"}


def test_a_photograph_of_a_drawing_that_is_there_as_a_scan_is_its_copy(tmp_path):
    files = {f"a/{n}.png": encode(scribble(n, pen=3)) for n in range(8)}
    paper = sheet()
    paper[80:240, 140:340] = scribble(4, pen=3)
    (pair,) = pairs_of(tmp_path / "d", files | {"b/photo.jpg": on_desk(paper)})
    assert (pair.first, pair.second, pair.symmetry) == ("a/4.png", "b/photo.jpg", "identity")


def test_a_turned_file_of_a_second_photograph_says_how_it_is_turned(tmp_path):
    paper = sheet()
    paper[60:300, 90:400] = scribble(7, height=240, width=310, pen=3)
    second = cv2.imdecode(np.frombuffer(on_desk(paper, turn=-3, seed=1), np.uint8), cv2.IMREAD_COLOR)
    files = {"a/1.jpg": on_desk(paper), "a/2.jpg": encode(np.rot90(second)[..., ::-1], ".jpg")}
    (pair,) = pairs_of(tmp_path / "d", files)
    assert pair.symmetry == "rot90"


def test_empty_ruled_sheets_and_worksheets_of_one_form_are_no_copies(tmp_path):
    files = {f"a/ruled{n}.jpg": on_desk(sheet(ruled=True), turn=n, seed=n) for n in (1, 2, 3)}
    files |= {f"a/form{n}.jpg": on_desk(filled(n), turn=n - 2, seed=n) for n in range(3)}
    # Nearly all of these is what they have in common.
    files |= {f"b/small{n}.jpg": on_desk(filled(n, small=True), turn=n - 2, seed=n) for n in range(4)}
    assert pairs_of(tmp_path / "d", files) == ()
    again = {"b/small1again.jpg": on_desk(filled(1, small=True), turn=-5, light=0.5, seed=9)}
    (pair,) = pairs_of(tmp_path / "e", files | again)
    assert (pair.first, pair.second) == ("b/small1.jpg", "b/small1again.jpg")


def test_photographs_change_no_pair_of_clean_drawings(tmp_path):
    clean = {f"a/{n}.png": encode(scribble(n)) for n in range(6)}
    clean |= {f"b/{n}.jpg": encode(np.fliplr(scribble(n)), ".jpg") for n in range(3)}
    alone = pairs_of(tmp_path / "d", clean)
    assert len(alone) == 3
    together = pairs_of(tmp_path / "e", clean | {f"b/p{n}.jpg": shot(n) for n in range(20, 24)})
    assert together == alone


@pytest.mark.parametrize("symmetry", range(8))
def test_strokes_lie_on_themselves_after_any_symmetry_and_on_no_others(symmetry):
    page, other = (255 - cv2.resize(scribble(n), (192, 192))[..., 0] for n in (1, 2))
    turned = np.ascontiguousarray(transform_pixels(page, symmetry))
    assert overlap(page, turned, symmetry) == pytest.approx(1.0, abs=0.01)
    assert overlap(turned, page, INVERSE[symmetry]) == pytest.approx(1.0, abs=0.01)
    assert overlap(other, turned, symmetry) is None
    assert overlap(np.zeros_like(page), turned, symmetry) is None


def test_the_check_names_photographs_with_their_measures_and_nothing_else(tmp_path):
    files = {"a/1.png": encode(scribble(1)), "a/2.jpg": shot(2), "b/3.png": encode(scribble(3))}
    context = context_of(tmp_path / "d", files)
    (issue,) = CHECKS["photograph"].run(context)
    assert issue.image_id == "a/2.jpg"
    assert 0.5 <= issue.score <= 1
    assert "% of the picture, confidence " in issue.detail
    check = CHECKS["photograph"]
    assert (check.dropped, check.urgent, check.section) == (False, False, "")
    row = [r.image_id for r in context.manifest.rows].index("a/2.jpg")
    page = cv2.imdecode(np.frombuffer(context.scan.page_bytes(row), np.uint8), cv2.IMREAD_COLOR)
    # What the model will see is a white page.
    assert np.median(page) > 245
    assert context.scan.page_bytes(row - 1) == b""
    again = scan_images(context.manifest)
    assert again.measurements == context.scan.measurements
    assert again.page_bytes(row) == context.scan.page_bytes(row)


def test_measurements_from_before_photographs_are_read():
    record = asdict(measure(encode(scribble(1))).measurement)
    del record["photograph"]
    assert TypeAdapter(Measurement).validate_python(record).photograph is None
