"""What is shown while something runs: counts in the user's unit, and no time left before it can be known."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_run import make_drawings

import dessin
from dessin import progress
from dessin.collection.duplicates import find_duplicates
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.images.spec import ImageSpec
from dessin.images.store_build import StoredImage, StoreKey, build
from dessin.progress import duration, say, track


class Clock:
    """Seconds that pass as they are told to, and by `tick` at each look."""

    def __init__(self) -> None:
        self.now, self.tick = 100.0, 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(progress, "_quiet", False)
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def frames(self) -> list[str]:
        """Every picture of the bars, without what moves and colours; line ends are spaces."""
        plain = re.sub(r"\x1b\[[0-9;?]*[hlm]", "", self.getvalue())
        return [" ".join(frame.split()) for frame in re.split(r"\x1b\[2K|\r(?!\n)", plain) if frame.strip()]


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """For the test itself to call: pytest has its own standard error in place when the test begins."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    return terminal


def lines_of(
    capsys: pytest.CaptureFixture[str], clock: Clock, sizes: Sequence[int], seconds: float
) -> list[str]:
    """What is said on the way where no step is short enough to pass without a line."""
    for _ in track(sizes, sum(sizes), "Reading", size=int):
        clock.now += seconds
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err.splitlines()


def test_no_time_is_told_before_a_twentieth_is_done(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    said = lines_of(capsys, clock, [1] * 100, 11.0)
    assert said[:4] == [f"Reading: {done} of 100 images" for done in (1, 2, 3, 4)]
    assert said[4] == "Reading: 5 of 100 images, about 17 min 25 s left"
    assert all(" left" in line for line in said[4:])


def test_no_time_is_told_before_three_steps(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    said = lines_of(capsys, clock, [32, 32, 32, 4], 11.0)
    assert said == [
        "Reading: 32 of 100 images",
        "Reading: 64 of 100 images",
        "Reading: 96 of 100 images, about 1 s left",
    ]


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    assert not lines_of(capsys, clock, [1] * 100, 0.09)


def test_the_long_works_of_an_audit_and_of_a_training_are_shown(
    capsys: pytest.CaptureFixture[str], clock: Clock, tmp_path: Path
) -> None:
    clock.tick = 11.0
    manifest = build_manifest(read_collection(make_drawings(tmp_path / "data")))
    find_duplicates(manifest, scan_images(manifest))
    images = tuple(StoredImage(row.image_id, row.sha256) for row in manifest.rows)
    build(tmp_path / "store", StoreKey(images, ImageSpec(size=16), "bicubic"), manifest.root, 1)
    said = capsys.readouterr().err
    for work in ("Reading headers", "Reading images", "Decoding"):
        assert f"{work}: 18 of 36 images, about " in said
    (pairs,) = {int(n) for n in re.findall(r"^Comparing .* of (\d+) pairs", said, re.M)}
    assert f"\nComparing what looks alike: {pairs - 1} of {pairs} pairs, about " in said


def test_a_work_that_others_ended_early_is_not_more_than_whole(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    for _ in track(range(5), 3, "Asking", unit="models"):
        clock.now += 11.0
    assert capsys.readouterr().err.splitlines() == ["Asking: 1 of 3 models", "Asking: 2 of 3 models"]


def test_a_bar_has_the_count_and_then_the_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    shown = []
    for _ in track(range(1000), 1000, "Reading images"):
        clock.now += 0.1
        (bars,) = progress._bars
        bars.refresh()
        shown.append(terminal.frames()[-1] if terminal.frames() else "")
    assert not any(shown[:2])
    assert re.fullmatch(r"Reading images \S+ 40 of 1 000 images", shown[40])
    assert re.fullmatch(r"Reading images \S+ 500 of 1 000 images, about 50 s left", shown[500])


def test_bars_in_one_another_are_drawn_together(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    for _ in track(range(2), 2, "Members", unit="members"):
        clock.now += 1.0
        for _ in track([[0] * 8] * 4, 32, "Asking", size=len):
            clock.now += 1.0
            progress._bars[0].refresh()
    assert not progress._bars
    both = [frame for frame in terminal.frames() if "Asking" in frame]
    assert both
    assert all(frame.startswith("Members ") for frame in both)
    assert re.fullmatch(r"Members \S+ 1 of 2 members Asking \S+ 24 of 32 images, about 1 s left", both[-1])


def test_an_error_ends_all_bars(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)

    def work() -> None:
        for _ in track(range(2), 2, "Outer"):
            for _ in track(range(2), 2, "Inner"):
                clock.now += 1.0
                raise ValueError

    with pytest.raises(ValueError):
        work()
    assert not progress._bars
    # The cursor is there again.
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_what_is_said_meanwhile_still_goes_into_a_file(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch)
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    for _ in track(range(3), 3, "Reading"):
        clock.now += 1.0
        say("found one")
    assert file.getvalue() == "found one\n" * 3


def test_what_is_said_meanwhile_stands_above_the_bars(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", Terminal())
    for _ in track(range(3), 3, "Reading"):
        clock.now += 1.0
        say("found one")
    assert "found one" in " ".join(terminal.frames())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.4, "59 s"), (75.2, "1 min 15 s"), (3599.0, "59 min 59 s"), (4503.0, "1 h 15 min")],
)
def test_a_time_is_told_in_two_units_at_most(seconds: float, said: str) -> None:
    assert duration(seconds) == said


class Handle:
    def __init__(self, shown: list[str]) -> None:
        self.shown = shown

    def update(self, thing: object) -> None:
        self.shown.append(str(thing))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As in a notebook's kernel; everything that a cell shows is in the list."""
    shown: list[str] = []

    def display(thing: object, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(str(thing))
        return Handle(shown)

    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(progress, "_notebook_bars", progress._NotebookBars())
    return shown


def test_a_notebook_hears_warnings_alone_unless_everything_is_asked_for(
    notebook: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_quiet", None)
    say("a line")
    progress.warn("a warning")
    assert capsys.readouterr() == ("", "WARNING: a warning\n")
    progress.quiet(False)
    say("a line")
    assert capsys.readouterr() == ("a line\n", "")


def test_a_bar_of_a_notebook_is_gone_when_its_work_is_done(notebook: list[str], clock: Clock) -> None:
    def items() -> Iterator[int]:
        for number in range(100):
            clock.now += 0.1
            yield number

    assert sum(track(items(), 100, "Looking at <b>")) == 4950
    assert "<progress value='51' max='100'>" in "".join(notebook)
    assert "Looking at &lt;b&gt;" in notebook[0]
    assert "left" in notebook[-2]
    assert notebook[-1] == ""
    # As many frames as a person can see, not one for each step.
    assert 30 < len(notebook) < 40


def test_a_work_that_is_done_at_once_shows_no_bar(notebook: list[str], clock: Clock) -> None:
    assert list(track(range(3), 3, "Looking")) == [0, 1, 2]
    assert notebook == []


def test_quiet_holds_from_here_on_or_for_a_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_quiet", None)
    say("heard")
    with dessin.quiet():
        say("not heard")
        progress.warn("not heard")
    say("heard again")
    dessin.quiet()
    say("not heard")
    with dessin.quiet(False):
        say("heard inside")
    say("not heard")
    assert capsys.readouterr() == ("heard\nheard again\nheard inside\n", "")
