"""The page about one run: what it scored, on what, what it confuses, and how to repeat it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions, read_predictions
from dessin.collection.curation import read_curation
from dessin.collection.split.files import Split, read_split
from dessin.collection.thumbnails import Thumbnails
from dessin.errors import DessinError
from dessin.models.card import CARD_FILE, read_card
from dessin.page.numbers import percent
from dessin.page.render import render_page
from dessin.reading import number_of, read_csv
from dessin.reports.run.measure import (
    chance_level,
    run_parts,
    surest,
    surest_mistakes,
    worst_first,
)
from dessin.reports.run.pictures import (
    PageSeen,
    Picture,
    curve_charts,
    pages_seen,
    range_chart,
)
from dessin.runs.record import SPLIT_FILE, RunRecord, SetName, read_record
from dessin.runs.scout import ScoutRow
from dessin.runs.stages import RANGE_FILE
from dessin.statistics.headline import metric_notes
from dessin.statistics.intervals import Estimate
from dessin.statistics.metrics import Metrics, measure
from dessin.training.curve import read_curve

_WORST_CLASSES = 24
_PAIRS, _A_SIDE, _MISTAKES = 12, 3, 24
_PAGES, _LOOKED_AT = 4, 24


@dataclass(frozen=True)
class SetView:
    """The results of a set of `n` images: measure → value with interval, and how intervals were found."""

    name: str
    n: int
    values: Mapping[str, str]
    method: str


@dataclass(frozen=True)
class Tried:
    """A step on the way to a model: what was done, in how many seconds, and what came of it."""

    what: str
    seconds: float
    expected: float
    accuracy: Estimate | None
    verdict: str
    best: bool


def run_page(
    run: Path,
    issues: Mapping[str, int] | None,
    scout: Sequence[ScoutRow],
    *,
    record: RunRecord | None = None,
    names: Mapping[str, str] | None = None,
    lead: str = "",
    steps: Sequence[Tried] = (),
    said: Sequence[str] = (),
    budget: str = "",
    photographs: Sequence[str] = (),
) -> str:
    """The HTML about a finished run; `issues` are an audit's counts by kind, `scout` the backbones tried.

    A committee, which has no record, is given one with its `names` of classes; `lead` says what it is.
    `steps` led to it within a `budget`, and `said` is what to know of that. `photographs` are ids of some to
    show before and after, where the model looks for their page; by default they are looked for. Drawings are
    read from where the run found them; if they are gone, the page says so and has none.

    Raises:
        DessinError: no run folder, a run that is not finished, or damaged files in it.
    """
    record = record or read_record(run)
    if record.status != "finished":
        raise DessinError(
            f"The run {run} is {record.status}, so there is nothing to report yet.",
            do=f"Finish it with dessin train --resume {run}.",
        )
    context = _context(run, record, read_split(run / SPLIT_FILE), names or {})
    context["pages"] = _pages(run, record, photographs)
    found = dict(Counter(issues).most_common()) if issues is not None else None
    told = {"lead": lead, "steps": tuple(steps), "said": tuple(said), "budget": budget}
    return render_page(
        "dessin.reports.run", "report.html", scout=tuple(scout), issues=found, **told, **context
    )


def _context(run: Path, record: RunRecord, split: Split, known: Mapping[str, str]) -> dict[str, object]:
    names = class_names(run, split.classes) | dict(known)
    curve = read_curve(run / "curve.csv")
    best = record.decided("best_epoch", int)
    data = record.recipe.data.path
    thumbnails = Thumbnails(data, record.recipe.image.page)
    return {
        "title": f"{record.name} on {Path(data).name if data else 'a collection'}: a dessin run",
        "collection": Path(data).name if data else record.name,
        "record": record,
        "opened": [moment(opening) for opening in record.holdout_opened],
        "started": [moment(start) for start in record.started],
        "finished": moment(record.finished),
        "results": set_views(record),
        "notes": metric_notes(),
        "parts": run_parts(split, record.recipe.data.fold),
        "split": split,
        "groups": len({row.group for row in split.rows}),
        "curated": curated(record.recipe.data.curation),
        "charts": (*curve_charts(curve, best), *_range_charts(run, record)),
        "epochs": curve[-1].epoch if curve else 0,
        "best_epoch": best,
        "detail": run_detail(run, record, split, names, thumbnails),
        "pictures": thumbnails.available,
        "timings": {**record.timings, "total": sum(record.timings.values())},
        "recipe": yaml.safe_dump(record.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        "command": _command(record),
        "holdout_command": f"dessin evaluate {shlex.quote(str(run))} --holdout --out holdout",
        "worst": _WORST_CLASSES,
    }


def _pages(run: Path, record: RunRecord, photographs: Sequence[str]) -> list[PageSeen]:
    """A few photographs before and after, where the model looks for their page."""
    if record.recipe.image.page == "off":
        return []
    ids = [row.image_id for row in read_split(run / SPLIT_FILE).rows]
    sample = ids[:: max(1, len(ids) // _LOOKED_AT)][:_LOOKED_AT]
    return pages_seen(record.recipe.data.path, photographs or sample, most=_PAGES)


def class_names(run: Path, labels: Iterable[str]) -> dict[str, str]:
    """Labels → names for people, as the run's bundle has them; a run may outlive its bundle."""
    bundle = run / "bundle"
    known = read_card(bundle).names if (bundle / CARD_FILE).is_file() else {}
    return {label: label for label in labels} | known


def set_views(record: RunRecord) -> tuple[SetView, ...]:
    """The results of every set in the record, the holdout first."""
    return tuple(
        SetView(name, found.accuracy.n, found.written(record.counts.classes), found.accuracy.method)
        for name, found in sorted(record.results.items())
    )


def run_detail(
    run: Path, record: RunRecord, split: Split, names: Mapping[str, str], thumbnails: Thumbnails
) -> dict[str, Any] | None:
    """What a page dwells on: classes worst first, confusions and surest mistakes of one set of a run.

    Of the holdout once it was opened, else of the validation fold; None where neither was measured.
    """
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
        "metrics": metrics,
        "groups": len(set(groups)),
        "chance": chance_level(predictions),
        "names": names,
        "classes": worst_first(metrics, names),
        "pairs": _pairs(metrics, predictions, thumbnails),
        "mistakes": _mistakes(predictions, names, thumbnails),
    }


def _pairs(metrics: Metrics, predictions: Predictions, thumbnails: Thumbnails) -> list[dict[str, object]]:
    """The most frequent confusions, `of` so many, with up to three drawings a side, the surest ones first.

    Drawings that were taken for another class are beside real ones of that.
    """
    n_of = {row.label: row.n for row in metrics.per_class}
    labels, predicted = np.array(predictions.labels), predictions.order[:, 0]

    def pictures(wanted: NDArray[np.bool_], label: str) -> list[Picture]:
        ids = surest(predictions, wanted, label, _A_SIDE)
        return [Picture(thumbnails.uri(image_id), image_id) for image_id in ids]

    views: list[dict[str, object]] = []
    for pair in metrics.confusions[:_PAIRS]:
        taken = predicted == predictions.classes.index(pair.predicted)
        mistaken = pictures((labels == pair.label) & taken, pair.predicted)
        genuine = pictures(labels == pair.predicted, pair.predicted)
        views.append({"found": pair, "of": n_of[pair.label], "mistaken": mistaken, "genuine": genuine})
    return views


def _mistakes(predictions: Predictions, names: Mapping[str, str], thumbnails: Thumbnails) -> list[Picture]:
    pictures = []
    for row in surest_mistakes(predictions, _MISTAKES):
        answer = predictions.order[row, 0]
        sure = percent(float(predictions.probabilities[row, answer]))
        note = f"taken for {names[predictions.classes[answer]]}, {sure} sure"
        uri = thumbnails.uri(predictions.image_ids[row])
        pictures.append(Picture(uri, names[predictions.labels[row]], note))
    return pictures


def _range_charts(run: Path, record: RunRecord) -> tuple[str, ...]:
    """The chart of the learning rate range test, where the recipe's rate was `auto`."""
    path = run / RANGE_FILE
    if not path.is_file():
        return ()
    table = read_csv(path, ["lr", "smoothed"])[1]
    rows = [(number_of(row["lr"], str(path)), number_of(row["smoothed"], str(path))) for row in table]
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


def moment(timestamp: str) -> str:
    """`2026-11-23T20:34:28+00:00` → `2026-11-23 20:34 UTC`."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC" if timestamp else ""
