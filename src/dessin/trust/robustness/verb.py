"""The suite carried out, `evaluate --robustness`: a model asked about corrupted drawings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions
from dessin.collection.split.files import Assignment
from dessin.page.html import PAGE_FILE, write_page
from dessin.parallel.mapper import Mapper
from dessin.progress import say, track
from dessin.runs.record import SetName
from dessin.runs.subject import Subject
from dessin.statistics.intervals import group_index
from dessin.trust.robustness.asking import Asking, images_of
from dessin.trust.robustness.corruption import STRENGTHS
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
    mapper: Mapper | None = None,
) -> Robustness:
    """Measure a model with the suite on `rows`, whose answers without a corruption are `clean`.

    With a `mapper` its workers ask the models, each about some drawings with one corruption at a time.

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
        correct=_correct(Asking(subject, rows, clean.targets, asked, views, images), mapper),
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
        write_page(out / PAGE_FILE, robustness_page(subject, result, answers, tiles))
        write_robustness(out, result, answers)
    for sentence in sentences(result):
        say(sentence)
    return Robustness(result, answers)


def _correct(asking: Asking, mapper: Mapper | None) -> NDArray[np.uint8]:
    """Right or wrong, (corruptions, 5, N)."""
    rows, asked = asking.rows, asking.corruptions
    correct = np.empty((len(asked), STRENGTHS, len(rows)), dtype=np.uint8)
    if mapper is None:
        for fold in dict.fromkeys(row.fold for row in rows):
            label = "Robustness" if fold is None else f"Robustness, fold {fold}"
            places = asking.places(fold)
            correct[:, :, places] = asking.right(fold, places, asked, label)
        return correct
    from dessin.answers.sent import Sent

    shares = asking.shares()
    made = zip(shares, mapper.map(Sent(asking.elsewhere()), shares, together=1), strict=True)
    shown = track(
        made, len(rows) * len(asked), "Robustness", unit="corrupted images", size=lambda each: len(each[1][0])
    )
    for (_, places, number), right in shown:
        correct[number][:, places] = right
    return correct
