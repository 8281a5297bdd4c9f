"""A model at work, the same for files, the API and the studio: from pixels to probabilities and answers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.committee import Committee, LoadedCommittee, load_model
from dessin.answers.inference import join, look_with_energy
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import Prepared, prepare_for
from dessin.images.ground import Pixels
from dessin.images.ink import border_median
from dessin.images.spec import Fitting
from dessin.page.notebook import Shown, Tables
from dessin.progress import track
from dessin.serving.named import Candidate
from dessin.training.device import choose_device
from dessin.training.views import check_views
from dessin.trust.confidence.rejection import max_probability, negative_entropy

BATCH = 64
_MAX_READERS = 8
Abstention = Literal["", "unsure", "no_class"]


@dataclass(frozen=True)
class ImageFile:
    """One image to look at: the name that the result gives it, and where it lies."""

    image_id: str
    path: Path

    def pixels(self) -> Pixels:
        """Its decoded pixels (H, W, 3) uint8.

        Raises:
            Unreadable: it cannot be read.
        """
        return decode(read_image_bytes(self.path)).pixels


@dataclass(frozen=True)
class Refused:
    """An image that cannot be read, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True, eq=False)
class Answered:
    """`probabilities` (n, C) float32 of n images, columns in the order of the committee's classes.

    `scores` (n,) float64 are those by which the model rejects what is of no class; None where it never does.
    """

    probabilities: NDArray[np.float32]
    scores: NDArray[np.float64] | None


@dataclass(frozen=True, repr=False)
class Predictions(Shown):
    """`probabilities` (n, C) float32 of the n readable `image_ids`, in the order asked; the others apart.

    `scores` as in `Answered`.
    """

    image_ids: tuple[str, ...]
    probabilities: NDArray[np.float32]
    unreadable: tuple[Refused, ...]
    scores: NDArray[np.float64] | None = None
    classes: tuple[str, ...] = ()

    def _tables(self) -> Tables:
        rows = zip(self.image_ids, self.probabilities.tolist(), strict=True)
        yield "", [{"image_id": name} | dict(zip(self.classes, row, strict=True)) for name, row in rows]


class Runtime:
    """Names the class of images with one model or a committee.

    `fittings` says how an image must be prepared, with `prepare_for`; that may happen in another process.
    `answer` must not be called by two threads at once.
    """

    def __init__(
        self, loaded: LoadedCommittee, *, views: Sequence[str] = (), device: torch.device | None = None
    ) -> None:
        self.loaded = loaded
        self.committee: Committee = loaded.committee
        self.views = check_views(tuple(views)) if views else loaded.committee.views
        self.device = device or torch.device(str(choose_device().value))
        self._fitting = {name: bundle.card.image.fitting for name, bundle in loaded.bundles.items()}
        self.fittings: tuple[Fitting, ...] = tuple(dict.fromkeys(self._fitting.values()))
        for bundle in loaded.bundles.values():
            bundle.classifier.to(self.device).eval()

    @classmethod
    def load(cls, model: str | Path, *, views: Sequence[str] = (), threads: int | None = None) -> Runtime:
        """From the folder of a bundle, of a committee, or of a run or an ensemble that holds one.

        `threads` are those of the computation, in this whole process (default: as they are).

        Raises:
            DessinError: none of these, an unfinished run, an unknown view, or a damaged bundle.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(load_model(Path(model)), views=views)

    def answer(self, images: Sequence[Prepared]) -> Answered:
        """One batch of n > 0 images, every model having looked in every view."""
        batches = {fitting: self._batch(images, fitting) for fitting in self.fittings}
        answers, energies = {}, []
        for name, bundle in self.loaded.bundles.items():
            pixels, background = batches[self._fitting[name]]
            heat = bundle.card.temperature
            answer, found = look_with_energy(
                bundle.classifier, pixels, background, temperature=heat, views=self.views
            )
            answers[name] = answer.cpu().numpy()
            energies.append(found.cpu().numpy())
        probabilities = join(self.loaded, answers)
        energy = np.stack(energies).mean(axis=0, dtype=np.float64)
        return Answered(probabilities, self._scores(probabilities, energy))

    def predict_files(self, files: Sequence[ImageFile]) -> Predictions:
        """Decode, prepare and classify, `BATCH` images at a time; a bad file never stops the others."""
        ids: list[str] = []
        answers: list[Answered] = []
        refused: list[Refused] = []
        for batch in track(self._read(files), len(files), "Predicting", size=len):
            refused += [entry for _, entry in batch if isinstance(entry, Refused)]
            readable = [(name, entry) for name, entry in batch if not isinstance(entry, Refused)]
            if readable:
                ids += [name for name, _ in readable]
                answers.append(self.answer([prepared for _, prepared in readable]))
        width = len(self.committee.classes)
        probabilities = [answer.probabilities for answer in answers]
        scores = [answer.scores for answer in answers if answer.scores is not None]
        return Predictions(
            tuple(ids),
            np.concatenate([np.zeros((0, width), dtype=np.float32), *probabilities]),
            tuple(refused),
            np.concatenate(scores) if scores else None,
            self.committee.classes,
        )

    def predict_paths(self, paths: Sequence[Path]) -> Predictions:
        """The same for plain paths, which become the image ids as they are written."""
        return self.predict_files([ImageFile(path.as_posix(), path) for path in paths])

    def _scores(
        self, probabilities: NDArray[np.float32], energy: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """How well the model knows what it sees, (n,): the score that its card names."""
        if self.committee.rejection is None:
            return None
        named = {"max_probability": max_probability, "negative_entropy": negative_entropy}
        score = named.get(self.committee.rejection.score)
        return score(probabilities) if score else energy

    def _batch(self, images: Sequence[Prepared], fitting: Fitting) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (n, channels, S, S) uint8 and background (n, channels) uint8, on the device."""
        pixels = np.stack([image.squares[fitting] for image in images])
        background = np.stack([border_median(one.transpose(1, 2, 0)) for one in pixels])
        return torch.from_numpy(pixels).to(self.device), torch.from_numpy(background).to(self.device)

    def _read(self, files: Sequence[ImageFile]) -> Iterator[list[tuple[str, Prepared | Refused]]]:
        """Batches of prepared images by id, the next one read by threads while this one is classified."""
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        with ThreadPoolExecutor(min(_MAX_READERS, os.cpu_count() or 1), "predict") as pool:
            ahead = [pool.submit(self._prepare, file) for file in (batches[0] if batches else ())]
            for number, batch in enumerate(batches):
                following = batches[number + 1] if number + 1 < len(batches) else ()
                current, ahead = ahead, [pool.submit(self._prepare, file) for file in following]
                yield [(file.image_id, future.result()) for file, future in zip(batch, current, strict=True)]

    def _prepare(self, file: ImageFile) -> Prepared | Refused:
        try:
            return prepare_for(file.pixels(), self.fittings)
        except Unreadable as error:
            return Refused(file.image_id, error.reason)


@dataclass(frozen=True)
class Answer:
    """The likeliest classes of an image, the first of which is the answer unless the model abstains.

    `abstention` is `unsure` below the model's threshold, and `no_class` where its rejection score is too low;
    `reason` says it in words, and is empty where the model answers.
    """

    candidates: tuple[Candidate, ...]
    abstention: Abstention
    reason: str

    @property
    def best(self) -> Candidate:
        return self.candidates[0]


def read_answers(model: Committee, answered: Answered, top: int) -> list[Answer]:
    """The answers to n images, each with at most `top` classes; equal probabilities in class order."""
    scores = answered.scores
    return [
        _answer(model, row, None if scores is None else float(scores[number]), top)
        for number, row in enumerate(answered.probabilities)
    ]


def _answer(model: Committee, probabilities: NDArray[np.float32], score: float | None, top: int) -> Answer:
    order = np.argsort(-probabilities, kind="stable")[:top]
    labels = [model.classes[column] for column in order]
    candidates = tuple(
        Candidate(label, model.names.get(label, label), float(probabilities[column]))
        for label, column in zip(labels, order, strict=True)
    )
    return Answer(candidates, *_abstention(model, candidates[0].probability, score))


def _abstention(model: Committee, probability: float, score: float | None) -> tuple[Abstention, str]:
    rejection = model.rejection
    if rejection is not None and score is not None and score < rejection.threshold:
        words = rejection.score.replace("_", " ")
        return "no_class", f"not a drawing of any class ({words} {score:.3f} below {rejection.threshold:.3f})"
    if probability < model.threshold:
        return "unsure", f"below the threshold {model.threshold:.3f}"
    return "", ""
