"""The drawings to be explained, read from their files one small batch at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dessin.collection.readers.walk import find_images
from dessin.errors import DessinError
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import Prepared, prepare_for
from dessin.models.card import BundleImage
from dessin.progress import track
from dessin.runs.subject import Subject

BATCH = 32
_MAX_READERS = 8


@dataclass(frozen=True)
class Drawing:
    """A drawing and where it lies; label, group and fold where it belongs to the model's own collection."""

    image_id: str
    path: Path
    label: str = ""
    group: str = ""
    fold: int | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Readable drawings of one fold, with the pixels (n, channels, S, S) uint8 that a model wants."""

    drawings: tuple[Drawing, ...]
    fold: int | None
    pixels: Callable[[BundleImage], Tensor]


@dataclass
class Reader:
    """Reads drawings for models that want them in these ways; `refused` has (image_id, reason)."""

    images: Sequence[BundleImage]
    device: torch.device
    refused: dict[str, str] = field(default_factory=dict)

    def batches(self, drawings: Sequence[Drawing], label: str = "") -> Iterator[Batch]:
        """`BATCH` drawings of one fold at a time, the next ones read by threads meanwhile.

        What is refused is left out, and noted. With a `label` progress is shown.
        """
        chunks = in_chunks(drawings)
        with ThreadPoolExecutor(min(_MAX_READERS, os.cpu_count() or 1), "explain") as pool:
            ahead = pool.map(self._prepared, next(iter(chunks), ()))
            following = [*chunks[1:], ()]
            shown = track(chunks, len(drawings) if label else 0, label, size=len)
            for number, chunk in enumerate(shown):
                current, ahead = ahead, pool.map(self._prepared, following[number])
                read = zip(chunk, current, strict=True)
                fitted = [(drawing, own) for drawing, own in read if own is not None]
                if fitted:
                    yield self._batch(fitted)

    def _prepared(self, drawing: Drawing) -> Prepared | None:
        """Decoded once, fitted once for all models that want it alike; None where it cannot be read."""
        try:
            pixels = decode(read_image_bytes(drawing.path)).pixels
        except Unreadable as error:
            self.refused[drawing.image_id] = error.reason
            return None
        return prepare_for(pixels, {image.fitting for image in self.images})

    def _batch(self, read: Sequence[tuple[Drawing, Prepared]]) -> Batch:
        def pixels(image: BundleImage) -> Tensor:
            stacked = np.stack([fitted.squares[image.fitting] for _, fitted in read])
            return torch.from_numpy(stacked).to(self.device)

        return Batch(tuple(drawing for drawing, _ in read), read[0][0].fold, pixels)


def in_chunks(drawings: Sequence[Drawing]) -> list[tuple[Drawing, ...]]:
    """At most `BATCH` drawings each, all of one fold; folds in the order in which they come first."""
    first = {fold: place for place, fold in reversed(list(enumerate(d.fold for d in drawings)))}
    ordered = sorted(drawings, key=lambda drawing: first[drawing.fold])
    chunks = []
    for _, same in groupby(ordered, key=lambda drawing: drawing.fold):
        members = tuple(same)
        chunks += [members[start : start + BATCH] for start in range(0, len(members), BATCH)]
    return chunks


def validation_drawings(subject: Subject) -> tuple[Drawing, ...]:
    """The drawings that the model is validated on, with what is known of them."""
    path = subject.inputs.manifest.path
    try:
        if subject.kept is not None:
            raise DessinError(f"{subject.given} has parts that were fitted to every drawing of its folds.")
        rows = subject.rows("validation")
    except DessinError as error:
        raise DessinError(error.seen, do="Name drawings with --images.") from None
    return tuple(Drawing(row.image_id, path(row.image_id), row.label, row.group, row.fold) for row in rows)


def given_drawings(paths: Sequence[Path]) -> tuple[Drawing, ...]:
    """Every image that files and folders name, found as `find_images` does; raises alike."""
    return tuple(Drawing(image_id, file) for image_id, file in find_images(paths).items())
