"""All parts in one path of verbs, as somebody who installed the package uses them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageDraw

import dessin

RECIPE = """
image: {size: 32}
model: {backbone: test_efficientnet, weights: none}
finetune: {mode: full}
augment: [crayon(0.5)]
loss: poly(1.0)
train: {epochs: 1, batch_size: 8}
track: ['diary("Owls")']
"""


def draw(folder: Path) -> None:
    """Two classes in one folder, as the reader has them; one drawing is tiny, as the check finds."""
    folder.mkdir()
    for label in ("ring", "stairs"):
        for number in range(1, 9):
            side = 40 if (label, number) == ("ring", 1) else 80
            page, random = Image.new("L", (side, side), 255), Random(f"{label} {number}")
            pen = ImageDraw.Draw(page)
            left, top = (random.randint(2, side // 3) for _ in range(2))
            right, bottom = (side - random.randint(2, side // 4) for _ in range(2))
            if label == "ring":
                pen.ellipse((left, top, right, bottom), outline=0, width=random.randint(2, 6))
            else:
                steps = ((left, top), (left, bottom // 2), (right, bottom // 2), (right, bottom))
                pen.line(steps, fill=0, width=random.randint(2, 6))
            page.save(folder / f"{label}_{number}.png")


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_every_part_works_in_the_verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(Path("flat"))
    Path("crayons.yaml").write_text(RECIPE, encoding="utf-8")

    dessin.audit("flat", out="audit")
    found = [row["image_id"] for row in rows(Path("audit", "issues.csv")) if row["issue"] == "tiny"]
    assert found == ["ring_1.png"]

    dessin.split("flat", out="split.csv", folds=2, holdout=0.0)
    run = dessin.train("crayons.yaml", data="flat", split="split.csv", out="run", threads=1)
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished"
    card = json.loads((run / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert card["classes"] == ["ring", "stairs"]
    assert "dessin-crayons" in json.dumps(record["versions"])
    diary = (run / "tracking" / "diary.md").read_text(encoding="utf-8")
    assert diary.startswith("# Owls: run\n- epoch 1: ")

    dessin.evaluate(run, robustness=True, out="robust")
    assert "coffee" in Path("robust", "robustness.csv").read_text(encoding="utf-8")
