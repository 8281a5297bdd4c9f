"""Drawings of no class of the model: held-out classes or a folder, put to it as its own are, and how
scores tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.inference import OpenStore, answer_rows, folds_of
from dessin.collection.readers.walk import walk_images
from dessin.committees.rules.nested import deal_groups
from dessin.errors import DessinError, listing
from dessin.files import sha256_file
from dessin.images.containers.base import FORMATS
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.spec import Fitting
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.models.card import Rejection, RejectionScore
from dessin.page.numbers import counted
from dessin.progress import track, warn
from dessin.randomness import image_keys, permutation
from dessin.runs.subject import Subject
from dessin.statistics.intervals import Floats
from dessin.statistics.temperature import tempered
from dessin.training.device import choose_device
from dessin.trust.confidence.evidence import Answers, Evidence, answers_of, single_model, untempered
from dessin.trust.confidence.rejection import (
    crossfitted_alarms,
    detection,
    energy,
    max_probability,
    nearest,
    negative_entropy,
    quantile_threshold,
    similarities,
)
from dessin.trust.confidence.result import RejectionResults, ScoreResult, UnknownResults

_FEWEST = 2


@dataclass(frozen=True, eq=False)
class UnknownImages:
    """Images of no class: `groups` (n,) are their folders, or themselves where they lie in one folder."""

    root: Path
    images: tuple[StoredImage, ...]

    @property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(image.image_id for image in self.images)

    @property
    def folders(self) -> NDArray[np.str_]:
        return np.array([PurePosixPath(image_id).parent.as_posix() for image_id in self.image_ids])

    @property
    def groups(self) -> NDArray[np.str_]:
        folders = self.folders
        return folders if len(np.unique(folders)) > 1 else np.array(self.image_ids)

    def opener(self) -> OpenStore:
        """What opens the pixels that a model looks at."""

        @cache
        def store(fitting: Fitting) -> PixelStore:
            return open_store(self.images, self.root, *fitting)

        return lambda image: store(image.fitting)


def read_unknown(folder: Path, subject: Subject) -> UnknownImages:
    """The readable images below `folder`, without those that the model does know.

    Left out, and said, are folders with the name of one of the model's classes, files of its own collection,
    and what cannot be read.

    Raises:
        DessinError: no such folder, or fewer than two images left.
    """
    if not folder.is_dir():
        raise DessinError(f"There is no folder {folder}.", do="Check --unknown.")
    images = walk_images(folder).images
    committee = subject.loaded.committee
    known = {_spelt(name) for name in (*committee.classes, *committee.names.values())}
    named = {name for name in images if _spelt(PurePosixPath(name).parent.name) in known}
    images = _without(images, named, "have the name of a class of the model")
    sha256 = {image_id: sha256_file(image_path(folder, image_id)) for image_id in images}
    own = {row.sha256 for row in subject.inputs.manifest.rows}
    owned = {name for name in images if sha256[name] in own}
    images = _without(images, owned, "are files of its own collection")
    images = _without(images, _unreadable(folder, images), "cannot be read")
    if len(images) < _FEWEST:
        usable = counted(len(images), "usable image") if images else "no usable images"
        raise DessinError(
            f"{folder} holds {usable}, and two are needed.",
            allowed=f"It takes two or more images ({FORMATS}) of things that are no class of it.",
            do="Check --unknown.",
        )
    return UnknownImages(folder, tuple(StoredImage(name, sha256[name]) for name in sorted(images)))


def unknown_answers(subject: Subject, unknown: UnknownImages) -> Answers:
    """What the model says of them.

    A committee is asked about each through its models of one fold, as about its own images: a vote of all
    folds would be surer than the answers that those are measured with.
    """
    bundle, image_ids = single_model(subject.loaded), unknown.image_ids
    if bundle is not None:
        return answers_of(bundle, unknown.opener(), image_ids, label="Unknown drawings")
    folds, opener = folds_of(subject.loaded), unknown.opener()
    order = permutation(subject.seed, "folds of unknown images", 0, image_keys(image_ids))
    table = np.empty((len(image_ids), len(subject.loaded.committee.classes)), dtype=np.float64)
    loaded, device = untempered(subject).loaded, torch.device(choose_device().value)
    for number, fold in enumerate(folds):
        mine = order[number :: len(folds)]
        names = [image_ids[place] for place in mine]
        table[mine] = answer_rows(loaded, opener, names, device=device, fold=fold)
    return Answers(image_ids, table)


def _spelt(name: str) -> str:
    """A class name without what people spell in several ways."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _unreadable(folder: Path, images: Sequence[str]) -> set[str]:
    bad = set()
    for name in track(images, len(images), "Reading unknown drawings"):
        try:
            decode(read_image_bytes(image_path(folder, name)))
        except Unreadable:
            bad.add(name)
    return bad


def _without(images: Sequence[str], left_out: set[str], why: str) -> list[str]:
    if left_out:
        warn(
            f"Of the unknown drawings {len(left_out):,} {why} and are left out: {listing(sorted(left_out))}."
        )
    return [name for name in images if name not in left_out]


FALSE_ALARMS = 0.05
_FEWEST_CLASSES = 3
Columns = NDArray[np.bool_]
Scores = Mapping[str, Floats]


def measure_rejection(
    evidence: Evidence,
    temperature: float,
    unknown: UnknownImages | None,
    answers: Answers | None,
) -> RejectionResults:
    """Measure all scores, choose one that a card can hold, and set its threshold on own images.

    `unknown` are the images of a folder, with the model's `answers`, or both None.
    """
    own = scores_of(evidence, evidence.answers, temperature)
    held_out = _held_out(evidence, temperature)
    folder = None
    if unknown is not None and answers is not None:
        folder = _on_folder(evidence, own, scores_of(evidence, answers, temperature), unknown)
    score = _best(folder or held_out, own)
    alarms = crossfitted_alarms(own[score], evidence.parts, FALSE_ALARMS)
    optimism = held_out.of(score).auroc.value - folder.of(score).auroc.value if held_out and folder else None
    return RejectionResults(
        chosen=Rejection(score=score, threshold=quantile_threshold(own[score], FALSE_ALARMS)),
        target_false_alarms=FALSE_ALARMS,
        false_alarms=evidence.mean(alarms),
        held_out=held_out,
        folder=folder,
        optimism=optimism,
    )


def scores_of(
    evidence: Evidence, answers: Answers, temperature: float, columns: Columns | None = None
) -> Scores:
    """Each score of N images, (N,), with only the classes of `columns` (C,) known to the model."""
    kept = np.ones(len(evidence.classes), dtype=bool) if columns is None else columns
    part = answers.probabilities[:, kept]
    # A class that takes all of the probability leaves nothing for the others.
    part = np.where(part.sum(axis=1, keepdims=True) > 0, part, 1.0)
    part = tempered(part / part.sum(axis=1, keepdims=True), temperature)
    found: dict[str, Floats] = {}
    if answers.logits is not None:
        found["energy"] = energy(answers.logits[:, kept])
    found |= {"max_probability": max_probability(part), "negative_entropy": negative_entropy(part)}
    bank = evidence.bank
    if answers.features is not None and bank is not None:
        found["nearest"] = nearest(similarities(answers.features, bank.features[kept[bank.targets]]))
    return found


def _held_out(evidence: Evidence, temperature: float) -> UnknownResults | None:
    """Classes dealt in parts; each in turn is hidden from the model, and its drawings are the unknown."""
    classes = evidence.classes
    present = np.unique(evidence.targets)
    if len(classes) < _FEWEST_CLASSES or len(present) < _FEWEST_CLASSES:
        return None
    part_of = deal_groups(np.arange(len(classes)), classes, seed=evidence.seed)
    parts = sorted({int(part) for part in part_of[present]})
    tables = [scores_of(evidence, evidence.answers, temperature, part_of != part) for part in parts]
    known = np.stack([part_of[evidence.targets] != part for part in parts])
    names = np.array(classes)[evidence.targets]
    scores = {score: np.stack([found[score] for found in tables]) for score in tables[0]}
    return UnknownResults(
        source="held-out classes",
        place="",
        n=len(evidence.targets),
        classes=len(present),
        scores=_ranked(scores, known, names, evidence.seed),
    )


def _on_folder(evidence: Evidence, own: Scores, foreign: Scores, unknown: UnknownImages) -> UnknownResults:
    groups = np.concatenate([np.char.add("own/", evidence.groups), np.char.add("unknown/", unknown.groups)])
    known = (np.arange(len(groups)) < len(evidence.targets))[None]
    scores = {score: np.concatenate([values, foreign[score]])[None] for score, values in own.items()}
    return UnknownResults(
        source="folder",
        place=unknown.root.name,
        n=len(unknown.images),
        classes=len(np.unique(unknown.folders)),
        scores=_ranked(scores, known, groups, evidence.seed),
    )


def _ranked(
    scores: Scores, known: NDArray[np.bool_], groups: NDArray[np.str_], seed: int
) -> tuple[ScoreResult, ...]:
    """The best score first; of each (P, N), known in P ways, with the threshold that `known` (P, N) gives."""
    found = []
    for score, table in scores.items():
        limits = [quantile_threshold(row[own], FALSE_ALARMS) for row, own in zip(table, known, strict=True)]
        area, caught = detection(table, known, np.array(limits), groups, seed=seed)
        found.append(ScoreResult(score=score, auroc=area, detection=caught))
    return tuple(sorted(found, key=lambda result: -result.auroc.value))


def _best(measured: UnknownResults | None, own: Scores) -> RejectionScore:
    """The score with the best AUROC among those that need nothing but what the model answers."""
    possible = [score for score in get_args(RejectionScore) if score in own]
    if measured is None:
        return "max_probability"
    return max(possible, key=lambda score: measured.of(score).auroc.value)
