"""Doodles, their split, and small runs on them, for pages to be made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dessin.collection.split.verb import split
from dessin.doodles.doodles import generate_doodles
from dessin.progress import quiet
from dessin.recipe import make_recipe
from dessin.runs.train import train


@contextmanager
def doodles(folder: Path, *, folds: int = 3) -> Iterator[Path]:
    """The drawings' folder, with `split.csv` in `folder`; what is made of them has a cache of its own."""
    with quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        generate_doodles(folder / "doodles", classes=12, per_class=10, seed=3)
        drawings = folder / "doodles" / "drawings"
        split(drawings, out=folder / "split.csv", folds=folds)
        yield drawings


def doodle_run(
    drawings: Path, folder: Path, *, name: str = "run", mode: str = "probe", seed: int = 0
) -> Path:
    """A run of a tiny network at 48 px, in `folder`."""
    recipe = make_recipe(
        {
            "image": {"size": 48},
            "model": {"backbone": "test_efficientnet", "weights": "none"},
            "finetune": {"mode": mode},
            "train": {"epochs": 2},
            "seed": seed,
        }
    )
    return train(recipe, data=drawings, split=folder / "split.csv", out=folder / name)
