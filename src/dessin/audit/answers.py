"""What models answer to images that they were not trained on, averaged: runs, fold groups and committees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.committee import COMMITTEE_FILE
from dessin.answers.predictions import Predictions
from dessin.collection.split.files import Assignment, Split
from dessin.errors import DessinError
from dessin.page.numbers import counted
from dessin.progress import say
from dessin.runs.fold_group import is_fold_folder, is_fold_group
from dessin.runs.inputs import read_inputs
from dessin.runs.joined import at_present, finished_record, own_predictions, own_split
from dessin.runs.record import FILE, SPLIT_FILE
from dessin.runs.subject import read_subject


@dataclass(frozen=True, eq=False)
class LabelAnswers:
    """The N images of a split that were answered out of fold, with mean probabilities (N, C).

    `models` says in words what answered, `fewest` and `most` how many answers an image has.
    """

    rows: tuple[Assignment, ...]
    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    models: str
    fewest: int
    most: int

    @property
    def given(self) -> NDArray[np.int64]:
        """The labels that the models were measured with, as class numbers (N,)."""
        number = {label: i for i, label in enumerate(self.classes)}
        return np.array([number[row.label] for row in self.rows], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Source:
    """One run or committee with its answers."""

    folder: Path
    split: Split
    answers: Predictions


def read_label_answers(folders: Sequence[Path], data: Path) -> LabelAnswers:
    """Out-of-fold answers of runs, fold groups and committees, the mean over all that answered an image.

    Every answer to an image counts once, whichever source it comes from. A committee answers anew, each fold
    by the models that did not see it.

    Raises:
        DessinError: no run, one named twice, unfinished, without validation images, of another split, or with
            answers to other images than those that it was validated on; data that changed since.
    """
    runs = [run for folder in folders if not _is_committee(folder) for run in _runs_of(folder)]
    committees = [folder for folder in folders if _is_committee(folder)]
    _refuse_twice([*runs, *committees])
    sources = [_of_run(run) for run in runs]
    if runs:
        read_inputs(data, runs[0] / SPLIT_FILE, None)
    for folder in committees:
        say(f"{folder}: each image is answered by the models that did not see it")
        subject = read_subject(folder, data, None)
        sources.append(_Source(folder, subject.inputs.split, subject.answers(subject.rows("validation"))))
    _one_split(sources)
    counts = ((len(runs), "run"), (len(committees), "committee"))
    return _joined(sources, " and ".join(counted(number, noun) for number, noun in counts if number))


def _is_committee(folder: Path) -> bool:
    """A committee folder, or an ensemble's that holds one; a fold group is taken as its runs."""
    if (folder / FILE).is_file() or is_fold_group(folder):
        return False
    return any((place / COMMITTEE_FILE).is_file() for place in (folder, folder / "committee"))


def _runs_of(folder: Path) -> list[Path]:
    if (folder / FILE).is_file():
        return [folder]
    if is_fold_group(folder):
        return sorted(path for path in folder.iterdir() if is_fold_folder(path) and (path / FILE).is_file())
    if not folder.is_dir():
        raise DessinError(f"There is no folder {folder}.", do="Check the path.")
    raise DessinError(
        f"{folder} is no run, no group of folds and no committee, so it does not say on which images its "
        "answers are honest.",
        allowed="Labels are judged by the answers of models that were not trained on the image.",
        do="Name folders that dessin train or dessin ensemble wrote; of a bundle, the run that it lies in.",
    )


def _refuse_twice(folders: Sequence[Path]) -> None:
    twice = [str(place) for place, count in Counter(f.resolve() for f in folders).items() if count > 1]
    if twice:
        raise DessinError(f"{twice[0]} was named twice.", do="Name each run once.")
    if not folders:
        raise DessinError("No run was given.", do="Name runs, groups of folds or committees.")


def _of_run(folder: Path) -> _Source:
    record = finished_record(folder)
    fold = record.recipe.data.fold
    if fold == "none" or "validation" not in record.results:
        raise DessinError(
            f"{folder} has no validation results (its fold is {fold}): it was trained on every image outside "
            "the holdout, and would find their labels right.",
            do="Use runs that validated a fold.",
        )
    split = own_split(folder, record)
    kept = own_predictions(folder, record, split, "validation")
    return _Source(folder, split, at_present(kept, folder))


def _one_split(sources: Sequence[_Source]) -> None:
    first = sources[0]
    for other in sources[1:]:
        if other.split.digest != first.split.digest:
            raise DessinError(
                f"{other.folder} was made with another split than {first.folder}.",
                allowed="All need the very same split, and so the same labels and groups.",
                do="Audit with the runs of one split.",
            )


def _joined(sources: Sequence[_Source], models: str) -> LabelAnswers:
    split = sources[0].split
    place = {row.image_id: i for i, row in enumerate(split.rows)}
    total = np.zeros((len(split.rows), len(split.classes)))
    counts = np.zeros(len(split.rows), dtype=np.int64)
    for source in sources:
        own = source.answers
        rows = [place[image_id] for image_id in own.image_ids]
        total[rows] += own.table(own.image_ids, split.classes)
        counts[rows] += 1
    answered = np.flatnonzero(counts)
    return LabelAnswers(
        rows=tuple(split.rows[i] for i in answered),
        classes=split.classes,
        probabilities=total[answered] / counts[answered, None],
        models=models,
        fewest=int(counts[answered].min()),
        most=int(counts[answered].max()),
    )
