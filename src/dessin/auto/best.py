"""`best/`: always the best model so far, whole; what a new one must beat, and how it takes its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from dessin.answers.committee import AUTO_BEST
from dessin.answers.predictions import Predictions, read_predictions
from dessin.files import remove, storage_error, sync_tree
from dessin.runs.attempts import CHECKPOINT

VALIDATION = "validation"
# Below the folder of an auto while one model takes the place of another, and while members are compared.
_NEXT, _LAST, TABLES = ".best-next", ".best-last", ".tables"


def heal(folder: Path) -> None:
    """Put back what a process that was killed had moved aside."""
    best, last = folder / AUTO_BEST, folder / _LAST
    if last.is_dir() and not best.is_dir():
        last.replace(best)
    for rest in (last, folder / _NEXT, folder / TABLES):
        remove(rest)


def replace_best(folder: Path, make: Callable[[Path], None]) -> Path:
    """Let `make` write a model into a new folder, which then becomes `best/`; returns that."""
    best, following, last = folder / AUTO_BEST, folder / _NEXT, folder / _LAST
    try:
        heal(folder)
        make(following)
        sync_tree(following)
        if best.is_dir():
            best.replace(last)
        following.replace(best)
        remove(last)
    except OSError as error:
        raise storage_error(best, error) from error
    return best


def copy_run(run: Path) -> Callable[[Path], None]:
    """A run with everything that a finished one has."""

    def make(place: Path) -> None:
        shutil.copytree(run, place, ignore=shutil.ignore_patterns(CHECKPOINT, ".lock"))

    return make


def lead(new: Path, folder: Path) -> float | None:
    """How much more accurate the answers kept in `new` are than those of `best/`, on drawings of both.

    None where there is no best one yet.
    """
    before = folder / AUTO_BEST / VALIDATION
    if not (before / "predictions.csv").is_file():
        return None
    return _lead(read_predictions(new), read_predictions(before))


def _lead(new: Predictions, before: Predictions) -> float:
    both = sorted(set(new.image_ids) & set(before.image_ids))
    if not both:
        return 0.0
    return float(new.of(both).correct.mean() - before.of(both).correct.mean())
