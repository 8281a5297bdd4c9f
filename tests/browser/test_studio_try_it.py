"""The studio's page "Try it" in a real Chromium: drawing by mouse and finger, upload, paste, keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from studio_server import Window, open_window, served

from dessin.answers.committee import set_confidence
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import write_split
from dessin.collection.split.plan import make_split
from dessin.progress import quiet
from dessin.recipe import make_recipe
from dessin.runs.train import train
from dessin.studio.try_it.canvas import PenStroke, Strokes
from dessin.studio.try_it.render import render

pytestmark = pytest.mark.browser
RECIPE = {
    "image": {"size": 32},
    "model": {"backbone": "test_efficientnet", "weights": "none"},
    "finetune": {"mode": "full"},
    "optimizer": {"lr": 2e-3},
    "train": {"epochs": 12, "batch_size": 8},
}
WAIT_MS = 60_000


def ring(random: np.random.Generator) -> Strokes:
    turns = np.linspace(0, 2 * np.pi, 30)
    wide, high = random.uniform(0.25, 0.4, 2)
    points = np.stack([wide * np.cos(turns), high * np.sin(turns)], axis=1) + 0.5
    return (PenStroke(0.012, points),)


def bars(random: np.random.Generator) -> Strokes:
    places = np.linspace(0.15, 0.85, 5) + random.uniform(-0.03, 0.03, 5)
    return tuple(
        PenStroke(0.012, np.array([[x, 0.1], [x + random.uniform(-0.03, 0.03), 0.9]])) for x in places
    )


CLASSES: dict[str, Callable[[np.random.Generator], Strokes]] = {"bars": bars, "ring": ring}


def split_each_alone(drawings: Path, out: Path) -> None:
    """No groups: rings are so alike that they would be taken for copies of one another."""
    manifest = build_manifest(read_collection(drawings))
    labels = {row.image_id: row.label for row in manifest.rows}
    made = make_split(labels, {name: name for name in labels}, folds=3, holdout=0.0, seed=0)
    write_split(replace(made, manifest_digest=manifest.digest, images=len(labels)), out)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("try")
    for c, (label, draw) in enumerate(CLASSES.items()):
        (folder / "drawings" / label).mkdir(parents=True)
        for i in range(20):
            page = render(draw(np.random.default_rng([c, i])))
            Image.fromarray(page).save(folder / "drawings" / label / f"{i:02d}.png")
    with quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        split_each_alone(folder / "drawings", folder / "split.csv")
        train(make_recipe(RECIPE), data=folder / "drawings", split=folder / "split.csv", out=folder / "run")
        yield folder


@pytest.fixture(scope="module")
def address(workspace: Path) -> Iterator[str]:
    with served(workspace) as address:
        yield address


def opened(browser: Browser, address: str, width: int = 1280) -> Window:
    window = open_window(browser, address, width)
    window.page.locator("canvas").wait_for(timeout=WAIT_MS)
    window.settle()
    return window


def draw(page: Page, strokes: Strokes) -> None:
    box = page.locator("canvas").bounding_box()
    assert box is not None
    for stroke in strokes:
        x, y = (stroke.points * box["width"] + [box["x"], box["y"]]).T
        page.mouse.move(x[0], y[0])
        page.mouse.down()
        for point in zip(x[1:], y[1:], strict=True):
            page.mouse.move(*point)
        page.mouse.up()


def check_quiet(window: Window) -> None:
    assert window.complaints == []
    allowed = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:http://127.0.0.1:", "data:")
    assert [url for url in window.requests if not url.startswith(allowed)] == []
    window.page.close()


@pytest.mark.parametrize("label", list(CLASSES))
def test_a_drawing_is_named_and_all_of_it_is_taken_back_by_keys(
    address: str, browser: Browser, output: Path, label: str
) -> None:
    window = opened(browser, address)
    page = window.page
    window.picture(output / "try-empty-1280.png")
    strokes = CLASSES[label](np.random.default_rng(99))
    draw(page, strokes)
    expect(page.locator(".said")).to_have_text(f"Strokes: {len(strokes)}")
    expect(page.locator(".verdict strong")).to_have_text(label, timeout=WAIT_MS)
    window.settle()
    expect(page.get_by_alt_text(f"What spoke for {label}")).to_be_visible()
    expect(page.get_by_text("medians of 40 training drawings")).to_be_visible()
    window.picture(output / f"try-{label}-1280.png")
    page.locator("canvas").focus()
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUSED) == "Undo"
    page.keyboard.press("Tab")
    assert page.evaluate(_FOCUSED) == "Clear"
    page.keyboard.press("Enter")
    expect(page.locator(".waiting")).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_have_text(f"Strokes: {len(strokes)}")
    expect(page.locator(".verdict strong")).to_have_text(label, timeout=WAIT_MS)
    page.keyboard.press("Control+z")
    left = f"Strokes: {len(strokes) - 1}" if len(strokes) > 1 else "Draw here"
    expect(page.locator(".said")).to_contain_text(left)
    check_quiet(window)


_FOCUSED = """(() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one.textContent;
})()"""
_PASTE = """(data) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], 'pasted.png', { type: 'image/png' }));
  document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: carried, bubbles: true }));
}"""


def test_a_file_is_named_and_a_drawing_is_still_there_afterwards(
    workspace: Path, address: str, browser: Browser
) -> None:
    window = opened(browser, address)
    page = window.page
    draw(page, ring(np.random.default_rng(5)))
    expect(page.locator(".verdict strong")).to_have_text("ring", timeout=WAIT_MS)
    page.get_by_text("Upload", exact=True).first.click()
    page.locator("input[type=file]").set_input_files(workspace / "drawings" / "bars" / "00.png")
    expect(page.locator(".verdict strong")).to_have_text("bars", timeout=WAIT_MS)
    page.get_by_text("Draw or paste", exact=True).click()
    expect(page.locator(".verdict strong")).to_have_text("ring", timeout=WAIT_MS)
    check_quiet(window)


def test_a_pasted_picture_is_named_and_a_broken_one_is_refused_in_words(
    workspace: Path, address: str, browser: Browser
) -> None:
    import base64

    window = opened(browser, address)
    page = window.page
    data = (workspace / "drawings" / "ring" / "00.png").read_bytes()
    page.evaluate(_PASTE, base64.b64encode(data).decode())
    expect(page.locator(".verdict strong")).to_have_text("ring", timeout=WAIT_MS)
    page.evaluate(_PASTE, base64.b64encode(data[:60]).decode())
    expect(page.get_by_role("alert")).to_contain_text("cannot be read", timeout=WAIT_MS)
    check_quiet(window)


def test_fingers_draw_on_a_phone_which_does_not_scroll_meanwhile(
    address: str, browser: Browser, output: Path
) -> None:
    window = opened(browser, address, width=390)
    page = window.page
    box = page.locator("canvas").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)
    points = ring(np.random.default_rng(7))[0].points * box["width"] + [box["x"], box["y"]]
    for number, (x, y) in enumerate(points):
        kind = "touchMove" if number else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(".said")).to_have_text("Strokes: 1")
    expect(page.locator(".verdict strong")).to_have_text("ring", timeout=WAIT_MS)
    after = page.locator("canvas").bounding_box()
    assert after is not None
    assert after["y"] == box["y"]
    assert window.widest() <= 390
    window.picture(output / "try-390.png")
    check_quiet(window)


def test_an_unsure_model_says_so(workspace: Path, browser: Browser, output: Path) -> None:
    set_confidence(workspace / "run" / "bundle", temperature=1.5, threshold=1.0, rejection=None)
    with served(workspace) as address:
        window = opened(browser, address)
        draw(window.page, ring(np.random.default_rng(7)))
        expect(window.page.locator(".verdict strong")).to_have_text("Not sure", timeout=WAIT_MS)
        expect(window.page.locator(".verdict")).to_contain_text("The likeliest is ring")
        expect(window.page.get_by_text("Probabilities are calibrated.")).to_be_visible()
        window.settle()
        window.picture(output / "try-unsure-1280.png")
        check_quiet(window)
