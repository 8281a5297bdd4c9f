"""A cap stops each kind of image that costs too much, and the costliest legal ones stay within bounds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from crafted_images import (
    deep_png,
    encoded,
    gif,
    lossy_webp,
    many_chunks,
    many_segments,
    noise,
    png,
    png_chunk,
    progressive,
    raw_jpeg,
    rle_bmp,
    scans,
    sized_webp,
    tall_png,
    text_png,
    webp_chunks,
)
from fuzz_kit import cases
from PIL import Image

from dessin.images.containers.jpeg import MAX_SCANS
from dessin.images.containers.read import read_container
from dessin.images.decode import MAX_SIDE, Unreadable, decode, read_header

pytestmark = pytest.mark.slow

# A machine of tests can be slow and busy, and processor time grows with both: the bound is on how often a
# page of nine million pixels could be written as a PNG, read and resized meanwhile. It is 1 to 3.3 times.
PAGES, MEBIBYTES = 5.0, 500

STOPPED: dict[str, tuple[Callable[[], bytes], str]] = {
    "scans": (lambda: scans(64, 64, 2000), f"more than {MAX_SCANS} JPEG scans"),
    "few scans of a large page": (
        lambda: scans(6400, 6200, 80),
        "too costly a progressive JPEG (86 scans, 6400x6200",
    ),
    "segments": (lambda: many_segments(200_000), "more than 65,536 JPEG segments"),
    "chunks": (lambda: many_chunks(200_000), "more than 65,536 PNG chunks"),
    "empty pixel chunks": (lambda: many_chunks(200_000, b"IDAT"), "more than 65,536 PNG chunks"),
    "WebP chunks": (lambda: webp_chunks(200_000), "more than 65,536 WebP chunks"),
    "sub-blocks": (lambda: gif(750, 750, block=1), "more than 524,288 GIF blocks"),
    "a side": (lambda: tall_png(MAX_SIDE + 1), "a side too long"),
    "runs of one": (lambda: rle_bmp(3000, 2600, b"\1\0" * 3000 * 2600), "too large a run-length BMP"),
    "runs of a large page": (lambda: rle_bmp(6000, 6000, b"\0\1"), "too large a run-length BMP"),
    "16 bits": (lambda: png(6200, 6200, 16, 6, b"\0"), "16 bits a channel"),
    "pixels": (
        lambda: png(9000, 6700, 1, 0, b"\0"),
        "60.3 million pixels (9000x6700); up to 40 million are read",
    ),
    "arithmetic codes": (
        lambda: raw_jpeg(0xC9, 3000, 3000, 3, bytes(range(255)) * 35_000),
        "too large a JPEG of arithmetic codes (9 MiB)",
    ),
    "a lossy WebP with transparency": (
        lambda: sized_webp(lossy_webp(64, 64), 6400, 5100),
        "too large a lossy WebP (6400x5100); save it smaller, or as a JPEG or PNG",
    ),
    "a plain lossy WebP": (
        lambda: encoded(Image.new("RGB", (6400, 5100)), "WEBP", method=0),
        "too large a lossy",
    ),
    "no codes at all": (lambda: raw_jpeg(0xC3, 3000, 3000, 1, bytes(range(255)) * 4000), ""),
}

MEASURE = """
import json, resource, sys, time
from io import BytesIO
from pathlib import Path
import numpy as np
from PIL import Image
from dessin.collection.measure import measure
from dessin.images.containers.read import read_container
from dessin.images.decode import Unreadable, decode
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec
data = Path(sys.argv[1]).read_bytes()
for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):  # what is loaded once is no part of an image
    warm = BytesIO()
    Image.new("RGB", (9, 9)).save(warm, kind)
    measure(warm.getvalue())
prepare(decode(warm.getvalue()).pixels, ImageSpec(size=32, fit="trim"), "bicubic")
def peak():
    status = Path("/proc/self/status")  # getrusage also counts the process that started this one
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
before, start = peak(), time.process_time()
try:
    pixels = decode(data).pixels
    prepare(pixels, ImageSpec(size=224, fit="trim"), "bicubic")
    reason = ""
except Unreadable as error:
    reason = error.reason
seconds, memory = time.process_time() - start, peak() - before
def page_seconds():
    levels = np.random.default_rng(0).integers(0, 4, (3000, 3000, 3), dtype=np.uint8)
    page, file, start = Image.fromarray(levels * 60), BytesIO(), time.process_time()
    page.save(file, "PNG", compress_level=1)
    Image.open(file).resize((1500, 1500), Image.Resampling.BICUBIC)
    return time.process_time() - start
print(json.dumps([seconds / max(page_seconds(), page_seconds()), memory, reason]))
"""


def cost(data: bytes, folder: Path) -> tuple[float, float, str]:
    """Cost in ordinary pages and MiB of decoding and fitting in a process of its own; why it is refused."""
    (folder / "image").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder / "image")], capture_output=True, text=True, check=True
    )
    pages, memory, reason = json.loads(done.stdout)
    return pages, memory, reason


@pytest.mark.parametrize("kind", STOPPED)
def test_what_costs_too_much_is_refused_at_once(kind: str) -> None:
    make, words = STOPPED[kind]
    with pytest.raises(Unreadable) as caught:
        decode(make())
    assert words in caught.value.reason
    assert len(caught.value.reason) < 200


LARGEST: dict[str, Callable[[], bytes]] = {
    "16-bit PNG": lambda: deep_png(5100, 5100),
    "progressive JPEG": lambda: progressive(8000, 5000),
    "lossless WebP": lambda: encoded(
        noise(4000, 2000, "RGBA").resize((8000, 5000), 0), "WEBP", lossless=True, method=0, quality=0
    ),
    "strip": lambda: png(
        MAX_SIDE, 610, 8, 0, (b"\0" + bytes(MAX_SIDE)) * 300 + (b"\0" + b"\xff" * MAX_SIDE) * 310
    ),
    "JPEG of scans": lambda: scans(8000, 5000, 12, mode="RGB"),
    "CMYK JPEG": lambda: encoded(noise(8000, 5000, "CMYK"), "JPEG", quality=30, subsampling=0),
    "GIF": lambda: gif(8000, 5000),
    "lossy WebP": lambda: lossy_webp(8000, 4000, "RGB"),
    "lossy WebP with transparency": lambda: lossy_webp(8000, 4000),
}


@pytest.mark.parametrize("kind", list(LARGEST)[: cases(4)])
def test_the_costliest_legal_images_stay_within_bounds(kind: str, tmp_path: Path) -> None:
    pages, memory, reason = cost(LARGEST[kind](), tmp_path)
    assert reason == ""
    assert pages < PAGES
    assert memory < MEBIBYTES


def test_the_measure_would_notice(tmp_path: Path) -> None:
    """A picture of 20 million pixels is held as 60 MB at least, and its file."""
    pages, memory, _ = cost(encoded(noise(5000, 4000), "BMP"), tmp_path)
    assert memory > 110
    assert pages > 0.01


def test_ordinary_files_are_far_below_the_caps() -> None:
    for mode in ("L", "RGB", "CMYK"):
        assert decode(progressive(200, 150, mode=mode)).width == 200
    assert decode(scans(64, 64, 80)).width == 64
    assert decode(many_chunks(5000)).width == 1
    assert decode(many_segments(5000)).width == 8
    assert decode(webp_chunks(5000)).width == 8
    assert read_container(sized_webp(lossy_webp(64, 64), 6400, 5000)).width == 6400
    assert decode(gif(300, 300, block=1)).width == 300
    assert read_header(tall_png(MAX_SIDE)).height == MAX_SIDE


def test_a_png_with_a_large_text_is_read() -> None:
    page = noise(40, 30)
    assert (decode(text_png(page, 3_000_000)).pixels == np.asarray(page)).all()


@pytest.mark.parametrize(
    "kind", [b"iCCP", b"gAMA", b"sBIT", b"bKGD", b"pHYs", b"tIME", b"iTXt", b"prVt", b"hIST"]
)
def test_chunks_that_do_not_draw_may_hold_anything(kind: bytes) -> None:
    page = Image.new("L", (5, 4), 77)
    whole = encoded(page, "PNG")
    for junk in (b"", b"\xff" * 9, bytes(70_000)):
        assert (decode(whole[:33] + png_chunk(kind, junk) + whole[33:]).pixels == 77).all()


def test_a_webp_is_read_as_pillow_reads_it() -> None:
    """It is decoded by another library than the rest, and must have the same pixels."""
    for mode in ("L", "RGB", "RGBA", "LA"):
        for number, options in enumerate(({}, {"lossless": True}, {"quality": 30, "method": 6})):
            data = encoded(noise(41, 29, mode, seed=number), "WEBP", **options)
            with Image.open(BytesIO(data)) as image:
                assert read_header(data).mode == image.mode
                paper = Image.new("RGBA", image.size, "white")
                paper.alpha_composite(image.convert("RGBA"))
            difference = np.abs(decode(data).pixels.astype(int) - np.asarray(paper.convert("RGB")))
            assert difference.max() <= (1 if image.mode == "RGBA" else 0)  # rounding of the half-transparent
