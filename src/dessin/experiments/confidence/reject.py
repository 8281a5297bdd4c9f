"""How the scores tell unknown images from own ones: on classes held out in turn, and on a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dessin.committees.rules.greedy import deal_groups
from dessin.evaluation.confidence.rejection import (
    crossfitted_alarms,
    detection,
    energy,
    max_probability,
    nearest,
    negative_entropy,
    quantile_threshold,
    similarities,
)
from dessin.experiments.confidence.evidence import Answers, Evidence
from dessin.experiments.confidence.measure import result_of
from dessin.experiments.confidence.outcome import RejectionResults, ScoreResult, UnknownResults
from dessin.experiments.confidence.unknown import UnknownImages
from dessin.models.card import Rejection, RejectionScore
from dessin.statistics.intervals import Floats, bootstrap_mean
from dessin.statistics.temperature import tempered

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
        false_alarms=result_of(bootstrap_mean(alarms, evidence.groups, seed=evidence.seed)),
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
    scores = []
    for score in tables[0]:
        table = np.stack([found[score] for found in tables])
        limits = [quantile_threshold(row[own], FALSE_ALARMS) for row, own in zip(table, known, strict=True)]
        scores.append(_result(score, table, known, np.array(limits), names, evidence.seed))
    return UnknownResults(
        source="held-out classes",
        place="",
        n=len(evidence.targets),
        classes=len(present),
        scores=_ordered(scores),
    )


def _on_folder(evidence: Evidence, own: Scores, foreign: Scores, unknown: UnknownImages) -> UnknownResults:
    groups = np.concatenate([np.char.add("own/", evidence.groups), np.char.add("unknown/", unknown.groups)])
    known = np.arange(len(groups)) < len(evidence.targets)
    scores = []
    for score, values in own.items():
        table = np.concatenate([values, foreign[score]])[None]
        limit = np.array([quantile_threshold(values, FALSE_ALARMS)])
        scores.append(_result(score, table, known[None], limit, groups, evidence.seed))
    return UnknownResults(
        source="folder",
        place=Path(unknown.root).name,
        n=len(unknown.images),
        classes=len(np.unique(unknown.folders)),
        scores=_ordered(scores),
    )


def _result(
    score: str,
    table: Floats,
    known: NDArray[np.bool_],
    limits: Floats,
    groups: NDArray[np.str_],
    seed: int,
) -> ScoreResult:
    area, caught = detection(table, known, limits, groups, seed=seed)
    return ScoreResult(score=score, auroc=result_of(area), detection=result_of(caught))


def _ordered(scores: list[ScoreResult]) -> tuple[ScoreResult, ...]:
    return tuple(sorted(scores, key=lambda result: -result.auroc.value))


def _best(measured: UnknownResults | None, own: Scores) -> RejectionScore:
    """The score with the best AUROC among those that need nothing but what the model answers."""
    possible = [score for score in get_args(RejectionScore) if score in own]
    if measured is None:
        return "max_probability"
    return max(possible, key=lambda score: measured.of(score).auroc.value)
