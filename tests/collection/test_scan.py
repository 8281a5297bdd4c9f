from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from scribbles import encode, scribble, write_drawings

from dessin.collection import scan as scan_module
from dessin.collection.manifest import build_manifest
from dessin.collection.measure import measure
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.errors import DessinError
from dessin.parallel.mapper import ThreadMapper


def white(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), 255, dtype=np.uint8)


def measured(pixels: np.ndarray):
    return measure(encode(pixels)).measurement


def test_brightness_is_the_mean_of_each_channel():
    page = white()
    page[:, :80] = (255, 0, 100)
    assert measured(page).brightness == pytest.approx((255.0, 127.5, 177.5))


def test_ink_is_the_share_of_the_page_that_is_drawn_on():
    page = white(100, 200)
    page[40:60, 50:100] = 0
    assert measured(page).ink == pytest.approx(20 * 50 / (100 * 200), rel=0.02)
    assert measured(255 - page).ink == pytest.approx(measured(page).ink)  # chalk on black


@pytest.mark.parametrize("level", [20, 90, 180])
def test_contrast_is_the_distance_of_the_strokes_from_the_paper(level):
    assert measured(scribble(1, level=level, pen=3)).contrast == pytest.approx(255 - level, abs=6)


def test_one_drawing_is_one_object_and_two_apart_are_two():
    one = white(200, 400)
    cv2.circle(one, (80, 100), 50, (0, 0, 0), 2)
    assert measured(one).objects == 1
    assert measured(one).second_size == 0
    two = one.copy()
    cv2.circle(two, (300, 100), 45, (0, 0, 0), 2)
    found = measured(two)
    assert found.objects == 2
    assert found.second_size == pytest.approx(0.9, abs=0.07)
    assert found.second_gap == pytest.approx(125 / np.hypot(315, 100), abs=0.05)


def test_an_eye_inside_a_head_is_no_second_object():
    page = white(200, 200)
    cv2.circle(page, (100, 100), 80, (0, 0, 0), 2)
    cv2.circle(page, (100, 90), 20, (0, 0, 0), 2)
    assert measured(page).objects == 1


@pytest.mark.parametrize("flip", [np.fliplr, np.flipud, np.rot90])
def test_measures_do_not_change_when_the_page_is_turned(flip):
    page = scribble(3)
    before, after = measured(page), measured(flip(page))
    assert after.ink == before.ink
    assert after.contrast == before.contrast
    assert after.objects == before.objects


def test_the_signature_follows_the_drawing_and_not_the_page():
    page = scribble(4, height=160, width=160)
    padded = cv2.copyMakeBorder(page, 60, 0, 0, 90, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    assert np.array_equal(measure(encode(page)).signature, measure(encode(padded)).signature)
    flipped = measure(encode(np.fliplr(page))).signature
    assert np.abs(flipped[:, ::-1].astype(int) - measure(encode(page)).signature).max() <= 2


def test_equal_pictures_in_two_formats_have_one_pixel_digest():
    page = scribble(5)
    digests = {measured(page).pixel_digest, measure(encode(page, ".bmp")).measurement.pixel_digest}
    assert len(digests) == 1
    page[0, 0, 0] = 254
    assert measured(page).pixel_digest not in digests


def test_only_empty_pages_are_blank():
    noise = np.random.default_rng(0).integers(-4, 5, (120, 160, 1))
    noisy = np.clip(250 + noise, 0, 255).astype(np.uint8).repeat(3, axis=2)
    assert measured(white()).blank
    assert measured(noisy).blank
    assert not measured(scribble(6, level=215)).blank


def test_a_small_drawing_on_a_large_page_is_not_blank():
    page = white(900, 1200)
    page[400:430, 600:630] = scribble(8, height=30, width=30)
    found = measured(page)
    assert not found.blank
    assert found.contrast > 100


def test_rubbish_becomes_a_reason():
    found = measure(encode(scribble(7))[:200]).measurement
    assert not found.readable
    assert found.reason
    assert not found.blank


@pytest.fixture
def manifest(tmp_path):
    drawings = {
        f"{label}/{n}.png": encode(scribble(10 * k + n))
        for k, label in enumerate("ab")
        for n in "01"
        for n in [int(n)]
    }
    root = write_drawings(tmp_path / "data", drawings | {"a/broken.png": b"\x89PNG\r\n\x1a\nnothing"})
    return build_manifest(read_collection(root))


def test_a_scan_is_in_the_order_of_the_rows_and_survives_a_broken_file(manifest):
    scan = scan_images(manifest)
    readable = [row.image_id for row, m in zip(manifest.rows, scan.measurements, strict=True) if m.readable]
    assert readable == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    own = measure((manifest.root / "b/0.png").read_bytes())
    row = [row.image_id for row in manifest.rows].index("b/0.png")
    assert scan.measurements[row] == own.measurement
    assert np.array_equal(scan.signatures[row], own.signature)
    assert scan.thumbnail_bytes(row) == own.thumbnail
    assert scan.thumbnail(row).shape == (102, 128, 3)


def test_the_second_scan_is_read_back_and_equal(manifest, monkeypatch):
    first = scan_images(manifest)
    monkeypatch.setattr(scan_module, "measure", lambda data: pytest.fail("decoded again"))
    second = scan_images(manifest)
    assert second.measurements == first.measurements
    for name in ("hashes", "signatures", "thumbnails", "offsets"):
        assert np.array_equal(getattr(second, name), getattr(first, name))


@pytest.mark.parametrize("damage", ["truncate", "remove", "pickle"])
def test_a_damaged_cache_is_made_anew(manifest, own_cache, damage):
    first = scan_images(manifest)
    file = next(own_cache.glob("scans/*/hashes.npy"))
    if damage == "truncate":
        file.write_bytes(file.read_bytes()[:-4])
    elif damage == "remove":
        file.unlink()
    else:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    assert np.array_equal(scan_images(manifest).hashes, first.hashes)


def test_the_number_of_threads_changes_nothing(manifest, own_cache, monkeypatch):
    one = scan_images(manifest, ThreadMapper(1))
    monkeypatch.setenv("DESSIN_CACHE", str(own_cache / "other"))
    four = scan_images(manifest, ThreadMapper(4))
    assert one.measurements == four.measurements
    assert np.array_equal(one.thumbnails, four.thumbnails)


def test_a_file_that_changed_after_the_manifest_is_refused_and_nothing_is_cached(manifest, own_cache):
    (manifest.root / "b/1.png").write_bytes(encode(scribble(99)))
    threads = cv2.getNumThreads()
    with pytest.raises(DessinError, match=r"b/1\.png has changed"):
        scan_images(manifest)
    assert not [path for path in own_cache.glob("scans/*") if path.is_dir()]
    assert cv2.getNumThreads() == threads


def test_a_file_that_is_gone_is_no_unreadable_image(manifest, own_cache):
    """A node of a cluster that lacks the images must not call them unreadable."""
    (manifest.root / "b/1.png").unlink()
    with pytest.raises(DessinError, match=r"b/1\.png was there before, and .* has no .*b/1\.png"):
        scan_images(manifest)
    assert not [path for path in own_cache.glob("scans/*") if path.is_dir()]


def test_another_manifest_is_another_scan(manifest):
    scan_images(manifest)
    fewer = dataclasses.replace(manifest, rows=manifest.rows[1:])
    assert len(scan_images(fewer).measurements) == len(manifest.rows) - 1
