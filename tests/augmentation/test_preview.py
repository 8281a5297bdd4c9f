from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from dessin.augmentation.contact_sheet import Cell, Column, Sheet, draw_sheet
from dessin.augmentation.pipeline import Pipeline
from dessin.augmentation.preview import (
    TOGETHER,
    check_pipeline,
    effect_lines,
    measure_pipeline,
    read_drawings,
    rendered,
)
from dessin.errors import DessinError
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore

SIDE, COUNT = 32, 12
ROWS = np.arange(COUNT)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make_store(*, symmetric: bool = False) -> PixelStore:
    """Black strokes on white, gray in all three channels; or bars that no mirror changes."""
    pixels = np.full((COUNT, 3, SIDE, SIDE), 255, np.uint8)
    for n in range(COUNT):
        if symmetric:
            pixels[n, :, 4 + n : 6 + n] = 0
        else:
            pixels[n, :, 5:27, 3 + n] = 0
            pixels[n, :, 4 + n, 3 : 12 + n] = 0
    names = tuple(f"{n:02d}.png" for n in range(COUNT))
    paper = np.full((COUNT, 3), 255, np.uint8)
    return PixelStore(pixels, names, ImageSpec(size=SIDE), "bilinear", paper, "0")


def test_known_shares_are_measured() -> None:
    flip, together = measure_pipeline(Pipeline(("vflip(1)", "invert(1)")), make_store(), ROWS, 0)[0::2]
    store = make_store()
    expected = (store.pixels[:, 0] != store.pixels[:, 0, ::-1]).mean()
    assert flip.pixels_changed == pytest.approx(expected)
    assert (flip.name, flip.part, flip.images, flip.images_changed) == ("vflip(1)", "augment", COUNT, COUNT)
    assert together.name == TOGETHER
    same_after_both = (store.pixels[:, 0] == 255 - store.pixels[:, 0, ::-1]).mean()
    assert together.pixels_changed == pytest.approx(1 - same_after_both)


def test_ops_of_stages_and_copies_are_measured_where_they_stand() -> None:
    pipeline = Pipeline(("rotate(20)",), (("vflip(1)", "blur(2)"),), ((3, ("cutmix(1)",)),))
    effects = measure_pipeline(pipeline, make_store(), ROWS, 0)
    assert [(effect.name, effect.part) for effect in effects] == [
        ("rotate(20)", "augment"),
        ("cutmix(1)", "from epoch 3"),
        ("vflip(1)", "copy 1"),
        ("blur(2)", "copy 1"),
        (TOGETHER, "2 samples an image"),
    ]
    assert all(effect.images_changed for effect in effects)
    assert effects[-1].images == 2 * COUNT
    assert len(effect_lines(effects)) == 5


@pytest.mark.parametrize(
    ("pipeline", "named"),
    [
        (Pipeline(("rotate(10)", "jitter(0, 0, 0.5, 0.2)")), r'"jitter\(0, 0, 0.5, 0.2\)" \(augment\)'),
        (Pipeline(("rotate(10)",), (("hflip(1)",),)), r'"hflip\(1\)" \(copy 1\)'),
        (Pipeline((), (), ((2, ("hflip(1)",)),)), r'"hflip\(1\)" \(from epoch 2\)'),
    ],
)
def test_an_op_that_changes_nothing_is_refused_by_name(pipeline: Pipeline, named: str) -> None:
    with pytest.raises(DessinError, match=named + ".* changed nothing in any of 12 images"):
        check_pipeline(pipeline, make_store(symmetric=True), ROWS, 0)


def test_ops_that_undo_each_other_are_refused() -> None:
    with pytest.raises(DessinError, match=r"All together, invert.*, then invert.* changed nothing"):
        check_pipeline(Pipeline(("invert(1)", "invert(p=1)")), make_store(), ROWS, 0)


def test_no_augmentation_is_refused() -> None:
    with pytest.raises(DessinError, match="exactly what evaluation sees"):
        check_pipeline(Pipeline(()), make_store(), ROWS, 0)


def test_a_rare_op_is_measured_in_an_epoch_in_which_it_acts() -> None:
    rare, _ = check_pipeline(Pipeline(("vflip(0.01)", "rotate(5)")), make_store(), ROWS, 0)[:2]
    assert 1 <= rare.images_changed < COUNT


def test_an_op_alone_has_the_numbers_that_it_has_in_the_whole() -> None:
    drawings = read_drawings(make_store(), ROWS)
    _, whole = rendered(Pipeline(("rotate(30)", "thickness(0.7, 1.5)")), drawings, 3, 1)
    _, alone = rendered(Pipeline(("thickness(0.7, 1.5)",)), drawings, 3, 1)
    for image in range(COUNT):
        assert whole.describe(image).endswith(alone.describe(image))


def test_measuring_does_not_change_the_store() -> None:
    store = make_store()
    before = store.pixels.copy()
    measure_pipeline(Pipeline(("invert", "rotate(40)", "mixup(1)")), store, ROWS, 0)
    assert np.array_equal(store.pixels, before)


def cell(caption: str, level: int = 40) -> Cell:
    return Cell(np.full((SIDE, SIDE), level, np.uint8), caption)


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_sheet_grows_with_its_columns_rows_and_captions() -> None:
    plain = Sheet("title", ["one line"], [Column("a"), Column("b")], [[cell("x"), cell("y")]])
    small = opened(draw_sheet(plain))
    wider = replace(plain, columns=[*plain.columns, Column("c")], rows=[[cell("x"), cell("y"), cell("z")]])
    higher = replace(plain, rows=[*plain.rows, [cell("x"), cell("y")]])
    wordy = replace(plain, rows=[[cell("x"), cell("many words " * 30)]])
    assert opened(draw_sheet(wider)).shape[1] > small.shape[1]
    assert opened(draw_sheet(higher)).shape[0] > small.shape[0] + SIDE
    assert opened(draw_sheet(wordy)).shape[0] > small.shape[0] + 100
    assert draw_sheet(plain) == draw_sheet(plain)


def test_captions_stay_in_their_column() -> None:
    def columns_with_ink(caption: str) -> np.ndarray:
        rows = [[cell("", 250), cell(caption, 250)]]
        page = opened(draw_sheet(Sheet("", [], [Column(""), Column("")], rows)))
        return np.flatnonzero((page.min(axis=2) < 100).any(axis=0))

    short = columns_with_ink("x").min()
    long = columns_with_ink("supercalifragilistic" * 8 + " and more words " * 9)
    assert long.min() >= short - 1
    assert long.max() - long.min() <= 172


def test_no_caption_runs_over_a_picture() -> None:
    words = "rotate +7.3°, thickness ×1.12, " * 12
    rows = [[cell(words, 77), cell("short", 77)] for _ in range(3)]
    page = opened(draw_sheet(Sheet("t", [words], [Column(words), Column("b", words)], rows)))
    assert (page == 77).all(axis=2).sum() == 6 * 172**2
