"""The suite carried out: a model asked about corrupted drawings, and what that leaves on disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.predictions import HOLDOUT, Predictions
from dessin.answers.tree import leaves
from dessin.collection.split.files import Assignment
from dessin.files import write_bytes, write_text
from dessin.progress import say
from dessin.runs.record import SetName
from dessin.runs.subject import Subject
from dessin.statistics.intervals import group_index
from dessin.training.device import choose_device
from dessin.trust.robustness.asking import Answerer, Seen, right_answers, seen_by
from dessin.trust.robustness.contact_sheet import contact_sheet, sample_tiles
from dessin.trust.robustness.corrupt import Pictures, choose_seconds
from dessin.trust.robustness.measure import summarised
from dessin.trust.robustness.result import RobustAnswers, RobustnessOutcome, write_robustness
from dessin.trust.robustness.suite import SEED, STRENGTHS, SUITE, VERSION, suite_digest
from dessin.trust.robustness.view import robustness_page, sentences


@dataclass(frozen=True)
class Robustness:
    """What the suite found about a model: its outcome, and the answers behind it."""

    outcome: RobustnessOutcome
    answers: RobustAnswers


@dataclass(frozen=True, eq=False)
class Looks:
    """The drawings of a set in each way that a model of the subject looks at them."""

    seen: tuple[Seen, ...]
    pictures: tuple[Pictures, ...]


def check_set(rows: Sequence[Assignment]) -> NDArray[np.int64]:
    """For each drawing of a set the one that stands beside it, (N,): found out before anything is measured.

    Raises:
        DessinError: a fold whose drawings are all of one class.
    """
    return choose_seconds([row.image_id for row in rows], [row.label for row in rows], _folds(rows))


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
    `holdout/`); page and pictures to `out` alone. `views` replaces the committee's own.

    Raises:
        DessinError: a fold whose drawings are all of one class.
    """
    began = time.monotonic()
    looks = looks_of(subject, rows)
    correct = _asked(subject, rows, clean, looks, views)
    answers = RobustAnswers(
        image_ids=tuple(row.image_id for row in rows),
        labels=tuple(row.label for row in rows),
        folds=tuple(_folds(rows)),
        groups=tuple(row.group for row in rows),
        clean=(clean.order[:, 0] == clean.targets).astype(np.uint8),
        correct=correct,
    )
    summary = summarised(answers, seed=subject.seed)
    outcome = RobustnessOutcome(
        version=VERSION,
        suite=suite_digest(),
        seed=SEED,
        opencv=cv2.__version__,
        set_name=set_name,
        n=len(rows),
        groups=int(group_index(np.asarray(answers.groups)).max()) + 1,
        size=tuple(sorted({spec.size for spec, _ in looks.seen})),
        views=tuple(subject.loaded.committee.views if views is None else views),
        clean=summary.clean,
        robust=summary.robust,
        cost=summary.cost,
        relative=summary.relative,
        worst=summary.worst,
        corruptions=summary.corruptions,
        split=subject.inputs.split.digest,
        seconds=round(time.monotonic() - began, 3),
    )
    found = Robustness(outcome, answers)
    _written(subject, found, looks, out)
    for sentence in sentences(outcome):
        say(sentence)
    return found


def looks_of(subject: Subject, rows: Sequence[Assignment]) -> Looks:
    """The drawings as the subject's models see them, each kind of pixels once."""
    opener, seconds = subject.inputs.opener(), check_set(rows)
    image_ids = tuple(row.image_id for row in rows)
    found: dict[Seen, Pictures] = {}
    for name in leaves(subject.loaded.committee.root):
        image = subject.loaded.bundles[name].card.image
        if seen_by(image) not in found:
            store = opener(image)
            found[seen_by(image)] = Pictures(
                store.pixels, store.background, store.rows(image_ids), image_ids, seconds
            )
    return Looks(tuple(found), tuple(found.values()))


def _asked(
    subject: Subject,
    rows: Sequence[Assignment],
    clean: Predictions,
    looks: Looks,
    views: Sequence[str] | None,
) -> NDArray[np.uint8]:
    """Right or wrong, (16, 5, N): each fold's drawings are asked of the models that did not see them."""
    correct = np.empty((len(SUITE), STRENGTHS, len(rows)), dtype=np.uint8)
    device = torch.device(str(choose_device().value))
    samples = [pictures.pixels[pictures.rows[:2]] for pictures in looks.pictures]
    for fold in dict.fromkeys(row.fold for row in rows):
        places = np.flatnonzero([row.fold == fold for row in rows])
        answerer = Answerer(subject.loaded, looks.seen, samples, device=device, fold=fold, views=views)
        label = "Robustness" if fold is None else f"Robustness, fold {fold}"
        correct[:, :, places] = right_answers(
            looks.pictures, places, clean.targets[places], answerer, label=label
        )
    return correct


def _folds(rows: Sequence[Assignment]) -> list[str]:
    return [HOLDOUT if row.fold is None else str(row.fold) for row in rows]


def _written(subject: Subject, found: Robustness, looks: Looks, out: Path | None) -> None:
    if subject.home is not None:
        of_holdout = found.outcome.set_name == "holdout"
        home = subject.home / "holdout" if of_holdout else subject.home
        write_robustness(home, found.outcome, found.answers)
    if out is not None:
        tiles = sample_tiles(looks.pictures[0], found.answers)
        write_bytes(out / "robustness.png", contact_sheet(tiles))
        write_text(
            out / "robustness.html", robustness_page(subject.given.resolve().name, found.outcome, tiles)
        )
        write_robustness(out, found.outcome, found.answers)
