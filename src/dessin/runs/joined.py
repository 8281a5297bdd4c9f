"""Runs that may be compared: measured on the same images, none of which any of them trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.split.files import Assignment, Split, read_split
from dessin.errors import DessinError
from dessin.models.card import CARD_FILE, read_card
from dessin.runs.fold_group import GroupRecord, run_record
from dessin.runs.record import SPLIT_FILE, STUDY_FILE, RunRecord, SetName
from dessin.statistics.intervals import group_index
from dessin.statistics.temperature import tempered

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Measured:
    """A finished run and its predictions of one set of images."""

    name: str
    folder: Path
    record: RunRecord
    split: Split
    predictions: Predictions

    @property
    def trained_on(self) -> frozenset[str]:
        fold = self.record.recipe.data.fold
        return frozenset(row.image_id for row in self.split.training(None if fold == "none" else fold))

    @property
    def joined(self) -> bool:
        """Whether it is a group of folds."""
        return isinstance(self.record, GroupRecord)

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds whose images were named by a training without them."""
        fold = self.record.recipe.data.fold
        if isinstance(self.record, GroupRecord):
            return self.record.folds
        return tuple(range(self.split.folds)) if fold == "none" else (fold,)


@dataclass(frozen=True, eq=False)
class Joined:
    """Runs on N common images: labels (N,), groups (N,) int64, and what each run got right, (R, N) bool."""

    runs: tuple[Measured, ...]
    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    groups: NDArray[np.int64]
    correct: NDArray[np.bool_]


def join_runs(folders: Sequence[Path], set_name: SetName) -> Joined:
    """Read runs and join their predictions by image id, in the order of ids.

    Raises:
        DessinError: fewer than two runs, one twice, a study, an unfinished run, a holdout that was never
            opened, files that contradict each other, or other images or labels.
    """
    if len(folders) < 2:
        raise DessinError(f"{len(folders)} runs were given.", allowed="A comparison needs two or more.")
    names = _names(folders)
    runs = tuple(_load(name, folder, set_name) for name, folder in zip(names, folders, strict=True))
    for other in runs[1:]:
        _check_images(runs[0], other)
    image_ids = tuple(sorted(runs[0].predictions.image_ids))
    same = [run.predictions.of(image_ids) for run in runs]
    return Joined(
        runs=runs,
        image_ids=image_ids,
        labels=same[0].labels,
        groups=_groups(runs, image_ids),
        correct=np.stack([predictions.correct for predictions in same]),
    )


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """Each run's folder name, with as many of those above it as tell all runs apart."""
    places = [folder.resolve() for folder in folders]
    twice = next((place for place, count in Counter(places).items() if count > 1), None)
    if twice is not None:
        raise DessinError(f"The run {twice} was named twice.", do="Name each run once, the base first.")
    for parts in range(1, 1 + max(len(place.parts) for place in places)):
        names = tuple("/".join(place.parts[-parts:]) for place in places)
        if len(set(names)) == len(names):
            break
    return names


def _load(name: str, folder: Path, set_name: SetName) -> Measured:
    if (folder / STUDY_FILE).is_file():
        raise DessinError(
            f"{folder} is a study, whose levels are compared over seeds and folds by dessin study.",
            do=f"Use dessin report {folder} --out report.html, or name runs below {folder / 'runs'}.",
        )
    record = finished_record(folder)
    if set_name not in record.results and set_name == "holdout":
        raise DessinError(
            f"The holdout of {folder} has not been opened, and a comparison does not open it.",
            do="Compare on the validation images; or open it, which is counted, with "
            f"dessin evaluate {folder} --holdout --out OUT.",
        )
    if set_name not in record.results:
        raise DessinError(
            f"{folder} has no validation results (its fold is {record.recipe.data.fold}).",
            do="Compare runs that validated a fold, or use --holdout once each holdout was opened.",
        )
    split = own_split(folder, record)
    predictions = own_predictions(folder, record, split, set_name)
    return Measured(name, folder, record, split, predictions)


def finished_record(folder: Path) -> RunRecord:
    """The record of a run folder or of a group of folds; a run that is not finished is refused."""
    record = run_record(folder)
    if record.status != "finished":
        why = f" ({record.reason})" if record.reason else ""
        raise DessinError(
            f"The run {folder} is {record.status}{why}, so it has no results.",
            do=f"Finish it with dessin train --resume {folder}, or leave it out.",
        )
    return record


def own_split(folder: Path, record: RunRecord) -> Split:
    """A run's copy of its split; one that the run was not made with is refused."""
    split = read_split(folder / SPLIT_FILE)
    if split.digest != record.digests.split:
        raise DessinError(
            f"{folder / SPLIT_FILE} is not the split that the run was made with.", do="Restore it."
        )
    return split


def own_predictions(folder: Path, record: RunRecord, split: Split, set_name: SetName) -> Predictions:
    """A run's predictions of one set of images, which must be those that its split and its record say."""
    predictions = read_predictions(folder / set_name)
    # A group is whole on one side of its split. So where runs measured the very same images, and each of them
    # all of its side, none trained on one of these or on a drawing that belongs with one.
    rows = split.held_out() if set_name == "holdout" else validated_rows(record, split)
    labels = {row.image_id: row.label for row in rows}
    again = f"Evaluate the run again with dessin evaluate {folder} --out OUT."
    classes = record.recipe.data.classes(split.classes)
    strange = sorted(set(predictions.classes) ^ set(classes))
    if strange:
        raise DessinError(
            f"The predictions of {folder} have {len(predictions.classes)} classes and the split has "
            f"{len(classes)}; they differ in {strange[0]}.",
            do=again,
        )
    if set(predictions.image_ids) != labels.keys():
        seen = f"The predictions in {folder / set_name} are not of the images that the run's split says."
        raise DessinError(seen, do=again)
    named = zip(predictions.image_ids, predictions.labels, strict=True)
    wrong = [image_id for image_id, label in named if label != labels[image_id]]
    if wrong:
        seen = f"The predictions of {folder} have another label for {wrong[0]} than its split."
        raise DessinError(seen, do=again)
    share, said = float(predictions.correct.mean()), record.results[set_name].accuracy.value
    if abs(share - said) > _ROUNDING:
        seen = f"The predictions in {folder / set_name} are right in {share:.2%}; the record says {said:.2%}."
        raise DessinError(seen, do=again)
    return predictions


def validated_rows(record: RunRecord, split: Split) -> tuple[Assignment, ...]:
    """The images that a run answered without having been fitted to them; for a probe of all folds all."""
    if isinstance(record, GroupRecord):
        return tuple(row for row in split.rows if row.fold in record.folds)
    fold = record.recipe.data.fold
    return split.training(None) if fold == "none" else split.validation(fold)


def at_present(kept: Predictions, run: Path) -> Predictions:
    """What a run said of its validation images when it was trained, as its bundle says it now.

    `calibrate --write` puts a temperature into the bundle and leaves the run's own record of what it said.
    """
    bundle = run / "bundle"
    temperature = read_card(bundle).temperature if (bundle / CARD_FILE).is_file() else 1.0
    if temperature == 1.0:
        return kept
    return replace(kept, probabilities=tempered(kept.probabilities, temperature).astype(np.float32))


def _check_images(base: Measured, other: Measured) -> None:
    """Refuse another set of images, and say what it has to do with the base's."""
    first, second = set(base.predictions.image_ids), set(other.predictions.image_ids)
    if first != second:
        seen = [
            f"{b.name} trained on {shared:,} of the images that {a.name} was measured on."
            for a, b, images in ((base, other, first), (other, base, second))
            if (shared := len(images & b.trained_on))
        ]
        raise DessinError(
            f"{base.name} was measured on {len(first):,} images and {other.name} on {len(second):,}; "
            f"they share {len(first & second):,}. {' '.join(seen)}".rstrip(),
            allowed="Runs are compared on the very same images, so on one fold of one split.",
            do="Train both with one --split and data.fold; over several folds or seeds use dessin study.",
        )
    labels = dict(zip(base.predictions.image_ids, base.predictions.labels, strict=True))
    theirs = zip(other.predictions.image_ids, other.predictions.labels, strict=True)
    differing = [image_id for image_id, label in theirs if labels[image_id] != label]
    if differing:
        raise DessinError(
            f"{base.name} and {other.name} have other labels for {len(differing):,} images ({differing[0]}).",
            do="Train both with one split; to try a curation, use data.training_curation.",
        )


def _groups(runs: Sequence[Measured], image_ids: Sequence[str]) -> NDArray[np.int64]:
    """Groups of images, (N,): together if any run's split says so."""
    count = len(image_ids)
    links = []
    for run in runs:
        group_of = {row.image_id: row.group for row in run.split.rows}
        index = group_index([group_of[image_id] for image_id in image_ids])
        first = np.unique(index, return_index=True)[1]
        links.append(np.stack([np.arange(count), first[index]]))
    rows, columns = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
