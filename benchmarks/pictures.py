"""The pictures of the README, from a real run of the demo: report, atlas, trust card, and studio.

DEMO is the folder that `make demo` wrote. What the card shows of robustness and confidence is measured
before, into the run, as for any other:

    dessin evaluate  demo-out/result/run --robustness --out robust
    dessin calibrate demo-out/result/run --out confidence
    python benchmarks/pictures.py demo-out [--out docs/pictures] [--only report,atlas,card,studio]

Needed: Playwright and a Chromium, and Streamlit for the studio. Drawings in the pictures are the demo's own.
"""

from __future__ import annotations

import argparse
import io
import math
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from dessin.trust.card.verb import card
from dessin.trust.mistakes.verb import mistakes

WIDTH, TALLEST = 1200, 1100
LARGEST = 200 * 1024
COLOURS = (256, 192, 128, 96, 64)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE_MS = 60_000
SETTLED_MS = 8_000


def main() -> None:
    options = _options()
    names = options.only.split(",")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No chromium here (apt-get install chromium).")
    out, demo = options.out.absolute(), options.demo.absolute()
    out.mkdir(parents=True, exist_ok=True)
    # The demo's record names its drawings as seen from where it was made.
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch, chdir(demo.parent):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in names:
            picture = PICTURES[name](browser, demo, Path(scratch))
            data = _palette(picture)
            (out / f"{name}.png").write_bytes(data)
            width, height = Image.open(io.BytesIO(data)).size
            print(f"{name}.png: {width} x {height}, {len(data) / 1024:.0f} KiB")
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--only", default=",".join(PICTURES))
    return parser.parse_args()


def _report(browser: Browser, demo: Path, _scratch: Path) -> bytes:
    page = _open_file(browser, demo / "result" / "index.html")
    return _part(page, None, "Class by class")


def _atlas(browser: Browser, demo: Path, scratch: Path) -> bytes:
    mistakes(demo / "result" / "run", out=scratch / "atlas")
    page = _open_file(browser, scratch / "atlas" / "index.html")
    return _part(page, "What is taken for what", "Classes that are confused")


def _card(browser: Browser, demo: Path, scratch: Path) -> bytes:
    card(demo / "result" / "run", out=scratch / "card.html")
    return _part(_open_file(browser, scratch / "card.html"), None, "What it was not tested on")


def _studio(browser: Browser, demo: Path, _scratch: Path) -> bytes:
    with _running_studio(demo) as address:
        page = browser.new_page(viewport={"width": WIDTH, "height": 1200}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        canvas = page.locator("canvas").first
        canvas.wait_for()
        _draw_flower(page, canvas)
        page.wait_for_timeout(SETTLED_MS)
        # Without the sidebar, which names the folder on this machine.
        sidebar = page.get_by_test_id("stSidebar").bounding_box()
        assert sidebar is not None
        left = sidebar["x"] + sidebar["width"] + 40
        return page.screenshot(clip={"x": left, "y": 50, "width": WIDTH - left, "height": 1080})


PICTURES: dict[str, Callable[[Browser, Path, Path], bytes]] = {
    "report": _report,
    "atlas": _atlas,
    "card": _card,
    "studio": _studio,
}


def _open_file(browser: Browser, path: Path) -> Page:
    page = browser.new_page(viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce")
    page.goto(path.as_uri())
    page.evaluate("Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode() }))")
    return page


def _part(page: Page, first: str | None, after: str) -> bytes:
    """The page from one heading to another, or from its top."""
    top = _top_of(page, first) - 24 if first else 0.0
    bottom = _top_of(page, after) - 24
    clip = {"x": 0.0, "y": top, "width": float(WIDTH), "height": min(bottom - top, float(TALLEST))}
    return page.screenshot(clip=clip, full_page=True)  # type: ignore[arg-type]


def _top_of(page: Page, heading: str) -> float:
    script = "(e) => e.getBoundingClientRect().top + window.scrollY"
    return float(page.get_by_role("heading", name=heading).first.evaluate(script))


@contextmanager
def _running_studio(demo: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "dessin", "studio", str(demo), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))
            _wait_for(found.group())
            yield found.group()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            with urlopen(f"{address}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit(f"The studio at {address} did not begin to answer.")


def _draw_flower(page: Page, canvas: Locator) -> None:
    """A head with five petals, a stem and two leaves, in the canvas's own middle."""
    box = canvas.bounding_box()
    assert box is not None
    x, y, size = (
        box["x"] + box["width"] / 2,
        box["y"] + box["height"] * 0.36,
        min(box["width"], box["height"]),
    )

    def oval(right: float, down: float, wide: float, high: float) -> list[tuple[float, float]]:
        turns = [2 * math.pi * i / 28 for i in range(30)]
        return [(right + wide * math.cos(turn), down + high * math.sin(turn)) for turn in turns]

    petals = [2 * math.pi * i / 5 - math.pi / 2 for i in range(5)]
    strokes = [oval(0, 0, 0.07, 0.07)]
    strokes += [oval(0.16 * math.cos(turn), 0.16 * math.sin(turn), 0.09, 0.09) for turn in petals]
    strokes += [[(0.0, 0.24 + 0.033 * i) for i in range(11)]]
    strokes += [oval(-0.09, 0.46, 0.08, 0.03), oval(0.09, 0.42, 0.08, 0.03)]
    for stroke in strokes:
        points = [(x + size * right, y + size * down) for right, down in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def _palette(picture: bytes) -> bytes:
    """A PNG with a palette, of as many colours as fit into the size that a README may ask for."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in COLOURS:
        buffer = io.BytesIO()
        few = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
        if buffer.tell() < LARGEST:
            return buffer.getvalue()
    sys.exit(f"A picture has {buffer.tell():,} bytes; choose a smaller part of the page.")


if __name__ == "__main__":
    main()
