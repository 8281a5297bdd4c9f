from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scribbles import encode, scribble, write_drawings

from dessin.collection.checks import images
from dessin.collection.checks.base import Context, Issue
from dessin.collection.duplicates import find_duplicates
from dessin.collection.issues import CHECKS, default_kinds, run_checks
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images


def context_of(root: Path, drawings: dict[str, bytes]) -> Context:
    manifest = build_manifest(read_collection(write_drawings(root, drawings)))
    scan = scan_images(manifest)
    return Context(manifest, scan, find_duplicates(manifest, scan))


def issues_of(root: Path, drawings: dict[str, bytes], kind: str) -> list[Issue]:
    return CHECKS[kind].run(context_of(root, drawings))


def usual(count: int = 12, **shape: int) -> dict[str, bytes]:
    return {f"{'ab'[n % 2]}/usual{n:02d}.png": encode(scribble(500 + n, **shape)) for n in range(count)}


def test_every_check_has_words_for_people():
    for name, check in CHECKS.items():
        assert check.name == name
        assert check.title
        assert check.short == check.short.lower()
        assert check.summary.endswith(".")


def test_what_a_curation_does_without_being_asked():
    assert default_kinds() == ("unreadable", "exact_duplicate", "label_conflict")


def test_ordinary_drawings_have_no_issues(tmp_path):
    assert run_checks(context_of(tmp_path / "d", usual())) == ()


def test_unreadable_files_carry_their_reason(tmp_path):
    (issue,) = issues_of(tmp_path / "d", usual() | {"a/broken.png": b"no image"}, "unreadable")
    assert (issue.image_id, issue.score) == ("a/broken.png", 1.0)
    assert issue.detail


@pytest.fixture
def copies(tmp_path) -> Context:
    one, two, three = scribble(1), scribble(2), scribble(3)
    drawings = {
        "a/1.png": encode(one),
        "a/1copy.png": encode(one),
        "b/1same.bmp": encode(one, ".bmp"),
        "a/2.png": encode(two),
        "a/2turned.jpg": encode(np.rot90(two), ".jpg"),
        "a/3.png": encode(three),
        "b/3mirror.jpg": encode(np.fliplr(three), ".jpg"),
    }
    return context_of(tmp_path / "d", usual() | drawings)


def test_exact_duplicates_name_the_first_image(copies):
    found = {(i.image_id, i.other_id, i.detail) for i in CHECKS["exact_duplicate"].run(copies)}
    assert found == {
        ("a/1copy.png", "a/1.png", "bytes, same class"),
        ("b/1same.bmp", "a/1.png", "pixels, across classes"),
    }


def test_near_duplicates_begin_with_the_symmetry(copies):
    found = {(i.image_id, i.other_id, i.detail) for i in CHECKS["near_duplicate"].run(copies)}
    assert found == {
        ("a/2turned.jpg", "a/2.png", "rot90, same class"),
        ("b/3mirror.jpg", "a/3.png", "hflip, across classes"),
    }


def test_a_conflict_names_both_sides_and_every_copy(copies):
    found = {i.image_id: i.other_id for i in CHECKS["label_conflict"].run(copies)}
    assert found == {
        "a/1.png": "b/1same.bmp",
        "a/1copy.png": "b/1same.bmp",  # through a/1.png
        "b/1same.bmp": "a/1.png",
        "a/3.png": "b/3mirror.jpg",
        "b/3mirror.jpg": "a/3.png",
    }


def test_blank_and_nearly_blank_pages(tmp_path):
    white = np.full((200, 200, 3), 255, dtype=np.uint8)
    speck = white.copy()
    speck[50:55, 50:55] = 0
    found = issues_of(tmp_path / "d", usual() | {"a/w.png": encode(white), "b/s.png": encode(speck)}, "blank")
    assert [i.image_id for i in found] == ["a/w.png", "b/s.png"]
    assert 1.0 == found[0].score > found[1].score >= 0.5


def test_fainter_is_a_higher_score(tmp_path):
    faint = {f"a/f{level}.png": encode(scribble(7, level=level, pen=3)) for level in (120, 200, 225)}
    found = issues_of(tmp_path / "d", usual() | faint, "low_contrast")
    assert [i.image_id for i in found] == ["a/f200.png", "a/f225.png"]
    assert found[0].score < found[1].score < 1


def test_two_drawings_on_a_page(tmp_path):
    left, right = scribble(8), scribble(9)
    pages = {
        "a/two.png": encode(np.hstack([left, right])),
        "a/one.png": encode(np.hstack([left, left * 0 + 255])),
    }
    context = context_of(tmp_path / "d", usual() | pages)
    (issue,) = CHECKS["several_objects"].run(context)
    assert issue.image_id == "a/two.png"
    assert images.SeveralObjects(least=1.01).run(context) == []


@pytest.mark.parametrize("scale", [0.2, 6.0])
def test_odd_sizes_in_both_directions(tmp_path, scale):
    shape = {"height": round(160 * scale), "width": round(200 * scale)}
    found = issues_of(tmp_path / "d", usual() | {"a/odd.png": encode(scribble(10, **shape))}, "odd_size")
    assert [i.image_id for i in found] == ["a/odd.png"]


def test_a_collection_of_all_sizes_has_no_odd_one(tmp_path):
    sizes = np.geomspace(40, 900, 16).astype(int)
    drawings = {f"{'ab'[n % 2]}/{n}.png": encode(scribble(n, height=s, width=s)) for n, s in enumerate(sizes)}
    assert issues_of(tmp_path / "d", drawings, "odd_size") == []


def test_wide_and_tall_are_equally_odd(tmp_path):
    drawings = usual(height=160, width=160) | {
        "a/wide.png": encode(scribble(11, height=100, width=350)),
        "b/tall.png": encode(scribble(12, height=350, width=100)),
    }
    found = issues_of(tmp_path / "d", drawings, "odd_aspect")
    assert [i.image_id for i in found] == ["a/wide.png", "b/tall.png"]
    assert found[0].score == pytest.approx(found[1].score)


def test_the_minority_mode_is_named_and_none_without_a_majority(tmp_path):
    gray = {f"a/g{n}.png": encode(scribble(20 + n)[..., :1]) for n in range(4)}
    found = issues_of(tmp_path / "d", usual(12) | gray, "mode_differs")
    assert [i.image_id for i in found] == sorted(gray)
    assert {i.score for i in found} == {0.75}
    assert found[0].detail == "L; 75% are RGB"
    assert issues_of(tmp_path / "e", usual(4) | gray, "mode_differs") == []


def transparent(seed: int, level: int) -> bytes:
    """A scribble in one level of gray on a transparent ground."""
    ink = 255 - scribble(seed)[..., 0]
    layer = np.dstack([np.full((*ink.shape, 3), level, np.uint8), ink])
    buffer = BytesIO()
    Image.fromarray(layer).save(buffer, "PNG")
    return buffer.getvalue()


def test_white_ink_on_transparency_is_seen_for_what_it_is(tmp_path):
    """On white these would be blank, copies of each other, and in both classes."""
    drawings = {f"{'ab'[n % 2]}/{n:02d}.png": transparent(600 + n, 255) for n in range(8)}
    drawings |= {f"{'ab'[n % 2]}/{n:02d}.png": transparent(600 + n, 0) for n in range(8, 12)}
    found = run_checks(context_of(tmp_path / "d", drawings))
    assert {issue.issue for issue in found} == {"white_ink"}
    assert [issue.image_id for issue in found] == sorted(list(drawings)[:8])


def test_a_jpeg_without_its_end_mark_is_used_and_said(tmp_path):
    whole = encode(scribble(3), ".jpg")
    drawings = usual() | {"a/cut.jpg": whole[:-2], "a/lost.jpg": whole[:-40]}
    context = context_of(tmp_path / "d", drawings)
    assert [issue.image_id for issue in CHECKS["truncated"].run(context)] == ["a/cut.jpg"]
    assert [issue.image_id for issue in CHECKS["unreadable"].run(context)] == ["a/lost.jpg"]


def test_all_scores_are_shares_and_all_images_known(copies):
    issues = run_checks(copies)
    ids = {row.image_id for row in copies.manifest.rows}
    assert all(0 <= issue.score <= 1 for issue in issues)
    assert all(i.image_id in ids and (not i.other_id or i.other_id in ids) for i in issues)
    assert issues == tuple(sorted(issues, key=lambda i: list(CHECKS).index(i.issue)))
