"""A model at work: from image files to class probabilities, prepared exactly as in training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.ensembles.anymodel import load_model
from dessin.ensembles.committee import Committee, LoadedCommittee
from dessin.ensembles.inference import join
from dessin.evaluation.confidence.rejection import max_probability, negative_entropy
from dessin.evaluation.inference import look_with_energy
from dessin.images.decode import Pixels, Unreadable, decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.images.ink import border_median
from dessin.images.spec import ImageSpec, Interpolation
from dessin.models.card import BundleImage, Rejection
from dessin.progress import track
from dessin.training.device import choose_device
from dessin.training.views import check_views

BATCH = 64
_MAX_READERS = 8
Fitting = tuple[ImageSpec, Interpolation]


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
    """`probabilities` (n, C) float32 of the n readable `image_ids`, in the order asked; the others apart.

    `scores` (n,) float64 are those by which the model rejects what is of no class; None where it never does.
    """

    image_ids: tuple[str, ...]
    probabilities: NDArray[np.float32]
    unreadable: tuple[Refused, ...]
    scores: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class _Prepared:
    """One image as each of the models wants it: pixels (channels, S, S) uint8 by how they are fitted."""

    image_id: str
    pixels: Mapping[Fitting, Pixels]


class Predictor:
    """Names the class of images with one model or a committee; columns follow `committee.classes`."""

    def __init__(
        self, loaded: LoadedCommittee, *, views: Sequence[str] = (), device: torch.device | None = None
    ) -> None:
        self.committee: Committee = loaded.committee
        self.views = check_views(tuple(views)) if views else loaded.committee.views
        self._loaded = loaded
        self._device = device or torch.device(str(choose_device().value))
        self._fitting = {name: _fitting(bundle.card.image) for name, bundle in loaded.bundles.items()}
        for bundle in loaded.bundles.values():
            bundle.classifier.to(self._device).eval()

    @classmethod
    def load(cls, model: str | Path, *, views: Sequence[str] = ()) -> Predictor:
        """From the folder of a bundle, of a committee, or of a run or an ensemble that holds one.

        Raises:
            DessinError: none of these, an unfinished run, an unknown view, or a damaged bundle.
        """
        return cls(load_model(Path(model)), views=views)

    def predict_files(self, files: Sequence[ImageFile]) -> Predictions:
        """Decode, prepare and classify, `BATCH` images at a time; a bad file never stops the others."""
        ids: list[str] = []
        parts: list[NDArray[np.float32]] = []
        scores: list[NDArray[np.float64]] = []
        refused: list[Refused] = []
        starts = range(0, len(files), BATCH)
        for batch in track(self._prepared(files), len(starts), "predicting"):
            refused += [entry for entry in batch if isinstance(entry, Refused)]
            readable = [entry for entry in batch if isinstance(entry, _Prepared)]
            if readable:
                ids += [image.image_id for image in readable]
                answer, energy = self._answer(readable)
                parts.append(answer)
                scores.append(self._scores(answer, energy))
        width = len(self.committee.classes)
        probabilities = np.concatenate(parts) if parts else np.zeros((0, width), dtype=np.float32)
        known = np.concatenate(scores) if scores and self.committee.rejection else None
        return Predictions(tuple(ids), probabilities, tuple(refused), known)

    def predict_paths(self, paths: Sequence[Path]) -> Predictions:
        """The same for plain paths, which become the image ids as they are written."""
        return self.predict_files([ImageFile(path.as_posix(), path) for path in paths])

    def _answer(self, images: Sequence[_Prepared]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Probabilities (n, C) float32 and mean energies (n,), every model having looked in every view."""
        batches = {fitting: self._batch(images, fitting) for fitting in set(self._fitting.values())}
        answers, energies = {}, []
        for name, bundle in self._loaded.bundles.items():
            pixels, background = batches[self._fitting[name]]
            card = bundle.card
            answer, energy = look_with_energy(
                bundle.classifier, pixels, background, temperature=card.temperature, views=self.views
            )
            answers[name] = answer.cpu().numpy()
            energies.append(energy.cpu().numpy())
        return join(self._loaded, answers), np.mean(energies, axis=0, dtype=np.float64)

    def _scores(self, probabilities: NDArray[np.float32], energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """How well the model knows what it sees, (n,): the score that its card names."""
        match self.committee.rejection:
            case Rejection(score="max_probability"):
                return max_probability(probabilities)
            case Rejection(score="negative_entropy"):
                return negative_entropy(probabilities)
            case _:
                return energy

    def _batch(self, images: Sequence[_Prepared], fitting: Fitting) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (n, channels, S, S) uint8 and background (n, channels) uint8, on the device."""
        pixels = np.stack([image.pixels[fitting] for image in images])
        background = np.stack([border_median(one.transpose(1, 2, 0)) for one in pixels])
        return torch.from_numpy(pixels).to(self._device), torch.from_numpy(background).to(self._device)

    def _prepared(self, files: Sequence[ImageFile]) -> Iterator[list[_Prepared | Refused]]:
        """Batches of prepared images, the next one read by threads while this one is classified."""
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        with ThreadPoolExecutor(min(_MAX_READERS, os.cpu_count() or 1), "predict") as pool:
            ahead = [pool.submit(self._prepare, file) for file in (batches[0] if batches else ())]
            for following in [*batches[1:], ()]:
                current, ahead = ahead, [pool.submit(self._prepare, file) for file in following]
                yield [future.result() for future in current]

    def _prepare(self, file: ImageFile) -> _Prepared | Refused:
        """Decoded once, and fitted once for all models that want it alike."""
        try:
            pixels = decode(read_image_bytes(file.path)).pixels
        except Unreadable as error:
            return Refused(file.image_id, error.reason)
        wanted = set(self._fitting.values())
        return _Prepared(file.image_id, {fitting: prepare(pixels, *fitting) for fitting in wanted})


def _fitting(image: BundleImage) -> Fitting:
    return image.spec, image.interpolation
