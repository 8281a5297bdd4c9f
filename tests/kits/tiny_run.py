"""A collection that a tiny network learns in seconds, its split, and a recipe for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import write_split
from dessin.collection.split.plan import make_split
from dessin.recipe import Recipe, make_recipe

CLASSES = ("bars", "dots", "<script>alert(1)")
A_CLASS = 12


def make_drawings(folder: Path) -> Path:
    """Three classes of 40 x 40 drawings: stripes, spots and a frame, each a little different."""
    for c, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for i in range(A_CLASS):
            random = np.random.default_rng([c, i])
            page = np.full((40, 40), 255, np.uint8)
            if c == 0:
                page[:, 4 + i % 4 :: 8] = 0
            elif c == 1:
                for y, x in random.integers(4, 34, (14, 2)):
                    page[y : y + 3, x : x + 3] = 0
            else:
                edge = 3 + i % 5
                page[edge:-edge, edge:-edge] = 0
                page[edge + 3 : -edge - 3, edge + 3 : -edge - 3] = 255
            noisy = page - random.integers(0, 30, page.shape).astype(np.uint8) * (page > 128)
            Image.fromarray(noisy.astype(np.uint8)).save(folder / label / f"{i:02d}.png")
    return folder


@contextmanager
def apart(folder: Path) -> Iterator[Path]:
    """For fixtures that several tests share: a cache of its own, and one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        yield folder


def make_tiny_split(data: Path, path: Path, *, holdout: float = 0.25, folds: int = 3) -> Path:
    """A split of single drawings, written to `path`."""
    manifest = build_manifest(read_collection(data))
    labels = {row.image_id: row.label for row in manifest.rows}
    split = make_split(
        labels, {image_id: image_id for image_id in labels}, folds=folds, holdout=holdout, seed=0
    )
    write_split(replace(split, manifest_digest=manifest.digest, images=len(labels)), path)
    return path


def tiny_recipe(mode: str = "probe_then_full", **changes: object) -> Recipe:
    """Two epochs of a network with a hundred thousand weights at 32 px."""
    values: dict[str, object] = {
        "image": {"size": 32},
        "model": {"backbone": "test_efficientnet", "weights": "none"},
        "finetune": {"mode": mode},
        "augment": ["hflip"],
        "optimizer": {"lr": 2e-3},
        "train": {"epochs": 2, "batch_size": 8},
    }
    return make_recipe(values | changes)
