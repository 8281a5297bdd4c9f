"""The verb `report`: one self-contained HTML file about a run, that a person wants to read."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from dessin.collection.curation import read_curation
from dessin.collection.split import Split, read_split
from dessin.errors import DessinError
from dessin.evaluation.intervals import Estimate
from dessin.evaluation.metrics import measure
from dessin.evaluation.predictions import read_predictions
from dessin.experiments.record import SPLIT_FILE, RunRecord, SetName, read_record
from dessin.experiments.report_pictures import Thumbnails, curve_charts, range_chart
from dessin.experiments.report_view import (
    chance_level,
    class_views,
    confident_mistakes,
    moment,
    pair_views,
    set_views,
    split_parts,
    timing_rows,
)
from dessin.experiments.stages import RANGE_FILE
from dessin.files import read_csv, write_text
from dessin.html.render import render_page
from dessin.models.card import read_card
from dessin.progress import say
from dessin.training.curve import CurveRow

if TYPE_CHECKING:
    from dessin.collection.audit import AuditResult

_WORST_CLASSES = 24


@dataclass(frozen=True)
class ScoutRow:
    """One backbone of a scout; `accuracy` is None where its weights were not to be had."""

    backbone: str
    accuracy: Estimate | None
    images_per_second: float
    parameters: int
    chosen: bool
    reason: str


def report(
    run: str | Path,
    *,
    out: str | Path,
    audit: AuditResult | None = None,
    scout: Sequence[ScoutRow] = (),
) -> Path:
    """Write the report of a finished run to the file `out` (made anew if it exists) and return its path.

    Drawings are read from where the run found them; if they are gone, the report says so and has none.

    Raises:
        DessinError: no run folder, a run that is not finished, or damaged files in it.
    """
    run, out = Path(run), Path(out)
    if out.is_dir():
        raise DessinError(
            f"{out} is a folder, and the report is one file.", do=f"Use --out {out / 'report.html'}."
        )
    record = read_record(run)
    if record.status != "finished":
        raise DessinError(
            f"The run {run} is {record.status}, so there is nothing to report yet.",
            do=f"Finish it with dessin train --resume {run}.",
        )
    context = _context(run, record, read_split(run / SPLIT_FILE))
    context["issues"] = dict(Counter(issue.issue for issue in audit.issues).most_common()) if audit else None
    page = render_page("dessin.experiments", "report.html", scout=tuple(scout), **context)
    write_text(out, page)
    say(f"report: {out}")
    return out


def _context(run: Path, record: RunRecord, split: Split) -> dict[str, object]:
    names = {label: label for label in split.classes} | read_card(run / "bundle").names
    curve = _read_curve(run / "curve.csv")
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
        "curated": _curated(record),
        "charts": (*curve_charts(curve, best), *_range_charts(run, record)),
        "epochs": curve[-1].epoch if curve else 0,
        "best_epoch": best,
        "detail": _detail(run, record, split, names, thumbnails),
        "pictures": thumbnails.available,
        "timings": timing_rows(record),
        "recipe": yaml.safe_dump(record.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        "command": _command(record),
        "holdout_command": f"dessin evaluate {shlex.quote(str(run))} --holdout --out holdout",
        "worst": _WORST_CLASSES,
    }


def _detail(
    run: Path, record: RunRecord, split: Split, names: Mapping[str, str], thumbnails: Thumbnails
) -> dict[str, object] | None:
    """The set that the report dwells on: the holdout once it was opened, else the validation fold."""
    set_name: SetName = "holdout" if "holdout" in record.results else "validation"
    if set_name not in record.results:
        return None
    predictions = read_predictions(run / set_name)
    group_of = {row.image_id: row.group for row in split.rows}
    groups = [group_of[image_id] for image_id in predictions.image_ids]
    metrics = measure(
        predictions.probabilities, predictions.targets, groups, predictions.classes, seed=record.seed
    )
    return {
        "set_name": set_name,
        "n": metrics.n,
        "groups": len(set(groups)),
        "accuracy": metrics.accuracy,
        "top5": metrics.top5,
        "macro_f1": metrics.macro_f1,
        "chance": chance_level(predictions),
        "absent": [names[label] for label in metrics.absent],
        "classes": class_views(metrics, names),
        "pairs": pair_views(metrics, predictions, names, thumbnails),
        "mistakes": confident_mistakes(predictions, names, thumbnails),
    }


def _read_curve(path: Path) -> tuple[CurveRow, ...]:
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


def _curated(record: RunRecord) -> dict[str, int]:
    """What the curation did and why → how many images; empty where its file is not known or gone."""
    path = record.recipe.data.curation
    if path is None or not Path(path).is_file():
        return {}
    changes = [change for change in read_curation(Path(path)).changes if change.action != "keep"]
    whys = [f"{change.action}: {change.reason.split(':')[0].split(' of ')[0]}" for change in changes]
    return dict(Counter(whys).most_common())


def _command(record: RunRecord) -> str:
    data, split = record.recipe.data.path or "DATA", record.recipe.data.split or "SPLIT"
    return f"dessin train recipe.yaml --data {shlex.quote(data)} --split {shlex.quote(split)}"
