"""Where the model looks on drawings that it got wrong: for the class it named, and for the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from dessin.errors import DessinError
from dessin.evaluation.explain.overlay import overlay
from dessin.experiments.explain.explainer import Explainer
from dessin.experiments.explain.sources import Drawing, Reader, in_chunks
from dessin.experiments.mistakes.answered import Answered
from dessin.experiments.mistakes.thumbnails import SIDE, packed
from dessin.images.decode import Pixels
from dessin.progress import track, warn
from dessin.runs.subject import Subject
from dessin.training.device import choose_device

_METHOD = "gradcam"


@dataclass(frozen=True)
class Look:
    """A drawing under the maps of two classes, as `data:` addresses."""

    predicted: str
    true: str


def looks_at(subject: Subject, given: Answered, places: Sequence[int]) -> tuple[Mapping[int, Look], str]:
    """The looks at the drawings of these `places`, and why there are none, if so.

    A committee's map is the weighted mean of those of the models that were not trained on the drawing.
    """
    device = torch.device(str(choose_device().value))
    try:
        return _looks(Explainer(subject.loaded, device), device, subject, given, places), ""
    except DessinError as error:
        warn(f"The atlas has no maps: {error}")
        return {}, error.seen


def _looks(
    explainer: Explainer, device: torch.device, subject: Subject, given: Answered, places: Sequence[int]
) -> dict[int, Look]:
    rows = {given.rows[place].image_id: place for place in places}
    manifest = subject.inputs.manifest
    drawings = [
        Drawing(image_id, manifest.path(image_id), fold=given.rows[place].fold)
        for image_id, place in rows.items()
    ]
    found: dict[int, Look] = {}
    batches = Reader(explainer.images, device).batches(drawings)
    for batch in track(batches, len(in_chunks(drawings)), "looking at mistakes"):
        if batch is None:
            continue
        seen = explainer.see(batch, gradients=True)
        own = [rows[drawing.image_id] for drawing in batch.drawings]
        named, true = (
            explainer.maps(seen, [given.classes[number[place]] for place in own], _METHOD)
            for number in (given.predicted, given.targets)
        )
        for number, place in enumerate(own):
            picture = explainer.picture(seen, number)
            found[place] = Look(_packed(picture, named[number]), _packed(picture, true[number]))
    return found


def _packed(picture: Pixels, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str:
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return packed(overlay(np.asarray(small, dtype=np.uint8), values))
