"""`dessin label` by keys: what is kept, gone on with and taken back, and that its table is a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from tiny_run import CLASSES, apart, make_drawings

from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.labelling import verb as label_verb
from dessin.labelling.verb import label, preview
from dessin.reading import read_csv

pytestmark = pytest.mark.slow

KINDS = ("bars", "dots", "frames")


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All drawings in one folder; the kind of each is known by its name."""
    home = tmp_path_factory.mktemp("home")
    with apart(home):
        made = make_drawings(home / "made")
        folder = home / "drawings"
        folder.mkdir()
        for kind, name in zip(CLASSES, KINDS, strict=True):
            for path in sorted((made / kind).iterdir()):
                path.rename(folder / f"{name}-{path.name}")
        yield folder


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, drawings: Path) -> Callable[[str], None]:
    """Press keys one after the other; at their end, or at each `.`, the right one."""
    monkeypatch.setenv("DESSIN_CACHE", str(drawings.parent / "cache"))

    def press(text: str) -> None:
        waiting = list(text)
        monkeypatch.setattr(label_verb, "check_terminal", lambda: None)
        monkeypatch.setattr(click, "getchar", lambda: waiting.pop(0) if waiting else "q")

    return press


def labels(path: Path) -> dict[str, str]:
    return {row["image_path"]: row["label"] for row in read_csv(path, ("image_path", "label"))[1]}


def test_labels_are_kept_gone_on_with_and_taken_back(
    drawings: Path, keys: Callable[[str], None], tmp_path: Path
) -> None:
    out, given = tmp_path / "labels.csv", {"classes": KINDS, "model": "test_efficientnet:none", "limit": 4}
    keys("1234s")
    label(drawings, out=out, **given)
    first = labels(out)
    assert len(first) == 3, "4 is no class here, and what is put aside has no label"
    assert sorted(first.values()) == list(KINDS)
    keys("1u2q")
    label(drawings, out=out, **given)
    second = labels(out)
    assert first.items() <= second.items()
    assert len(second) == 4


def test_the_table_is_a_collection(drawings: Path, keys: Callable[[str], None]) -> None:
    out = drawings / "labels.csv"
    keys("123123q")
    label(drawings, out=out, classes="bars,dots,frames", model="test_efficientnet:none")
    try:
        assert len(read_collection(out).items) == 6
    finally:
        out.unlink()


def test_a_table_of_another_folder_is_refused(
    drawings: Path, keys: Callable[[str], None], tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    out.write_text("image_path,label\nelsewhere.png,cat\n")
    keys("1")
    with pytest.raises(DessinError, match=r"a label for elsewhere\.png, which is not in"):
        label(drawings, out=out, model="test_efficientnet:none")
    with pytest.raises(DessinError, match="holds 0 drawings"):
        label(tmp_path, out=out, model="test_efficientnet:none")


def test_without_a_terminal_nothing_is_waited_for(drawings: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="no terminal here"):
        label(drawings, out=tmp_path / "labels.csv")


def test_a_drawing_is_seen_in_letters(drawings: Path) -> None:
    shown = preview(drawings / "frames-00.png")
    assert 3 < len(shown) <= 24
    assert set("".join(shown)) <= set(" ▄▀█")
    assert "█" in shown[0] or "▀" in shown[0] or "▄" in shown[0]
    assert any(not line.strip().strip("█▀▄").strip() and " " in line.strip() for line in shown), "a frame"


def test_faint_lines_and_white_ones_are_seen(tmp_path: Path) -> None:
    for name, paper, ink in (("pencil", 250, 205), ("chalk", 20, 230)):
        page = np.full((96, 96), paper, np.uint8)
        page[20:76, 44:52] = ink
        Image.fromarray(page).save(tmp_path / f"{name}.png")
        shown = preview(tmp_path / f"{name}.png")
        assert 10 < len(shown) < 20
        assert all(1 <= len(line.strip()) <= 8 for line in shown)
