"""Which drawings the page shows, small, and where the model looked on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dessin.collection.split.files import Assignment
from dessin.errors import DessinError
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import page_of
from dessin.images.ground import Pixels
from dessin.images.spec import Page
from dessin.language import tr
from dessin.page.pictures import image_data_uri, within
from dessin.progress import warn
from dessin.randomness import image_keys
from dessin.runs.subject import Subject
from dessin.statistics.metrics import Confusion
from dessin.training.device import choose_device
from dessin.trust.explain.explainer import Explainer
from dessin.trust.explain.pictures import overlay
from dessin.trust.explain.sources import Drawing, Reader
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.properties import cut
from dessin.trust.mistakes.result import ClassRow
from dessin.trust.mistakes.strokes import Floats

CLASSES, OF_CLASS = 12, 6
PAIRS, OF_PAIR, TYPICAL = 20, 4, 4
OF_PART = 4
_METHOD = "gradcam"
SIDE = 208
_QUALITY = 72
_PAPER = 240

TypicalOf = Literal["right", "wrong", "training"]
# The drawing at a place under the map of the class that it was taken for, then of its own.
Maps = dict[int, tuple[str, ...]]


@dataclass(frozen=True)
class PairGallery:
    """A pair: some drawings that were mixed up, and typical ones of the class that they were taken for.

    Typical are those answered right, the surest first; without any, others of `typical_of`.
    """

    row: Confusion
    wrong: tuple[int, ...]
    typical: tuple[str, ...]
    typical_of: TypicalOf


def class_galleries(given: Answered, rows: Sequence[ClassRow]) -> list[tuple[ClassRow, list[int]]]:
    """The worst classes that have a wrong drawing at all, with places of some drawings, wrong ones first."""
    worst = [row for row in rows if row.right < row.n][:CLASSES]
    return [(row, _wrong_first(given, row.label)[:OF_CLASS]) for row in worst]


def pair_galleries(
    given: Answered, rows: Sequence[Confusion], training: Sequence[Assignment]
) -> list[PairGallery]:
    """The most frequent pairs; `training` has drawings for classes of which none is among the answered."""
    galleries = []
    for row in rows[:PAIRS]:
        own, other = given.classes.index(row.label), given.classes.index(row.predicted)
        wrong = _surest(given, (given.targets == own) & (given.predicted == other), other)[:OF_PAIR]
        galleries.append(PairGallery(row, tuple(wrong), *_typical(given, other, training)))
    return galleries


def ends_of(values: Floats, image_ids: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Places of typical drawings of a property's lowest part and of its highest: those in its middle."""
    rows = np.flatnonzero(np.isfinite(values))
    part, keys = cut(values[rows]), image_keys(image_ids)
    ends = []
    for number in (0, int(part.max(initial=0))):
        own = rows[part == number]
        # Of equal values any may be in the middle, not those that the alphabet puts there.
        order = own[np.lexsort((keys[own], values[own]))].tolist()
        middle = max(0, (len(order) - OF_PART) // 2)
        ends.append(tuple(order[middle : middle + OF_PART]))
    return ends[0], ends[1]


def _typical(
    given: Answered, number: int, training: Sequence[Assignment]
) -> tuple[tuple[str, ...], TypicalOf]:
    own = given.targets == number
    pools: tuple[tuple[TypicalOf, NDArray[np.bool_]], ...] = (("right", own & given.correct), ("wrong", own))
    for name, pool in pools:
        if pool.any():
            places = _surest(given, pool, number)[:TYPICAL]
            return tuple(given.rows[place].image_id for place in places), name
    label = given.classes[number]
    # One of each group, for drawings of one group are alike.
    first = {row.group: row.image_id for row in reversed(training) if row.label == label}
    return tuple(sorted(first.values()))[:TYPICAL], "training"


def _wrong_first(given: Answered, label: str) -> list[int]:
    places = np.flatnonzero(given.targets == given.classes.index(label))
    keys = (-given.sureness[places], given.correct[places])
    return [int(place) for place in places[np.lexsort(keys)]]


def _surest(given: Answered, mask: NDArray[np.bool_], number: int) -> list[int]:
    """Places within `mask` (N,), by the probability of the class `number`, the highest first."""
    places = np.flatnonzero(mask)
    return [int(p) for p in places[np.argsort(-given.probabilities[places, number], kind="stable")]]


def mistake_maps(subject: Subject, given: Answered, places: Sequence[int]) -> tuple[Maps, str]:
    """The maps of the drawings at these `places`, and why there are none, if so.

    A committee's map is the weighted mean of those of the models that were not trained on the drawing.
    """
    try:
        return _maps(subject, given, places), ""
    except DessinError as error:
        warn(tr("The atlas has no maps: {why}", why=error))
        return {}, error.seen


def _maps(subject: Subject, given: Answered, places: Sequence[int]) -> Maps:
    explainer = Explainer(subject.loaded, torch.device(choose_device().value))
    rows = {given.rows[place].image_id: place for place in places}
    manifest = subject.inputs.manifest
    drawings = [
        Drawing(image_id, manifest.path(image_id), fold=given.rows[place].fold)
        for image_id, place in rows.items()
    ]
    found: Maps = {}
    for batch in Reader(explainer.images, explainer.device).batches(drawings, "looking at mistakes"):
        asked = explainer.ask(batch, gradients=True)
        own = [rows[drawing.image_id] for drawing in batch.drawings]
        named, true = (
            explainer.maps(asked, [given.classes[number[place]] for place in own], _METHOD)
            for number in (given.predicted, given.targets)
        )
        for number, place in enumerate(own):
            picture = explainer.image(asked, number)
            small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            small = np.asarray(small, dtype=np.uint8)
            found[place] = tuple(_as_webp(overlay(small, maps[number])) for maps in (named, true))
    return found


def thumbnail(path: Path, page: Page = "off") -> str:
    """A drawing on its own paper as a `data:` address, with `page: auto` the page of a photograph; one that
    cannot be read is a gray square."""
    try:
        pixels = page_of(decode(read_image_bytes(path)).pixels, page)
    except Unreadable:
        return _as_webp(np.full((SIDE, SIDE, 3), _PAPER, dtype=np.uint8))
    return _as_webp(within(pixels, SIDE, enlarge=True))


def _as_webp(pixels: Pixels) -> str:
    """Pixels (H, W, 3) uint8 as a small WebP."""
    return image_data_uri(np.ascontiguousarray(pixels), kind="webp", quality=_QUALITY)
