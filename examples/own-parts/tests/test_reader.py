from pathlib import Path

from PIL import Image

from dessin.testing import check_reader


def test_the_reader_finds_the_classes(tmp_path: Path) -> None:
    for name in ("cat_1.png", "cat_2.png", "dog_1.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    assert check_reader("one folder", tmp_path).classes == ("cat", "dog")
