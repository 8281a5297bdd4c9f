"""The suite carried out, `evaluate --robustness`: a model asked about corrupted drawings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.answers.tree import leaves
from dessin.collection.split.files import Assignment
from dessin.images.spec import Fitting
from dessin.page.html import PAGE_FILE, write_page
from dessin.progress import say
from dessin.runs.record import SetName
from dessin.runs.subject import Subject
from dessin.statistics.intervals import group_index
from dessin.training.device import choose_device
from dessin.trust.robustness.asking import Answerer, SetImages, choose_seconds, right_answers
from dessin.trust.robustness.corruption import STRENGTHS, Corruption
from dessin.trust.robustness.measure import summarised
from dessin.trust.robustness.result import RobustAnswers, RobustnessResult, write_robustness
from dessin.trust.robustness.suite import SEED, VERSION, corruptions, suite_digest
from dessin.trust.robustness.view import robustness_page, sample_tiles, sentences


@dataclass(frozen=True)
class Robustness:
    """What the suite found about a model: its result, and the answers behind it."""

    result: RobustnessResult
    answers: RobustAnswers


def robustness(
    subject: Subject,
    set_name: SetName,
    rows: Sequence[Assignment],
    clean: Predictions,
    *,
    views: Sequence[str] | None,
    out: Path | None,
) -> Robustness:
    """Measure a model with the suite on `rows`, whose answers without a corruption are `clean`.

    `robustness.json` and the answers go to `out` and to the subject's own folder (those of the holdout to its
    `holdout/`); the page to `out` alone. `views` replaces the committee's own.
    """
    began = time.monotonic()
    images, asked = images_of(subject, rows), corruptions()
    answers = RobustAnswers(
        image_ids=clean.image_ids,
        labels=clean.labels,
        folds=clean.folds,
        groups=tuple(row.group for row in rows),
        clean=clean.correct.astype(np.uint8),
        correct=_correct(subject, rows, clean, images, asked, views),
    )
    result = RobustnessResult(
        **dict(summarised(answers, corruptions=asked, seed=subject.seed)),
        version=VERSION,
        suite=suite_digest(),
        seed=SEED,
        opencv=cv2.__version__,
        set_name=set_name,
        n=len(rows),
        groups=int(group_index(answers.groups).max()) + 1,
        size=tuple(sorted({spec.size for spec, _ in images})),
        views=tuple(subject.loaded.committee.views if views is None else views),
        split=subject.inputs.split.digest,
        seconds=round(time.monotonic() - began, 3),
    )
    if subject.home is not None:
        home = subject.home / "holdout" if set_name == "holdout" else subject.home
        write_robustness(home, result, answers)
    if out is not None:
        tiles = sample_tiles(next(iter(images.values())), answers, asked)
        write_page(out / PAGE_FILE, robustness_page(subject, result, tiles))
        write_robustness(out, result, answers)
    for sentence in sentences(result):
        say(sentence)
    return Robustness(result, answers)


def images_of(subject: Subject, rows: Sequence[Assignment]) -> dict[Fitting, SetImages]:
    """The drawings in each way in which the subject's models want them fitted."""
    opener, seconds = subject.inputs.opener(), choose_seconds(rows)
    image_ids = tuple(row.image_id for row in rows)
    found: dict[Fitting, SetImages] = {}
    for name in leaves(subject.loaded.committee.root):
        image = subject.loaded.bundles[name].card.image
        if image.fitting not in found:
            store = opener(image)
            found[image.fitting] = SetImages(
                store.pixels, store.background, store.rows(image_ids), image_ids, seconds
            )
    return found


def _correct(
    subject: Subject,
    rows: Sequence[Assignment],
    clean: Predictions,
    images: Mapping[Fitting, SetImages],
    asked: Sequence[Corruption],
    views: Sequence[str] | None,
) -> NDArray[np.uint8]:
    """Right or wrong, (corruptions, 5, N): a fold's drawings are asked of the models without them."""
    correct = np.empty((len(asked), STRENGTHS, len(rows)), dtype=np.uint8)
    sets, device = list(images.values()), torch.device(choose_device().value)
    for fold in dict.fromkeys(row.fold for row in rows):
        places = np.flatnonzero([row.fold == fold for row in rows])
        answerer = Answerer(subject.loaded, images, device=device, fold=fold, views=views)
        label = "Robustness" if fold is None else f"Robustness, fold {fold}"
        targets = clean.targets[places]
        correct[:, :, places] = right_answers(sets, places, targets, answerer, corruptions=asked, label=label)
    return correct
