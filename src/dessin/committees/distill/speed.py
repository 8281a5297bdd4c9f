"""How much faster a student is: the same images, one process, all models in turn, many times."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.committee import COMMITTEE_FILE, find_model
from dessin.answers.inference import join, look
from dessin.answers.tree import Node, leaves
from dessin.committees.distill.result import COMMITTEE, STUDENT, WHOLE, Gain, Pace, Size, SpeedResults
from dessin.committees.distill.teaching import part_of
from dessin.images.paths import image_path
from dessin.models.bundle import Bundle, load_bundle
from dessin.models.card import CARD_FILE
from dessin.progress import say, track
from dessin.runs.machine import describe_hardware
from dessin.runs.subject import Subject
from dessin.training.data import PixelSource
from dessin.training.device import choose_device, seconds_of
from dessin.training.views import PLAIN

BATCH = 32
# The range of so many rounds holds their median in 98 of 100 cases.
ROUNDS = 7
# Single images are asked for one after the other, so many a round.
_SINGLE = 8
Answer = Callable[[Sequence[str]], object]


def measure_speed(subject: Subject, fold: int, student: Path) -> SpeedResults:
    """Time the whole committee, what answers for a fold, and the student, on images of that fold."""
    device = torch.device(str(choose_device().value))
    say(f"measuring speed on {device.type}: {ROUNDS} rounds")
    ids = [row.image_id for row in subject.inputs.split.validation(fold)][:BATCH]
    ids = [ids[i % len(ids)] for i in range(BATCH)]
    asked = _answerers(subject, fold, load_bundle(student), device)
    seconds: dict[tuple[str, int], list[float]] = {}
    # The first round warms up: kernels are chosen and memory is taken then.
    for number in track(range(ROUNDS + 1), ROUNDS + 1, "measuring speed"):
        for batch, images in ((BATCH, BATCH), (1, _SINGLE)):
            for name, answer in asked.items():
                spent = _timed(answer, ids[:images], batch, device) / images
                if number:
                    seconds.setdefault((name, batch), []).append(spent)
    paces = tuple(
        Pace(name=name, batch=batch, **_middle([1.0 / each for each in spent]))
        for (name, batch), spent in seconds.items()
    )
    # Round by round, so that what else the machine did at the time touches both.
    ratios = {
        (name, batch): [their / own for their, own in zip(spent, seconds[STUDENT, batch], strict=True)]
        for (name, batch), spent in seconds.items()
        if name != STUDENT
    }
    gains = tuple(Gain(against=name, batch=batch, **_middle(of)) for (name, batch), of in ratios.items())
    hardware = describe_hardware(torch.get_num_threads())
    return SpeedResults(rounds=ROUNDS, device=device.type, hardware=hardware, paces=paces, gains=gains)


class _Pixels:
    """Models on one device, each with the pixels that it looks at."""

    def __init__(self, subject: Subject, device: torch.device) -> None:
        self._open, self._device = subject.inputs.opener(), device
        self._sources: dict[str, PixelSource] = {}

    def look(self, bundle: Bundle, image_ids: Sequence[str], views: Sequence[str]) -> NDArray[np.float32]:
        """The probabilities (n, C) of a model for images."""
        store = self._open(bundle.card.image)
        if store.digest not in self._sources:
            self._sources[store.digest] = PixelSource(store, self._device)
        images, background = self._sources[store.digest].gather(store.rows(image_ids))
        temperature = bundle.card.temperature
        answer = look(bundle.classifier, images, background, temperature=temperature, views=views)
        return np.asarray(answer.cpu().numpy())


def _answerers(subject: Subject, fold: int, student: Bundle, device: torch.device) -> Mapping[str, Answer]:
    """What is timed, by name: each answers images as one batch."""
    loaded, pixels = subject.loaded, _Pixels(subject, device)
    views = loaded.committee.views
    for bundle in (*loaded.bundles.values(), student):
        bundle.classifier.to(device).eval()

    def voted(root: Node) -> Answer:
        names = leaves(root)

        def answer(image_ids: Sequence[str]) -> None:
            join(loaded, {name: pixels.look(loaded.bundles[name], image_ids, views) for name in names}, root)

        return answer

    return {
        WHOLE: voted(loaded.committee.root),
        COMMITTEE: voted(part_of(subject, fold)),
        STUDENT: lambda image_ids: pixels.look(student, image_ids, PLAIN),
    }


def _timed(answer: Answer, image_ids: Sequence[str], batch: int, device: torch.device) -> float:
    def work() -> None:
        for first in range(0, len(image_ids), batch):
            answer(image_ids[first : first + batch])

    return seconds_of(work, device)


def _middle(rounds: Sequence[float]) -> dict[str, float]:
    """The median of all rounds, the least and the most."""
    return {"value": statistics.median(rounds), "low": min(rounds), "high": max(rounds)}


def committee_size(subject: Subject, names: Sequence[str]) -> Size:
    """The size of some of the committee's models together."""
    folder = find_model(subject.given)
    whole = (folder / COMMITTEE_FILE).is_file()
    places = [image_path(folder, name) if whole else folder for name in names]
    return _size(places, [subject.loaded.bundles[name] for name in names])


def bundle_size(folder: Path) -> Size:
    """The size of one bundle."""
    return _size([folder], [load_bundle(folder)])


def _size(folders: Sequence[Path], bundles: Sequence[Bundle]) -> Size:
    parameters = sum(p.numel() for bundle in bundles for p in bundle.classifier.parameters())
    files = [
        folder / name
        for folder, bundle in zip(folders, bundles, strict=True)
        for name in (bundle.card.file, CARD_FILE)
    ]
    return Size(models=len(bundles), parameters=parameters, bytes=sum(f.stat().st_size for f in files))
