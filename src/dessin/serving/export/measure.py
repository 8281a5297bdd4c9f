"""Whether an exported model answers as the one it was made from, on real drawings, and what quantisation
costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import BATCH, OpenStore, folds_of
from dessin.collection.split.files import Assignment
from dessin.images.ground import Pixels
from dessin.models.card import BundleCard
from dessin.models.network import Network
from dessin.randomness import image_keys, permutation
from dessin.runs.subject import Subject
from dessin.serving.export.result import TOLERANCE, Agreement, Price
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import Floats, bootstrap_mean


def agreement(ours: Network, theirs: Network, drawings: Pixels, temperature: float) -> Agreement:
    """Compare two networks on drawings (n, channels, S, S) uint8, one alone and the others in batches."""
    first, second = (_probabilities(network, drawings, temperature) for network in (ours, theirs))
    rows = np.arange(len(first))
    behind = first.max(axis=1) - first[rows, second.argmax(axis=1)]
    return Agreement(
        drawings=len(drawings),
        largest_difference=float(np.abs(first - second).max()),
        same_top1=int((behind <= TOLERANCE).sum()),
    )


def _probabilities(network: Network, drawings: Pixels, temperature: float) -> Floats:
    """The first drawing alone, since a network may have been traced for more; then the others together."""
    alone, *others = np.split(drawings, [1, *range(1 + BATCH, len(drawings), BATCH)])
    with torch.inference_mode():
        logits = torch.cat(
            [network(torch.from_numpy(part)).double() for part in (alone, *others) if len(part)]
        )
        return torch.softmax(logits / temperature, dim=1).numpy()


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


def int8_price(subject: Subject, exported: LoadedCommittee) -> Price | None:
    """The price paid by the exported model; None where there are no validation drawings to tell it."""
    if not folds_of(subject.loaded):
        return None
    rows = subject.rows("validation")
    right = []
    for loaded in (subject.loaded, exported):
        answers = replace(subject, loaded=loaded).answers(rows)
        named = np.array(answers.classes)[answers.probabilities.argmax(axis=1)]
        right.append((named == np.array([row.label for row in rows])).astype(np.float64))
    groups = [row.group for row in rows]
    before, after = right
    return Price(
        float32=bootstrap_mean(before, groups, seed=subject.seed),
        int8=bootstrap_mean(after, groups, seed=subject.seed),
        difference=two_models(after, before, groups, seed=subject.seed).difference,
    )
