"""A group of folds as it lies on disk, and as the one run that it is for every verb."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import Split, read_split
from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.results import Result
from dessin.runs.holdout import looks_below
from dessin.runs.record import FILE, SPLIT_FILE, RunRecord, SetName, SetResults, read_record
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import measure


class FoldGroup(Result):
    """What the folds' runs are made of, and, once all are finished, their joined results."""

    FILE = "folds.json"
    WHAT = "a group of folds"

    format: int = 1
    kind: Literal["folds"] = "folds"
    name: str
    recipe: Recipe
    folds: tuple[int, ...]
    threads: int
    split: str
    results: SetResults | None = None
    by_fold: dict[int, Estimate] = Field(default_factory=dict)


class GroupRecord(RunRecord):
    """A group as one run: its results are out of fold, its times and openings those of all its `folds`."""

    folds: tuple[int, ...]


def is_fold_group(folder: Path) -> bool:
    return (folder / FoldGroup.FILE).is_file()


def fold_folder(folder: Path, fold: int) -> Path:
    """Where the run of a fold lies in its group."""
    return folder / f"fold-{fold}"


def is_fold_folder(path: Path) -> bool:
    """Whether a folder has the name of a fold, which says little by itself."""
    return re.fullmatch(r"fold-\d+", path.name) is not None


def with_its_group(home: Path) -> Path:
    """The folder of all models that share a holdout: for a fold that of its group, else its own."""
    place = home.resolve()
    return place.parent if is_fold_folder(place) and is_fold_group(place.parent) else home


def is_run(folder: Path) -> bool:
    """Whether a folder is a run, or a group of folds, which is one too."""
    return (folder / FILE).is_file() or is_fold_group(folder)


def run_record(folder: Path) -> RunRecord:
    """The record of a run, or that of a group of folds as one run.

    Raises:
        DessinError: neither, a group of which no fold has begun, or damaged files.
    """
    return _group_record(folder) if is_fold_group(folder) else read_record(folder)


def records_of(folder: Path) -> tuple[RunRecord, ...]:
    """The record of a run, or those of a group's folds that have begun."""
    if not is_fold_group(folder):
        return (read_record(folder),)
    places = (fold_folder(folder, fold) for fold in FoldGroup.read(folder).folds)
    return tuple(read_record(place) for place in places if (place / FILE).is_file())


def _group_record(folder: Path) -> GroupRecord:
    group, records = FoldGroup.read(folder), records_of(folder)
    if not records:
        raise DessinError(f"No fold of {folder} has begun.", do=f"Go on with dessin train --resume {folder}.")
    first, split = records[0], read_split(folder / SPLIT_FILE)
    lost = next((each for each in records if each.status in ("failed", "collapsed")), None)
    done = group.results is not None
    reason = f"{lost.name}: {lost.reason}" if lost and not done else ""
    results: dict[SetName, SetResults] = {}
    if group.results is not None:
        results["validation"] = group.results
    holdout = _holdout_results(folder, split, group.recipe.seed)
    if holdout is not None:
        results["holdout"] = holdout
    stages = dict.fromkeys(stage for each in records for stage in each.timings)
    seconds = {stage: sum(each.timings.get(stage, 0.0) for each in records) for stage in stages}
    data = first.recipe.data.model_copy(update={"fold": "none"})
    alike = (each for each in first.decisions if all(each in other.decisions for other in records))
    counts = {
        "train": len(split.training(None)),
        "validation": sum(row.fold in group.folds for row in split.rows),
        "holdout": len(split.held_out()),
    }
    own = {name: getattr(first, name) for name in RunRecord.model_fields}
    return GroupRecord(
        **own
        | {
            "name": group.name,
            "folds": group.folds,
            "status": "finished" if done else lost.status if lost else "running",
            "reason": reason,
            "started": tuple(sorted(start for each in records for start in each.started)),
            "finished": max(each.finished for each in records) if done else "",
            "recipe": first.recipe.model_copy(update={"data": data}),
            "digests": first.digests.model_copy(update={"model": ""}),
            "counts": first.counts.model_copy(update=counts),
            "decisions": tuple(alike),
            "attempts": (),
            "timings": seconds,
            "throughput": {},
            "results": results,
            "holdout_opened": looks_below([folder]).opened,
        }
    )


def _holdout_results(folder: Path, split: Split, seed: int) -> SetResults | None:
    """What the group's models together have right on the holdout, once that was opened."""
    kept = folder / "holdout"
    if not (kept / "predictions.csv").is_file():
        return None
    answers, group_of = read_predictions(kept), {row.image_id: row.group for row in split.rows}
    groups = [group_of[image_id] for image_id in answers.image_ids]
    metrics = measure(answers.probabilities, answers.targets, groups, answers.classes, seed=seed)
    return SetResults(**metrics.results)
