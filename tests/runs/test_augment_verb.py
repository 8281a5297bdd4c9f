from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dessin.errors import DessinError
from dessin.runs.augment import augment

pytestmark = pytest.mark.slow

RECIPE = """
image: {size: 32}
model: {backbone: test_efficientnet, weights: none}
augment: [hflip, "thickness(0.7, 1.4)"]
copies: ["rotate(10)"]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four classes of three drawings, each another stroke."""
    torch.set_num_threads(1)
    for c in range(4):
        folder = tmp_path / "drawings" / f"class {c}"
        folder.mkdir(parents=True)
        for i in range(3):
            page = np.full((40, 40), 255, np.uint8)
            page[4 + 3 * c : 7 + 3 * c, 3 : 20 + 4 * i] = 0
            Image.fromarray(page).save(folder / f"{i}.png")
    return tmp_path / "drawings"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "gentle.yaml"
    path.write_text(RECIPE)
    return path


def test_the_sheet_shows_every_op_and_is_the_same_each_time(data: Path, recipe: Path, tmp_path: Path) -> None:
    first = augment(recipe, data=data, out=tmp_path / "a.png")
    assert [effect.name for effect in first.effects] == [
        "hflip", "thickness(0.7, 1.4)", "rotate(10)", "all together",
    ]  # fmt: skip
    again = augment(recipe, data=data, out=tmp_path / "b.png")
    assert first.sheet.read_bytes() == again.sheet.read_bytes()
    later = augment(recipe, data=data, out=tmp_path / "c.png", epoch=2)
    assert first.sheet.read_bytes() != later.sheet.read_bytes()
    # The drawings, three ops alone, three epochs, one copy.
    with Image.open(first.sheet) as sheet:
        assert sheet.width > 8 * 172


def test_nothing_is_written_where_an_op_changes_nothing(data: Path, recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"jitter.*changed nothing in any of 12 images"):
        augment(recipe, data=data, out=tmp_path / "a.png", overrides=['augment=["jitter(0, 0, 0.4, 0.2)"]'])
    with pytest.raises(DessinError, match="no augmentation"):
        augment(recipe, data=data, out=tmp_path / "a.png", overrides=["augment=[]", "copies=[]"])
    assert not (tmp_path / "a.png").exists()


def test_what_cannot_be_drawn_is_said(data: Path, recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="png"):
        augment(recipe, data=data, out=tmp_path / "a.jpg")
    with pytest.raises(DessinError, match="counted from 1"):
        augment(recipe, data=data, out=tmp_path / "a.png", epoch=0)
    with pytest.raises(DessinError, match="--data"):
        augment(recipe, out=tmp_path / "a.png")
