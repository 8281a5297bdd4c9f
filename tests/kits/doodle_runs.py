"""Doodles, their split, and small runs on them, for pages to be made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from study_kit import Inline

from dessin.collection.split.verb import split
from dessin.doodles.doodles import generate_doodles
from dessin.progress import quiet
from dessin.recipe import make_recipe
from dessin.runs.train import train


@contextmanager
def doodles(folder: Path, *, folds: int = 3) -> Iterator[Path]:
    """The drawings' folder, with `split.csv` in `folder`; what is made of them has a cache of its own.

    Jobs of studies are done in this process.
    """
    with quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        patch.setattr("dessin.studies.verb.LocalExecutor", Inline)
        for name, content in _drawn(folds).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        yield folder / "doodles" / "drawings"


@cache
def _drawn(folds: int) -> Mapping[str, bytes]:
    """Twelve classes of ten with planted faults, and their split: drawn once a process."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        generate_doodles(folder / "doodles", classes=12, per_class=10, seed=3)
        split(folder / "doodles" / "drawings", out=folder / "split.csv", folds=folds)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


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
