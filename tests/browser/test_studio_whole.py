"""The studio in a real Chromium, from an empty folder to a model that is corrected and taught again: by mouse
in English, by keyboard alone in Korean on a phone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from desk import as_jpeg, as_png, photographed
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from studio_server import FLAGS, Window, begun, open_window

from dessin.answers.predictions import read_predictions
from dessin.collection.curation import read_curation
from dessin.studio.inbox import make_collection
from dessin.studio.texts import Texts, texts_in
from dessin.studio.try_it.canvas import PenStroke, Strokes
from dessin.studio.try_it.render import render
from dessin.studio.workspace import Workspace

pytestmark = pytest.mark.browser
WAIT_MS = 90_000
# Teaching takes ten seconds of a processor, and all of a minute where it is given a tenth of one.
TAUGHT_MS = 600_000
PEN = 0.03
A_CLASS, MISPLACED = 12, 7


def ring(random: np.random.Generator) -> Strokes:
    turns = np.linspace(0, 2 * np.pi, 20)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return tuple(
        PenStroke(PEN, circle * random.uniform(0.07, 0.2, 2) + random.uniform(0.25, 0.75, 2))
        for _ in range(random.integers(2, 5))
    )


def bars(random: np.random.Generator) -> Strokes:
    count = random.integers(3, 7)
    places = np.linspace(0.15, 0.85, count) + random.uniform(-0.05, 0.05, count)
    return tuple(
        PenStroke(PEN, np.array([[x, random.uniform(0.08, 0.3)], [x, random.uniform(0.7, 0.92)]]))
        for x in places
    )


def wave(random: np.random.Generator) -> Strokes:
    count = random.integers(4, 9)
    heights = random.uniform(0.35, 0.65) + random.uniform(0.08, 0.2) * (-1.0) ** np.arange(count)
    return (PenStroke(PEN, np.stack([np.linspace(0.08, 0.92, count), heights], axis=1)),)


SHAPES: dict[str, Callable[[np.random.Generator], Strokes]] = {"ring": ring, "bars": bars, "wave": wave}
KOREAN = {"ring": "고리", "bars": "막대", "wave": "물결"}


def strokes(shape: str, number: int) -> Strokes:
    return SHAPES[shape](np.random.default_rng([list(SHAPES).index(shape), number]))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """A file of a drawing; each is called by its shape and number."""
    folder = tmp_path_factory.mktemp("files")

    def file(shape: str, number: int) -> Path:
        path = folder / f"{shape}{number:02d}.png"
        if not path.exists():
            Image.fromarray(render(strokes(shape, number))).save(path)
        return path

    return file


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera sees: a wave on a sheet of paper that lies on a desk."""
    film = tmp_path_factory.mktemp("camera") / "sheet.mjpeg"
    film.write_bytes(as_jpeg(photographed(as_png(np.asarray(render(strokes("wave", 20)))))))
    return film


@pytest.fixture
def with_camera(browser: Browser, chromium: str, cameras: Path) -> Iterator[Browser]:
    arguments = [*FLAGS, f"--use-file-for-fake-video-capture={cameras}"]
    opened = browser.browser_type.launch(executable_path=chromium, args=arguments)
    yield opened
    opened.close()


class Mouse:
    """What a person does with a mouse, each act seen to have come to its end."""

    def __init__(self, window: Window, texts: Texts) -> None:
        self.window, self.page, self.texts = window, window.page, texts

    def button(self, key: str, **values: object) -> Locator:
        return self.page.get_by_role("button", name=self.texts(key, **values), exact=True)

    def press(self, key: str, **values: object) -> None:
        button = self.button(key, **values)
        expect(button).to_be_enabled()
        self.act(button)

    def act(self, button: Locator) -> None:
        button.click()

    def write(self, key: str, text: str, role: str = "textbox") -> None:
        box = self.page.get_by_role(role, name=self.texts(key))  # type: ignore[arg-type]
        self.reach(box)
        box.fill(text)

    def reach(self, one: Locator) -> None:
        one.click()

    def pick(self, name: str) -> None:
        """A round button by its name."""
        radio = self.page.get_by_role("radio", name=name, exact=True)
        self.page.locator("label", has=radio).click()
        expect(radio).to_be_checked()

    def tick(self, name: str) -> None:
        box = self.page.get_by_role("checkbox", name=name)
        self.page.locator("label", has=box).click()
        expect(box).to_be_checked()

    def choose(self, key: str, name: str) -> None:
        """One of a list that opens."""
        box = self.page.get_by_role("combobox", name=self.texts(key))
        # A run that ends behind an open list closes it.
        self.window.settle()
        self.window.scroll_to(box)
        box.click()
        self.page.get_by_role("option", name=name, exact=True).click()
        expect(box).to_have_value(name)

    def open(self, page: str) -> None:
        self.page.locator(f'[data-testid="stSidebarNavLink"][href*="/{page}"]').click()

    def upload(self, paths: Sequence[Path]) -> None:
        zone = self.page.get_by_test_id("stFileUploaderDropzone")
        # What was kept before leaves the list a moment later.
        expect(zone.locator("button")).to_have_count(1)
        with self.page.expect_file_chooser() as chosen:
            self.act(zone.locator("button"))
        chosen.value.set_files(paths)

    def give(self, shape: str, number: int, _file: Path) -> None:
        """A drawing by strokes."""
        canvas = self.page.locator("canvas")
        expect(canvas).to_be_visible()
        self.window.settle()
        draw(self.page, canvas, strokes(shape, number))


def draw(page: Page, canvas: Locator, lines: Strokes) -> None:
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for line in lines:
        x, y = (line.points * box["width"] + [box["x"], box["y"]]).T
        page.mouse.move(x[0], y[0])
        page.mouse.down()
        for point in zip(x[1:], y[1:], strict=True):
            page.mouse.move(*point)
        page.mouse.up()


class Keyboard(Mouse):
    """The same by Tab, Space, Enter and arrows alone; only the system's own window of files is not asked."""

    def reach(self, one: Locator) -> None:
        expect(one).to_be_attached()
        self.window.settle()
        for _ in range(_MOST_STOPS):
            if one.evaluate("each => each === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not come to {one}")

    def act(self, button: Locator) -> None:
        self.reach(button)
        self.page.keyboard.press("Enter")

    def write(self, key: str, text: str, role: str = "textbox") -> None:
        box = self.page.get_by_role(role, name=self.texts(key))  # type: ignore[arg-type]
        self.reach(box)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def pick(self, name: str) -> None:
        radio = self.page.get_by_role("radio", name=name, exact=True)
        group = self.page.get_by_role("radiogroup").filter(has=radio)
        self.reach(group.get_by_role("radio", checked=True))
        for _ in range(group.get_by_role("radio").count()):
            if radio.is_checked():
                break
            self.page.keyboard.press("ArrowRight")
            self.window.settle()
        expect(radio).to_be_checked()

    def tick(self, name: str) -> None:
        box = self.page.get_by_role("checkbox", name=name)
        self.reach(box)
        self.page.keyboard.press("Space")
        expect(box).to_be_checked()

    def choose(self, key: str, name: str) -> None:
        box = self.page.get_by_role("combobox", name=self.texts(key))
        if box.input_value() == name:
            return
        self.reach(box)
        self.window.scroll_to(box)
        option = self.page.get_by_role("option", name=name, exact=True)
        self.page.keyboard.press("ArrowDown")
        expect(option).to_be_visible()
        self.page.keyboard.press("Home")
        first = self.page.get_by_role("option").first.get_attribute("id")
        expect(box).to_have_attribute("aria-activedescendant", first or "")
        wanted = option.get_attribute("id")
        while (now := active(box)) != wanted:
            self.page.keyboard.press("ArrowDown")
            expect(box).not_to_have_attribute("aria-activedescendant", now)
        self.page.keyboard.press("Enter")
        expect(box).to_have_value(name)

    def open(self, page: str) -> None:
        link = self.page.locator(f'[data-testid="stSidebarNavLink"][href*="/{page}"]')
        self.act(self.page.get_by_test_id("stExpandSidebarButton"))
        self.act(link)

    def give(self, _shape: str, _number: int, file: Path) -> None:
        self.upload([file])


def active(box: Locator) -> str:
    """The option that Enter would take."""
    expect(box).to_have_attribute("aria-activedescendant", re.compile("."))
    return box.get_attribute("aria-activedescendant") or ""


_MOST_STOPS = 120


@pytest.mark.parametrize(("language", "width", "kind"), [("en", 1280, Mouse), ("ko", 390, Keyboard)])
def test_from_an_empty_folder_to_a_model_that_is_corrected_and_taught_again(
    tmp_path: Path,
    with_camera: Browser,
    files: Callable[[str, int], Path],
    output: Path,
    language: str,
    width: int,
    kind: type[Mouse],
) -> None:
    """Seven rings were put to the bars: the first model learns that, and the second one does not."""
    texts = texts_in(language)
    names = KOREAN if language == "ko" else {shape: shape for shape in SHAPES}
    drawings = tmp_path / "zoo" / "drawings"
    with begun(str(tmp_path), tiny=True) as (_, address):
        window = open_window(with_camera, f"{address}/?lang={language}", width)
        window.page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        hand = kind(window, texts)
        page = window.page

        def looked_at(name: str) -> None:
            window.settle()
            assert window.widest() <= width
            assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            window.picture(output / f"whole-{name}-{language}-{width}.png")

        def is_open(name: str) -> None:
            expect(page.locator("h1")).to_have_text(texts(f"frame.{name}"))
            window.settle()

        def says(key: str, **values: object) -> None:
            expect(page.get_by_text(texts(key, **values), exact=True)).to_be_visible()

        def keep_files(shape: str, paths: list[Path]) -> None:
            hand.pick(names[shape])
            hand.pick(texts("collect.by_files"))
            hand.upload(paths)
            hand.press("collect.keep_files", count=len(paths), name=names[shape])
            says("collect.kept", count=len(paths))

        is_open("start")
        looked_at("begin")
        hand.write("start.name", "zoo")
        hand.write("start.classes", ", ".join(names.values()))
        hand.press("start.make_it")
        is_open("collect")

        hand.pick(names["ring"])
        if kind is Keyboard:
            keep_files("ring", [files("ring", number) for number in range(2)])
        else:
            for number in range(2):
                hand.give("ring", number, Path())
                hand.press("collect.keep", name=names["ring"])
                expect(page.locator(".said")).to_contain_text(texts("canvas.empty")[:9])
                says("collect.kept", count=1)
        keep_files("ring", [files("ring", number) for number in range(2, A_CLASS - MISPLACED)])
        misplaced = [files("ring", number) for number in range(A_CLASS - MISPLACED, A_CLASS)]
        keep_files("bars", [*(files("bars", number) for number in range(A_CLASS)), *misplaced])
        keep_files("wave", [files("wave", number) for number in range(A_CLASS - 1)])
        looked_at("files")

        hand.pick(texts("collect.by_camera"))
        page.wait_for_function("document.querySelector('video')?.readyState >= 2", timeout=WAIT_MS)
        hand.act(page.get_by_test_id("stCameraInputButton"))
        expect(page.get_by_alt_text(texts("try.photograph"))).to_be_visible()
        expect(page.get_by_alt_text(texts("collect.learns"))).to_be_visible()
        looked_at("camera")
        hand.press("collect.keep", name=names["wave"])
        says("collect.kept", count=1)
        count = {shape: len(list((drawings / name).iterdir())) for shape, name in names.items()}
        assert count == {"ring": A_CLASS - MISPLACED, "bars": A_CLASS + MISPLACED, "wave": A_CLASS}

        hand.press("collect.teach")
        is_open("teach")
        teach(hand, looked_at)
        hand.press("teach.try")
        is_open("try")
        if kind is Keyboard:
            hand.pick(texts("try.by_upload"))
        new = files("ring", 30)
        hand.give("ring", 30, new)
        expect(page.locator(".verdict strong")).to_have_text(names["bars"])
        looked_at("wrong")
        hand.press("try.is", name=names["ring"])
        says("try.kept", name=names["ring"])
        assert len(list((drawings / names["ring"]).iterdir())) == A_CLASS - MISPLACED + 1
        looked_at("kept")

        hand.open("collect")
        is_open("collect")
        hand.pick(names["bars"])
        for ticked, path in enumerate(misplaced, start=1):
            hand.tick(path.name)
            expect(hand.button("sheet.aside", count=ticked)).to_be_enabled()
        hand.choose("sheet.other", names["ring"])
        looked_at("ticked")
        hand.press("sheet.is")
        says("data.class_says", count=A_CLASS, dropped=0)
        changes = read_curation(tmp_path / "zoo" / "curation.csv").changes
        assert [(each.image_id, each.action, each.label) for each in changes] == [
            (f"{names['bars']}/{path.name}", "relabel", names["ring"]) for path in misplaced
        ]

        hand.press("collect.teach")
        is_open("teach")
        teach(hand, looked_at)
        before, after = (
            read_predictions(tmp_path / "zoo" / "models" / number / "best" / "validation") for number in "12"
        )
        label = dict(zip(after.image_ids, after.labels, strict=True))
        both = sorted(set(before.image_ids) & set(after.image_ids))
        wanted = np.array([label[each] for each in both])
        was, now = (
            np.array(each.classes)[each.of(both).probabilities.argmax(axis=1)] == wanted
            for each in (before, after)
        )
        gain = now.mean() - was.mean()
        assert len(both) == sum(count.values())
        assert gain > 0.1
        told = page.locator(".dessin.good", has_text=texts("verdict.better").capitalize())
        expect(told).to_contain_text(re.compile(rf"\+{100 * gain:.1f} .*\b{len(both)}\b"))
        looked_at("better")

        hand.press("teach.try")
        is_open("try")
        if kind is Keyboard:
            hand.pick(texts("try.by_upload"))
        hand.give("ring", 30, new)
        expect(page.locator(".verdict strong")).to_have_text(names["ring"])
        looked_at("right")
        check_quiet(window)


def teach(hand: Mouse, looked_at: Callable[[str], None]) -> None:
    texts, page = hand.texts, hand.page
    hand.write("teach.minutes", "1", "spinbutton")
    page.keyboard.press("Enter")
    hand.press("teach.start", minutes=1)
    expect(hand.button("teach.stop")).to_be_visible()
    expect(page.get_by_text(texts("teach.finished"), exact=True)).to_be_visible(timeout=TAUGHT_MS)
    looked_at("taught")


def check_quiet(window: Window) -> None:
    assert window.complaints == []
    allowed = ("http://127.0.0.1:", "ws://127.0.0.1:", "blob:http://127.0.0.1:", "data:")
    assert [url for url in window.requests if not url.startswith(allowed)] == []
    window.page.close()


def made_zoo(root: Path, files: Callable[[str, int], Path]) -> Path:
    """A collection as the studio makes one, of twelve bars and twelve waves; its drawings."""
    name = make_collection(Workspace(root), "zoo")
    for shape in ("bars", "wave"):
        (root / name / shape).mkdir()
        for number in range(A_CLASS):
            shutil.copy(files(shape, number), root / name / shape)
    return root / name


def test_two_windows_at_once_and_a_studio_that_is_killed_lose_nothing(
    tmp_path: Path, browser: Browser, files: Callable[[str, int], Path]
) -> None:
    texts, curation = texts_in("en"), tmp_path / "zoo" / "curation.csv"
    drawings = made_zoo(tmp_path, files)
    expect.set_options(timeout=WAIT_MS)
    with begun(str(tmp_path), tiny=True) as (studio, address):
        hands = [Mouse(open_window(browser, address, 1280), texts) for _ in range(2)]
        for hand, shape in zip(hands, ("bars", "wave"), strict=True):
            hand.page.set_default_timeout(WAIT_MS)
            hand.open("collect")
            hand.pick(shape)
            hand.pick(texts("collect.by_files"))
        # Each act of one window begins before that of the other has ended.
        for start in (20, 23):
            for hand, shape in zip(hands, ("bars", "wave"), strict=True):
                hand.upload([files(shape, number) for number in range(start, start + 3)])
            for hand, shape in zip(hands, ("bars", "wave"), strict=True):
                hand.press("collect.keep_files", count=3, name=shape)
            for hand in hands:
                expect(hand.page.get_by_role("checkbox", name=f"{start}.png")).to_have_count(1)
        for number in range(3):
            for hand, shape in zip(hands, ("bars", "wave"), strict=True):
                hand.tick(f"{shape}{number:02d}.png")
                expect(hand.button("sheet.aside", count=1)).to_be_enabled()
            hands[0].press("sheet.aside", count=1)
            hands[1].choose("sheet.other", "bars")
            hands[1].press("sheet.is")
            for hand in hands:
                expect(hand.button("sheet.undo", count=number + 1)).to_be_enabled()
        kept = {path.relative_to(drawings).as_posix() for path in drawings.rglob("*.png")}
        wanted = {
            f"{shape}/{shape}{n:02d}.png" for shape in ("bars", "wave") for n in (*range(12), *range(20, 26))
        }
        assert kept == wanted
        rows = [(f"bars/bars{n:02d}.png", "drop", "") for n in range(3)]
        rows += [(f"wave/wave{n:02d}.png", "relabel", "bars") for n in range(3)]
        assert [(each.image_id, each.action, each.label) for each in read_curation(curation).changes] == rows
        hands[1].page.close()

        hand = hands[0]
        hand.press("collect.teach")
        hand.press("teach.start", minutes=5)
        expect(hand.button("teach.stop")).to_be_visible()
        server = psutil.Process(studio.pid).children()
        studio.kill()
        studio.wait()
        assert psutil.wait_procs(server, WAIT_MS / 1000)[1] == []
        hand.page.close()
    before = curation.read_bytes()
    with begun(str(tmp_path), tiny=True) as (_, address):
        hand = Mouse(open_window(browser, address, 1280), texts)
        hand.page.set_default_timeout(WAIT_MS)
        hand.open("teach")
        expect(hand.page.get_by_text(texts("teach.finished"), exact=True)).to_be_visible(timeout=TAUGHT_MS)
        assert (
            read_predictions(tmp_path / "zoo" / "models" / "1" / "best" / "validation").correct.mean() > 0.6
        )
        assert curation.read_bytes() == before
        assert len(list(drawings.rglob("*.png"))) == len(wanted)
        hand.page.close()
