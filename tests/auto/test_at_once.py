"""What `auto` cannot do is said before the audit, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dessin import DessinError, auto, demo

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ({"cat": 12}, "one class alone: cat"),
        ({"cat": 12, "dog": 1}, r"1 class has a single image.*dog \(1 image\)"),
        ({"cat": 2, "dog": 2}, "4 groups, and 5 parts"),
    ],
)
def test_it_refuses_what_no_split_can_be_made_of(sizes: dict[str, int], why: str, tmp_path: Path) -> None:
    for label, count in sizes.items():
        (tmp_path / "drawings" / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "drawings" / label / f"{number}.png").write_bytes(b"read by nobody")
    with pytest.raises(DessinError, match=why):
        auto(tmp_path / "drawings", out=tmp_path / "auto")
    assert [path.name for path in tmp_path.iterdir()] == ["drawings"]


@pytest.mark.parametrize("models", ["", " , ", []])
def test_no_backbone_is_not_the_usual_ones(models: str | list[str], tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="No backbone was named"):
        auto(tmp_path / "drawings", out=tmp_path / "auto", models=models)
    with pytest.raises(DessinError, match="No backbone was named"):
        demo(out=tmp_path / "demo", models=models)
    assert list(tmp_path.iterdir()) == []
