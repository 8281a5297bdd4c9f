"""What a model says of its own images before any temperature, and what a single one computes inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import BATCH, OpenStore, folds_of
from dessin.answers.tree import ModelNode
from dessin.committees.rules.nested import deal_groups
from dessin.models.bundle import Bundle
from dessin.models.classifier import Classifier
from dessin.progress import track
from dessin.randomness import image_keys, permutation
from dessin.runs.subject import Subject
from dessin.statistics.intervals import Bounds, Estimate, Floats, bootstrap_mean, group_index
from dessin.training.data import PixelSource
from dessin.training.device import choose_device

Table = NDArray[np.float32]
Flags = NDArray[np.bool_]
# Enough to know what training images look like; each costs one look.
LARGEST_BANK = 2500


@dataclass(frozen=True, eq=False)
class Answers:
    """Probabilities (N, C) float64 without the model's own temperature; of a single model also the inside.

    Both are None for a committee, which has no single ones; an exported model has no features.
    """

    image_ids: tuple[str, ...]
    probabilities: Floats
    logits: Table | None = None
    features: Table | None = None


@dataclass(frozen=True, eq=False)
class Bank:
    """Features (M, D) of training images, and their class numbers (M,)."""

    features: Table
    targets: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The validation images with their answers, sorted by image id; `parts` (N,) never divide a group."""

    answers: Answers
    targets: NDArray[np.int64]
    groups: NDArray[np.str_]
    parts: NDArray[np.int64]
    classes: tuple[str, ...]
    bank: Bank | None
    seed: int

    @property
    def right(self) -> Flags:
        return np.asarray(self.answers.probabilities.argmax(axis=1) == self.targets)

    def mean(self, values: NDArray[Any], bounds: Bounds | None = None) -> Estimate:
        """The mean of values (N,), with the interval of whole groups."""
        return bootstrap_mean(values, self.groups, seed=self.seed, bounds=bounds)


def gather_evidence(subject: Subject) -> Evidence:
    """Ask the model about its validation images, each through models that were not trained on it.

    Raises:
        DessinError: no validation images, or all of them in one group.
    """
    rows = tuple(sorted(subject.rows("validation"), key=lambda row: row.image_id))
    image_ids = tuple(row.image_id for row in rows)
    classes = subject.loaded.committee.classes
    column = {label: number for number, label in enumerate(classes)}
    # An image without a group is one of its own, whatever its place among the others.
    groups = np.array([row.group or f" {row.image_id}" for row in rows])
    parts = deal_groups(group_index(groups), image_ids, seed=subject.seed)
    bundle = single_model(subject.loaded)
    if subject.kept is not None:
        answers = Answers(image_ids, subject.kept.table(image_ids, classes).astype(np.float64))
    elif bundle is None:
        table = untempered(subject).answers(rows).probabilities
        answers = Answers(image_ids, table.astype(np.float64))
    else:
        answers = answers_of(bundle, subject.inputs.opener(), image_ids, label="Validation drawings")
    return Evidence(
        answers=answers,
        targets=np.array([column[row.label] for row in rows], dtype=np.int64),
        groups=groups,
        parts=parts,
        classes=classes,
        bank=_bank(subject, column),
        seed=subject.seed,
    )


def single_model(loaded: LoadedCommittee) -> Bundle | None:
    """The one model that answers; None for a committee of several."""
    root = loaded.committee.root
    return loaded.bundles[root.bundle] if isinstance(root, ModelNode) else None


def untempered(subject: Subject) -> Subject:
    """The same model without the temperature that its card or committee has, which is to be fitted."""
    loaded = subject.loaded
    committee = loaded.committee.model_copy(update={"temperature": 1.0})
    return replace(subject, loaded=replace(loaded, committee=committee))


def answers_of(bundle: Bundle, opener: OpenStore, image_ids: Sequence[str], *, label: str) -> Answers:
    """What a single model says of images in one plain view, and what it computes inside."""
    store, device = opener(bundle.card.image), torch.device(choose_device().value)
    source, rows = PixelSource(store, device), store.rows(image_ids)
    network = bundle.classifier.to(device).eval()
    features: list[Table] = []
    answered: list[Table] = []
    batches = (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
    for batch in track(batches, len(rows), label, size=len):
        pixels, _ = source.gather(batch)
        with torch.inference_mode():
            if isinstance(network, Classifier):
                seen = network.features(pixels)
                features.append(seen.float().cpu().numpy())
                answer = network(pixels) if network.mirrored else network.classify(seen)
            else:
                answer = network(pixels)
        answered.append(answer.float().cpu().numpy())
    logits = np.concatenate(answered)
    probabilities = np.asarray(softmax(logits.astype(np.float64), axis=1))
    return Answers(tuple(image_ids), probabilities, logits, np.concatenate(features) if features else None)


def _bank(subject: Subject, column: dict[str, int]) -> Bank | None:
    """Of a single model that shows features: training images of its fold, `LARGEST_BANK` chosen by name."""
    bundle = single_model(subject.loaded)
    if bundle is None or bundle.card.exported or subject.kept is not None:
        return None
    rows = subject.inputs.split.training(folds_of(subject.loaded)[0])
    keys = image_keys([row.image_id for row in rows])
    kept = [rows[place] for place in permutation(subject.seed, "bank", 0, keys)[:LARGEST_BANK]]
    image_ids = [row.image_id for row in kept]
    shown = answers_of(bundle, subject.inputs.opener(), image_ids, label="Training drawings")
    assert shown.features is not None, "a model that was not exported"
    return Bank(shown.features, np.array([column[row.label] for row in kept], dtype=np.int64))
