"""The files of an evaluation: `metrics.json`, `per_class.csv`, `confusions.csv` and the predictions."""

from __future__ import annotations

from pathlib import Path

from dessin.answers.predictions import Predictions, write_predictions
from dessin.files import write_csv, write_json
from dessin.statistics.metrics import ClassResult, Metrics

CLASS_COLUMNS = (
    "label",
    "n",
    "recall",
    "recall_low",
    "recall_high",
    "precision",
    "f1",
    "confused_with",
    "confused_count",
)
CONFUSION_COLUMNS = ("label", "predicted", "count", "share")


def write_tables(out: Path, set_name: str, metrics: Metrics, predictions: Predictions, opened: int) -> None:
    """Write an evaluation into the folder `out`; a value that cannot be given is an empty field."""
    write_predictions(predictions, out)
    write_csv(out / "per_class.csv", CLASS_COLUMNS, map(_class_row, metrics.per_class))
    write_csv(
        out / "confusions.csv",
        CONFUSION_COLUMNS,
        ([pair.label, pair.predicted, pair.count, f"{pair.share:.4f}"] for pair in metrics.confusions),
    )
    summary: dict[str, object] = {
        "set": set_name,
        "n": metrics.n,
        "absent": list(metrics.absent),
        "results": {name: estimate.record() for name, estimate in metrics.results().items()},
    }
    if set_name == "holdout":
        summary["holdout_opened"] = opened
    write_json(out / "metrics.json", summary)


def _class_row(row: ClassResult) -> list[object]:
    recall = (row.recall.value, row.recall.low, row.recall.high) if row.recall else (None, None, None)
    numbers = ["" if value is None else f"{value:.4f}" for value in (*recall, row.precision, row.f1)]
    return [row.label, row.n, *numbers, row.confused_with, row.confused_count]
