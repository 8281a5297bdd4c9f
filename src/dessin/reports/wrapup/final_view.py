"""What the page says about the final run, and about the other runs that were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError
from dessin.models.card import read_card
from dessin.page.numbers import share, spent
from dessin.progress import warn
from dessin.reports.run.measure import SetView, moment, set_views
from dessin.reports.run.pictures import Thumbnails
from dessin.reports.run.view import RunDetail, run_detail
from dessin.reports.wrapup.changes import differing_keys, recipe_values
from dessin.reports.wrapup.sources import RunSource, Sources
from dessin.runs.record import RunRecord

_FILES = {
    "record.json": "what it was made of, decided and measured",
    "curve.csv": "the learning curve",
    "validation/predictions.csv": "every answer on the validation fold",
    "holdout/predictions.csv": "every answer on the holdout",
    "bundle/bundle.json": "the model, whole, for predict and serve",
}


@dataclass(frozen=True)
class RunRow:
    """A run that was given, in a line."""

    name: str
    status: str
    opened: int
    accuracy: str
    n: int


@dataclass(frozen=True)
class FinalView:
    """The last run given; `detail` is None where nothing was measured, or its predictions are gone."""

    record: RunRecord
    sets: tuple[SetView, ...]
    detail: RunDetail | None
    opened: tuple[str, ...]
    seconds: str
    files: tuple[tuple[str, str], ...]
    same_as: tuple[str, ...]
    pictures: bool


def final_view(sources: Sources) -> FinalView | None:
    """None where no run was given."""
    final = sources.final
    if final is None:
        return None
    record = final.record
    data = record.recipe.data.path
    thumbnails = Thumbnails(Path(data) if data else None)
    return FinalView(
        record=record,
        sets=set_views(record),
        detail=_detail(final, thumbnails),
        opened=tuple(moment(opening) for opening in record.holdout_opened),
        seconds=spent(sum(record.timings.values())),
        files=tuple((name, what) for name, what in _FILES.items() if (final.path / name).is_file()),
        same_as=_levels_like(record, sources),
        pictures=thumbnails.available,
    )


def run_rows(runs: Sequence[RunSource]) -> tuple[RunRow, ...]:
    """The runs given, each with the honest one of its results: the holdout's, else the validation fold's."""
    rows = []
    for run in runs:
        name, results = max(((k, v) for k, v in run.record.results.items()), default=("", None), key=_honest)
        accuracy = f"{share(results.accuracy)} ({name})" if results else "nothing measured"
        n = results.accuracy.n if results else 0
        rows.append(RunRow(run.record.name, run.record.status, len(run.record.holdout_opened), accuracy, n))
    return tuple(rows)


def _honest(named: tuple[str, object]) -> bool:
    return named[0] == "holdout"


def _detail(final: RunSource, thumbnails: Thumbnails) -> RunDetail | None:
    if final.split is None or not final.record.results:
        return None
    try:
        names = {label: label for label in final.split.classes} | read_card(final.path / "bundle").names
        return run_detail(final.path, final.record, final.split, names, thumbnails)
    except DessinError as error:
        warn(f"the classes of {final.path} are left out of the report: {error}")
        return None


def _levels_like(record: RunRecord, sources: Sources) -> tuple[str, ...]:
    """The studies' levels whose recipe was this run's, but for data and seed."""
    mine = recipe_values(record)
    same: dict[str, None] = {}
    for study in sources.studies:
        for job in study.jobs:
            if job.record and not differing_keys(mine, recipe_values(job.record)):
                same[f"{job.job.level} ({study.record.name})"] = None
    return tuple(same)
