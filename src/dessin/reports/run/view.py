"""The page about one run: what it scored, on what, what it confuses, and how to repeat it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from dessin.answers.predictions import read_predictions
from dessin.collection.curation import read_curation
from dessin.collection.split.files import Split, read_split
from dessin.errors import DessinError
from dessin.files import read_csv
from dessin.models.card import read_card
from dessin.page.render import render_page
from dessin.reports.run.measure import (
    ClassView,
    PairView,
    Picture,
    chance_level,
    class_views,
    confident_mistakes,
    moment,
    pair_views,
    set_views,
    split_parts,
    timing_rows,
)
from dessin.reports.run.pictures import Thumbnails, curve_charts, range_chart
from dessin.runs.record import SPLIT_FILE, RunRecord, SetName, read_record
from dessin.runs.scout import ScoutRow
from dessin.runs.stages import RANGE_FILE
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import measure
from dessin.training.curve import CurveRow

_WORST_CLASSES = 24


@dataclass(frozen=True)
class RunDetail:
    """What a page dwells on: one set of a run, its classes worst first, confusions and surest mistakes."""

    set_name: SetName
    n: int
    groups: int
    accuracy: Estimate
    top5: Estimate
    macro_f1: Estimate
    chance: float
    absent: tuple[str, ...]
    classes: tuple[ClassView, ...]
    pairs: tuple[PairView, ...]
    mistakes: tuple[Picture, ...]


def run_page(run: Path, issues: Mapping[str, int] | None, scout: Sequence[ScoutRow]) -> str:
    """The HTML about a finished run; `issues` are an audit's counts by kind, `scout` the backbones tried.

    Drawings are read from where the run found them; if they are gone, the page says so and has none.

    Raises:
        DessinError: no run folder, a run that is not finished, or damaged files in it.
    """
    record = read_record(run)
    if record.status != "finished":
        raise DessinError(
            f"The run {run} is {record.status}, so there is nothing to report yet.",
            do=f"Finish it with dessin train --resume {run}.",
        )
    context = _context(run, record, read_split(run / SPLIT_FILE))
    found = dict(Counter(issues).most_common()) if issues is not None else None
    return render_page("dessin.reports.run", "report.html", scout=tuple(scout), issues=found, **context)


def _context(run: Path, record: RunRecord, split: Split) -> dict[str, object]:
    names = {label: label for label in split.classes} | read_card(run / "bundle").names
    curve = read_curve(run / "curve.csv")
    best = next((int(d.value) for d in record.decisions if d.name == "best_epoch"), None)
    data = record.recipe.data.path
    thumbnails = Thumbnails(Path(data) if data else None)
    return {
        "title": f"{record.name} on {Path(data).name if data else 'a collection'}: a dessin run",
        "collection": Path(data).name if data else record.name,
        "record": record,
        "opened": [moment(opening) for opening in record.holdout_opened],
        "started": [moment(start) for start in record.started],
        "finished": moment(record.finished),
        "results": set_views(record),
        "parts": split_parts(split, record),
        "split": split,
        "groups": len({row.group for row in split.rows}),
        "curated": curated(record.recipe.data.curation),
        "charts": (*curve_charts(curve, best), *_range_charts(run, record)),
        "epochs": curve[-1].epoch if curve else 0,
        "best_epoch": best,
        "detail": run_detail(run, record, split, names, thumbnails),
        "pictures": thumbnails.available,
        "timings": timing_rows(record),
        "recipe": yaml.safe_dump(record.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        "command": _command(record),
        "holdout_command": f"dessin evaluate {shlex.quote(str(run))} --holdout --out holdout",
        "worst": _WORST_CLASSES,
    }


def run_detail(
    run: Path, record: RunRecord, split: Split, names: Mapping[str, str], thumbnails: Thumbnails
) -> RunDetail | None:
    """The holdout once it was opened, else the validation fold; None where neither was measured."""
    set_name: SetName = "holdout" if "holdout" in record.results else "validation"
    if set_name not in record.results:
        return None
    predictions = read_predictions(run / set_name)
    group_of = {row.image_id: row.group for row in split.rows}
    groups = [group_of[image_id] for image_id in predictions.image_ids]
    metrics = measure(
        predictions.probabilities, predictions.targets, groups, predictions.classes, seed=record.seed
    )
    return RunDetail(
        set_name=set_name,
        n=metrics.n,
        groups=len(set(groups)),
        accuracy=metrics.accuracy,
        top5=metrics.top5,
        macro_f1=metrics.macro_f1,
        chance=chance_level(predictions),
        absent=tuple(names[label] for label in metrics.absent),
        classes=class_views(metrics, names),
        pairs=pair_views(metrics, predictions, names, thumbnails),
        mistakes=confident_mistakes(predictions, names, thumbnails),
    )


def read_curve(path: Path) -> tuple[CurveRow, ...]:
    """A run's learning curve; empty without the file."""
    if not path.is_file():
        return ()
    rows = read_csv(path, list(CurveRow.model_fields))[1]
    return tuple(CurveRow.model_validate({key: value or None for key, value in row.items()}) for row in rows)


def _range_charts(run: Path, record: RunRecord) -> tuple[str, ...]:
    """The chart of the learning rate range test, where the recipe's rate was `auto`."""
    path = run / RANGE_FILE
    if not path.is_file():
        return ()
    rows = [(float(row["lr"]), float(row["smoothed"])) for row in read_csv(path, ["lr", "smoothed"])[1]]
    return (range_chart(rows, record.attempts[0].lr),)


def curated(path: str | None) -> dict[str, int]:
    """What a curation did and why → how many images; empty where its file is not known or gone."""
    if path is None or not Path(path).is_file():
        return {}
    changes = [change for change in read_curation(Path(path)).changes if change.action != "keep"]
    whys = [f"{change.action}: {change.reason.split(':')[0].split(' of ')[0]}" for change in changes]
    return dict(Counter(whys).most_common())


def _command(record: RunRecord) -> str:
    data, split = record.recipe.data.path or "DATA", record.recipe.data.split or "SPLIT"
    return f"dessin train recipe.yaml --data {shlex.quote(data)} --split {shlex.quote(split)}"
