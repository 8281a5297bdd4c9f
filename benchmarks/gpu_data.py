"""Drawings for the benchmarks of a GPU: random lines on white paper, as a pixel store in memory."""

from __future__ import annotations

import numpy as np

from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore
from dessin.training.data import TrainingData


def make_data(images: int, size: int, classes: int) -> TrainingData:
    """So many drawings to train on, none to validate."""
    generator = np.random.default_rng(0)
    pixels = np.full((images, 3, size, size), 255, dtype=np.uint8)
    for image, places in zip(pixels, generator.integers(4, size - 8, (images, 12)), strict=True):
        for place in places[:6]:
            image[:, place : place + 3] = 20
        for place in places[6:]:
            image[:, :, place : place + 3] = 20
    store = PixelStore(
        pixels=pixels,
        image_ids=tuple(f"{n:06d}.png" for n in range(images)),
        spec=ImageSpec(size=size),
        interpolation="bilinear",
        background=np.full((images, 3), 255, dtype=np.uint8),
        digest=f"generated {images} at {size}",
    )
    none = np.empty(0, dtype=np.int64)
    return TrainingData(store, np.arange(images), np.arange(images) % classes, none, none)
