"""A model's page in a real Chromium: it answers as the runtime does, from a file and from a server."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files as files_of
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from desk import photographed
from linear_models import write_every_kind, write_linear
from page_kit import Opened, check_accessible, open_page
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from dessin.doodles.drawing import draw_doodle
from dessin.images.decode import decode
from dessin.images.evenly import evened, without_ruling
from dessin.images.fit import prepare_for
from dessin.serving.export.verb import export
from dessin.serving.runtime import Runtime

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)

SUBJECTS = ("cat", "house", "star", "tree")
ASK = "async (bytes) => dessin.answer(new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]))"


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def files() -> Mapping[str, bytes]:
    """Doodles as files of every kind that a browser and the runtime both read."""
    found = {f"{subject}.png": draw_doodle(subject, 1, seed=0).data for subject in SUBJECTS}
    image = Image.open(BytesIO(draw_doodle("cat", 2, seed=0).data)).convert("RGB").resize((313, 207))
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 255, (23, 31, 3), dtype=np.uint8)).resize(
        (301, 222)
    )
    ink = image.convert("L").point(lambda level: 255 - level)
    turned = Image.Exif()
    turned[0x112] = 6
    clear, white = Image.new("RGB", image.size, (200, 30, 90)), Image.new("RGB", image.size, "white")
    for layer in (clear, white):
        layer.putalpha(ink)
    return {
        **found,
        "wide.png": written(image.resize((500, 90)), "PNG"),
        "tall.png": written(image.resize((90, 500)), "PNG"),
        "colours, tall.png": written(colours.resize((150, 600)), "PNG"),
        "small.png": written(image.resize((20, 31)), "PNG"),
        "gray.png": written(image.convert("L"), "PNG"),
        "palette.png": written(image.quantize(16), "PNG"),
        "transparent.png": written(clear, "PNG"),
        "white ink.png": written(white, "PNG"),
        "turned.png": written(image, "PNG", exif=turned),
        "drawing.jpg": written(image, "JPEG", quality=80),
        "turned.jpg": written(image, "JPEG", exif=turned),
        "colours.jpg": written(colours, "JPEG", quality=90),
        "colours 4:4:4.jpg": written(colours, "JPEG", subsampling=0, progressive=True),
        "gray.jpg": written(image.convert("L"), "JPEG"),
        "colours.webp": written(colours, "WEBP"),
        "colours.gif": written(colours, "GIF"),
    }


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory, web_runtime: Path) -> Path:
    """A folder with a committee and, in `page`, its page."""
    folder = tmp_path_factory.mktemp("every kind")
    write_every_kind(folder / "model")
    export(folder / "model", page=folder / "page", runtime=web_runtime)
    return folder


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory, web_runtime: Path) -> Path:
    """The page of one model, which looks for the sheet of paper in photographs."""
    folder = tmp_path_factory.mktemp("single")
    write_linear(folder / "model", page="auto")
    export(folder / "model", page=folder / "page", runtime=web_runtime)
    return folder / "page" / "index.html"


@pytest.fixture(scope="module")
def served(single: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(single.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def open_ready(browser: Browser, path: Path, width: int) -> Opened:
    """The page once its model is unpacked, which takes as long as the machine has other things to do."""
    opened = open_page(browser, path, width)
    opened.page.evaluate("dessin.ready")
    return opened


def test_it_answers_as_the_runtime_to_files_of_every_kind(every_kind: Path, browser: Browser) -> None:
    runtime = Runtime.load(every_kind / "model", threads=1)
    opened = open_ready(browser, every_kind / "page" / "index.html", 1280)
    for name, data in files().items():
        ours = runtime.answer([prepare_for(decode(data).pixels, runtime.fittings)])
        theirs = opened.page.evaluate(ASK, base64.b64encode(data).decode())
        np.testing.assert_allclose(theirs["probabilities"], ours.probabilities[0], atol=2e-4, err_msg=name)
        assert ours.scores is not None
        assert theirs["score"] == pytest.approx(ours.scores[0], abs=2e-3), name
    assert opened.complaints == []
    opened.page.close()


def test_paper_is_evened_and_rid_of_ruling_as_in_python(browser: Browser) -> None:
    sheet = photographed(draw_doodle("house", 1, seed=0).data, 3)[60:420, 110:530].copy()
    sheet[::12] = sheet[::12] * 0.85
    sheet[:, :150] = sheet[:, :150] * 0.7  # a shadow
    page = browser.new_page()
    for name in ("fit.js", "even.js"):
        page.add_script_tag(content=(files_of("dessin.serving.export.web") / name).read_text("utf-8"))
    seen = page.evaluate(
        """([bytes, width, height]) => {
            const data = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
            const even = evened({ width, height, channels: 3, data });
            const text = ({ data }) => btoa(Array.from(data, (level) => String.fromCharCode(level)).join(""));
            return [even, withoutRuling(even)].map(text);
        }""",
        [base64.b64encode(sheet.tobytes()).decode(), sheet.shape[1], sheet.shape[0]],
    )
    page.close()
    even = evened(sheet)
    bare = without_ruling(even)
    assert (bare != even).any(axis=-1).mean() > 0.05
    for ours, theirs in zip((even, bare), seen, strict=True):
        theirs = np.frombuffer(base64.b64decode(theirs), np.uint8).reshape(ours.shape)
        assert np.abs(ours.astype(int) - theirs).mean() < 0.3


def drag(page: Page, *points: tuple[float, float]) -> None:
    """Over what is drawn on, in shares of its sides."""
    box = page.locator(".sheet:visible").bounding_box()
    assert box is not None
    for number, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def choose(page: Page, data: bytes) -> None:
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": data})


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (390, "ko")])
def test_it_is_whole_asks_for_nothing_and_can_be_used_by_mouse_and_by_keyboard_alone(
    single: Path, browser: Browser, width: int, language: str, output: Path
) -> None:
    opened = open_ready(browser, single, width)
    page = opened.page
    page.click(f"button[value={language}]")
    bars = page.locator("#bars li")
    drag(page, (0.2, 0.2), (0.8, 0.3), (0.5, 0.8))
    expect(bars).to_have_count(4)
    named = page.locator("#bars li span:first-child").all_inner_texts()
    assert sorted(named) == ["<i>tag</i>", "a cat", "constructor", "나무"]
    check_accessible(page)
    page.screenshot(path=output / f"model-page-{width}-{language}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.lang") == language
    page.keyboard.press("Control+z")
    expect(bars).to_have_count(0)
    page.focus("#pad")
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowRight", "Space"):
        page.keyboard.press(key)
    expect(bars).to_have_count(4)
    page.focus("#clear")
    page.keyboard.press("Enter")
    expect(bars).to_have_count(0)
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("blob:", "data:"))] == [single.as_uri()]
    page.close()


def test_pictures_are_chosen_pasted_dropped_and_photographed_and_a_part_of_them_is_looked_at(
    single: Path, browser: Browser
) -> None:
    opened = open_ready(browser, single, 1280)
    page = opened.page
    bars, data = page.locator("#bars li"), files()["cat.png"]
    choose(page, data)
    expect(bars).to_have_count(4)
    whole = page.locator("#bars").text_content() or ""
    drag(page, (0.3, 0.3), (0.5, 0.7))
    expect(page.locator("#whole")).to_be_enabled()
    expect(page.locator("#bars")).not_to_have_text(whole)
    page.click("#whole")
    expect(page.locator("#bars")).to_have_text(whole)
    page.focus("#picture")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator("#whole")).to_be_enabled()
    for event, member in (("paste", "clipboardData"), ("drop", "dataTransfer")):
        page.click("#back")
        expect(bars).to_have_count(0)
        page.evaluate(
            """([bytes, event, member]) => {
                const given = new DataTransfer();
                const content = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
                given.items.add(new File([content], "a.png", { type: "image/png" }));
                const happening = new Event(event, { cancelable: true });
                document.dispatchEvent(Object.assign(happening, { [member]: given }));
            }""",
            [base64.b64encode(data).decode(), event, member],
        )
        expect(page.locator("#bars")).to_have_text(whole)
    page.click("#back")
    page.click("#camera")
    page.click("#shoot")
    expect(bars).to_have_count(4)
    choose(page, b"no picture")
    expect(page.locator("#says")).to_contain_text("no picture that your browser can read")
    assert opened.complaints == []
    page.close()


def test_after_the_first_visit_it_needs_no_server_and_no_network(served: str, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served)
    expect(page.locator("#kept")).to_be_visible()
    context.set_offline(True)
    for address in (served, f"{served}index.html"):
        page.goto(address)
        page.evaluate("dessin.ready")
        drag(page, (0.2, 0.2), (0.8, 0.3), (0.5, 0.8))
        expect(page.locator("#bars li")).to_have_count(4)
    assert {url for url in asked if not url.startswith((served, "blob:", "data:"))} == set()
    context.close()


def test_it_says_when_it_is_unsure(single: Path, browser: Browser) -> None:
    """Of blank paper every class is as likely, one in four, and the threshold is 0.3."""
    page = open_ready(browser, single, 1280).page
    choose(page, written(Image.new("RGB", (60, 60), "white"), "PNG"))
    expect(page.locator("#verdict")).to_have_text("Not sure")
    expect(page.locator("#says")).to_contain_text("It answers from 30% up.")
    page.click("button[value=ko]")
    expect(page.locator("#verdict")).to_have_text("확신할 수 없음")
    choose(page, files()["cat.png"])
    expect(page.locator("#small")).to_have_text("모델의 답")
    page.close()
