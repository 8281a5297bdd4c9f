"""What an evaluation found, and its files: `metrics.json`, `per_class.csv`, `confusions.csv`, predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from dessin.answers.predictions import Predictions, write_predictions
from dessin.committees.ensemble.result import ViewsGain
from dessin.files import write_csv, write_json
from dessin.page.notebook import Shown, Tables
from dessin.page.tables import spread, write_table
from dessin.runs.record import SetName
from dessin.statistics.metrics import ClassResult, Metrics
from dessin.trust.robustness.verb import Robustness


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """What was measured on which set; `opened` is how often this model's holdout has been looked at.

    `views` says what looking in several views gains over the plain one, and `robustness` what the model keeps
    on corrupted drawings, where they were asked for.
    """

    set_name: SetName
    metrics: Metrics
    opened: int
    views: ViewsGain | None = None
    robustness: Robustness | None = None

    def _tables(self) -> Tables:
        yield "per_class", self.metrics.per_class
        yield "confusions", self.metrics.confusions


def write_evaluation(out: Path, found: Evaluation, predictions: Predictions) -> None:
    """Write an evaluation into the folder `out`; a value that cannot be given is an empty field."""
    metrics = found.metrics
    write_predictions(predictions, out)
    write_table(out / "per_class.csv", map(_class_cells, metrics.per_class))
    write_csv(
        out / "confusions.csv",
        ("label", "predicted", "count", "share"),
        ([pair.label, pair.predicted, pair.count, f"{pair.share:.4f}"] for pair in metrics.confusions),
    )
    summary: dict[str, object] = {
        "set": found.set_name,
        "n": metrics.n,
        "absent": list(metrics.absent),
        "results": {name: asdict(estimate) for name, estimate in metrics.results.items()},
    }
    if found.set_name == "holdout":
        summary["holdout_opened"] = found.opened
    write_json(out / "metrics.json", summary)
    if found.views is not None:
        write_json(out / "views.json", found.views.model_dump(mode="json"))


def _class_cells(row: ClassResult) -> dict[str, object]:
    return {
        "label": row.label,
        "n": row.n,
        **spread("recall", row.recall, ends="recall_", digits=4),
        "precision": "" if row.precision is None else f"{row.precision:.4f}",
        "f1": "" if row.f1 is None else f"{row.f1:.4f}",
        "confused_with": row.confused_with,
        "confused_count": row.confused_count,
    }
