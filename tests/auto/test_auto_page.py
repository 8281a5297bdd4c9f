"""Whether `auto` looks for the page in photographs, and what it then shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desk import as_jpeg, as_png, photographed
from PIL import Image, ImageDraw

from dessin.auto.page import SHOWN, choose_page, photographs_of, some_of
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.doodles.drawing import draw_doodle

IDS = [f"cat/{number}.png" for number in range(40)]


@pytest.mark.parametrize(("photographs", "of"), [(0, 100), (1, 200), (40, 40), (0, 0)])
def test_pages_are_looked_for_unless_it_is_asked_otherwise(photographs: int, of: int) -> None:
    assert choose_page(IDS[:photographs], of).value == "auto"
    assert choose_page(IDS[:photographs], of, "off").value == "off"


def test_the_reason_has_the_share_and_the_count() -> None:
    said = choose_page(IDS[:37], 100).line()
    assert said.startswith("page: auto (37% of the drawings are photographs of paper (37 of 100)")
    assert "none of 100 drawings is a photograph of paper" in choose_page([], 100).reason
    assert choose_page(IDS, 40, "off").line() == (
        "page: off (asked for; 100% of the drawings are photographs of paper (40 of 40))"
    )
    assert choose_page([], 40, "auto").value == "auto"


def test_a_few_are_shown_from_the_first_to_the_last() -> None:
    assert some_of(IDS[:3]) == tuple(IDS[:3])
    assert len(some_of(IDS)) == SHOWN
    assert some_of(IDS)[0] == IDS[0]


def write_collection(folder: Path, *, of_paper: int) -> Path:
    """Two classes of six: each has `of_paper` photographs, and clean drawings for the rest."""
    for label in ("cat", "house"):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            path = folder / label / f"{number}.png"
            if number < of_paper:
                taken = photographed(draw_doodle(label, number, seed=0).data, number, height=240, width=320)
                path.with_suffix(".jpg").write_bytes(as_jpeg(taken))
            else:
                image = Image.new("RGB", (90, 90), (255, 255, 255))
                ImageDraw.Draw(image).line((10, 10 + 6 * number, 70, 80), fill=(0, 0, 0), width=3)
                path.write_bytes(as_png(np.array(image)))
    (folder / "cat" / "broken.png").write_bytes(b"no image")
    return folder


def test_photographs_are_found_among_clean_drawings_and_broken_files(tmp_path: Path) -> None:
    manifest = build_manifest(read_collection(write_collection(tmp_path / "data", of_paper=2)))
    found, looked_at = photographs_of(manifest, scan_images(manifest))
    assert found == ["cat/0.jpg", "cat/1.jpg", "house/0.jpg", "house/1.jpg"]
    assert looked_at == 12
