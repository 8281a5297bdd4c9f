"""The drawings that an export is checked on and quantised with: real ones, of the model's own data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dessin.answers.inference import OpenStore
from dessin.collection.split.files import Assignment
from dessin.images.decode import Pixels
from dessin.models.card import BundleCard
from dessin.randomness import image_keys, permutation
from dessin.runs.subject import Subject

CHECKED = 128
CALIBRATION = 256


def check_drawings(subject: Subject, card: BundleCard, open_store: OpenStore) -> Pixels:
    """At most `CHECKED` validation drawings of a model, (n, channels, S, S) uint8.

    One that was trained without a fold is checked on training drawings: here no answer needs to be right.
    """
    fold, split = fold_of(card), subject.inputs.split
    rows = split.training(None) if fold is None else split.validation(fold)
    return _chosen(subject, card, open_store, rows, CHECKED, "export check")


def calibration_drawings(subject: Subject, card: BundleCard, open_store: OpenStore) -> Pixels:
    """At most `CALIBRATION` drawings that a model was trained on, (n, channels, S, S) uint8."""
    rows = subject.inputs.split.training(fold_of(card))
    # An expert was trained on its own classes; a router's classes are families, which no drawing has.
    own = [row for row in rows if row.label in set(card.classes)]
    return _chosen(subject, card, open_store, own or rows, CALIBRATION, "export calibration")


def fold_of(card: BundleCard) -> int | None:
    """The fold that was left out of a model's training, if one was."""
    fold = card.provenance.get("fold", "")
    return int(fold) if fold.isdigit() else None


def _chosen(
    subject: Subject,
    card: BundleCard,
    open_store: OpenStore,
    rows: Sequence[Assignment],
    most: int,
    stream: str,
) -> Pixels:
    ids = [row.image_id for row in rows]
    order = permutation(subject.seed, stream, 0, image_keys(ids))[:most]
    store = open_store(card.image)
    return np.array(store.pixels[store.rows([ids[place] for place in order])], dtype=np.uint8)
