"""A bundle at work: from image files to class probabilities, prepared exactly as in training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.images.decode import Pixels, Unreadable, decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.models.bundle import Bundle, BundleCard, load_bundle
from dessin.models.card import CARD_FILE
from dessin.progress import track
from dessin.training.device import choose_device

BATCH = 64
BUNDLE_FOLDER = "bundle"
_MAX_READERS = 8


@dataclass(frozen=True)
class ImageFile:
    """One image to look at: the name that the result gives it, and where it lies."""

    image_id: str
    path: Path


@dataclass(frozen=True)
class Refused:
    """An image that cannot be read, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True)
class Predictions:
    """`probabilities` (n, C) float32 of the n readable `image_ids`, in the order asked; the others apart."""

    image_ids: tuple[str, ...]
    probabilities: NDArray[np.float32]
    unreadable: tuple[Refused, ...]


class Predictor:
    """Names the class of images with one bundle; the columns of its answers follow `card.classes`."""

    def __init__(self, bundle: Bundle, *, device: torch.device | None = None) -> None:
        self.card: BundleCard = bundle.card
        self._device = device or torch.device(str(choose_device().value))
        self._classifier = bundle.classifier.to(self._device).eval()

    @classmethod
    def load(cls, model: str | Path) -> Predictor:
        """From a bundle folder, or from a run folder that holds one.

        Raises:
            DessinError: neither of these, an unfinished run, or a bundle that is damaged.
        """
        return cls(load_bundle(bundle_folder(Path(model))))

    def predict_files(self, files: Sequence[ImageFile]) -> Predictions:
        """Decode, prepare and classify, `BATCH` images at a time; a bad file never stops the others."""
        ids: list[str] = []
        parts: list[NDArray[np.float32]] = []
        refused: list[Refused] = []
        starts = range(0, len(files), BATCH)
        for batch in track(self._prepared(files), len(starts), "predicting"):
            refused += [entry for entry in batch if isinstance(entry, Refused)]
            readable = [entry for entry in batch if not isinstance(entry, Refused)]
            if readable:
                ids += [image_id for image_id, _ in readable]
                parts.append(self.predict_pixels(np.stack([pixels for _, pixels in readable])))
        width = len(self.card.classes)
        probabilities = np.concatenate(parts) if parts else np.zeros((0, width), dtype=np.float32)
        return Predictions(tuple(ids), probabilities, tuple(refused))

    def predict_paths(self, paths: Sequence[Path]) -> Predictions:
        """The same for plain paths, which become the image ids as they are written."""
        return self.predict_files([ImageFile(path.as_posix(), path) for path in paths])

    def predict_pixels(self, pixels: Pixels) -> NDArray[np.float32]:
        """Prepared pixels (N, channels, S, S) uint8 to probabilities (N, C) float32, temperature applied."""
        with torch.inference_mode():
            logits = self._classifier(torch.from_numpy(pixels).to(self._device)).float()
            probabilities = torch.softmax(logits / self.card.temperature, dim=1)
        return probabilities.cpu().numpy().astype(np.float32, copy=False)

    def _prepared(self, files: Sequence[ImageFile]) -> Iterator[list[tuple[str, Pixels] | Refused]]:
        """Batches of prepared images, the next one read by threads while this one is classified."""
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        with ThreadPoolExecutor(min(_MAX_READERS, os.cpu_count() or 1), "predict") as pool:
            ahead = [pool.submit(self._prepare, file) for file in (batches[0] if batches else ())]
            for following in [*batches[1:], ()]:
                current, ahead = ahead, [pool.submit(self._prepare, file) for file in following]
                yield [future.result() for future in current]

    def _prepare(self, file: ImageFile) -> tuple[str, Pixels] | Refused:
        try:
            pixels = decode(read_image_bytes(file.path)).pixels
        except Unreadable as error:
            return Refused(file.image_id, error.reason)
        return file.image_id, prepare(pixels, self.card.image.spec, self.card.image.interpolation)


def bundle_folder(model: Path) -> Path:
    """The bundle that `model` names: itself, or the `bundle/` of a run folder.

    Raises:
        DessinError: no such folder, or no bundle in it.
    """
    for folder in (model, model / BUNDLE_FOLDER):
        if (folder / CARD_FILE).is_file():
            return folder
    if not model.is_dir():
        raise DessinError(f"There is no folder {model}.", do="Name a run or a bundle folder.")
    raise DessinError(
        f"{model} holds no {CARD_FILE} and no {BUNDLE_FOLDER}/{CARD_FILE}.",
        allowed="A model is a bundle folder, or the folder of a run that has finished.",
        do="Check the path; an unfinished run goes on with dessin train --resume.",
    )
