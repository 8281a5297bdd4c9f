"""The verb `evaluate`: measure a run's bundle, as it lies on disk, on the validation fold or the holdout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dessin.collection.split import Assignment
from dessin.errors import DessinError
from dessin.evaluation.inference import predict_rows
from dessin.evaluation.metrics import Metrics, measure
from dessin.evaluation.predictions import (
    Predictions,
    read_predictions,
    to_predictions,
    write_predictions,
)
from dessin.experiments.inputs import Inputs, read_inputs
from dessin.experiments.record import (
    FILE,
    SPLIT_FILE,
    RunRecord,
    SetName,
    open_holdout,
    read_record,
    store_results,
)
from dessin.experiments.tables import write_tables
from dessin.files import claim_folder
from dessin.models.bundle import Bundle, load_bundle
from dessin.progress import say, warn
from dessin.training.device import choose_device

# Sums in another order differ in the last digits of float32; a wrong model or wrong pixels by far more.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Evaluation:
    """What was measured on which set; `opened` is how often this run's holdout has been looked at."""

    set_name: SetName
    metrics: Metrics
    opened: int


def evaluate(
    run: str | Path,
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    split: str | Path | None = None,
    holdout: bool = False,
) -> Evaluation:
    """Measure a run (or a bundle, with `data` and `split`) and write tables and predictions to `out`.

    The holdout is opened only when asked for; each opening is counted in the run's record before a number is
    computed, and its results are kept there. Without `out` they stand in the record alone.

    Raises:
        DessinError: an unfinished run, a set without images, changed data, a split that the model was not
            trained on, or a folder `out` that is in use.
    """
    run, set_name = Path(run), _set_name(holdout)
    record = _finished(run) if (run / FILE).is_file() else None
    bundle = load_bundle(run / "bundle" if record else run)
    inputs = _inputs(run, record, bundle, data, split)
    rows = _rows_to_measure(inputs, bundle, set_name)
    if holdout and record is None:
        raise DessinError(
            f"{run} is a bundle, which keeps no count of how often the holdout was opened.",
            do="Evaluate the run that it comes from.",
        )
    if out is not None:
        claim_folder(Path(out), what="an evaluation")
    opened = _open(run) if holdout else 0
    predictions = _predict(bundle, inputs, rows)
    groups = [row.group for row in rows]
    seed = record.seed if record else 0
    metrics = measure(predictions.probabilities, predictions.targets, groups, bundle.card.classes, seed=seed)
    if record is not None:
        _keep(run, set_name, predictions, metrics)
    if out is not None:
        write_tables(Path(out), set_name, metrics, predictions, opened)
    _say(set_name, metrics)
    return Evaluation(set_name, metrics, opened)


def _set_name(holdout: bool) -> SetName:
    return "holdout" if holdout else "validation"


def _finished(run: Path) -> RunRecord:
    record = read_record(run)
    if record.status != "finished":
        why = f" ({record.reason})" if record.reason else ""
        raise DessinError(
            f"The run {run} is not finished: it is {record.status}{why}.",
            do=f"Finish it with dessin train --resume {run}.",
        )
    return record


def _inputs(
    run: Path, record: RunRecord | None, bundle: Bundle, data: str | Path | None, split: str | Path | None
) -> Inputs:
    """The data and the split; one that the model was not trained by is refused."""
    if record is not None:
        data, split = data or record.recipe.data.path, split or run / SPLIT_FILE
    inputs = read_inputs(data, split, None)
    if inputs.split.digest != bundle.card.digests.get("split"):
        raise DessinError(
            f"{split} is not the split that {run} was trained by, so its validation images and its holdout "
            "may hold images that the model has seen.",
            do="Use the run's own split.csv.",
        )
    return inputs


def _rows_to_measure(inputs: Inputs, bundle: Bundle, set_name: SetName) -> tuple[Assignment, ...]:
    if set_name == "holdout":
        rows = inputs.split.held_out()
        if not rows:
            raise DessinError("The split has no holdout.", do="Split with --holdout 0.2 and train again.")
        return rows
    fold = bundle.card.provenance.get("fold", "")
    if not fold.isdigit():
        raise DessinError(
            "The run trained on every image but the holdout (fold none), so there are no validation images.",
            do="Use --holdout, which is counted, or train with a fold.",
        )
    return inputs.split.validation(int(fold))


def _open(run: Path) -> int:
    opened = len(open_holdout(run).holdout_opened)
    if opened > 1:
        warn(
            f"This run's holdout is opened for the {opened}. time. Each look that leads to a choice makes "
            "its number less trustworthy."
        )
    else:
        say("The holdout is opened for the first time; the record counts it.")
    return opened


def _predict(bundle: Bundle, inputs: Inputs, rows: tuple[Assignment, ...]) -> Predictions:
    image = bundle.card.image
    store = inputs.open_store(image.spec, image.interpolation)
    probabilities = predict_rows(
        bundle.classifier,
        store,
        store.rows([row.image_id for row in rows]),
        device=torch.device(str(choose_device().value)),
        temperature=bundle.card.temperature,
        label="evaluating",
    )
    return to_predictions(probabilities, rows, bundle.card.classes)


def _keep(run: Path, set_name: SetName, predictions: Predictions, metrics: Metrics) -> None:
    """Put the results into the run. What it holds from an earlier time stays, and is compared with these."""
    folder = run / set_name
    if (folder / "predictions.csv").is_file():
        difference = _largest_difference(read_predictions(folder), predictions)
        if difference > _TOLERANCE:
            warn(
                f"The bundle does not give the numbers that {folder} holds: a probability differs by "
                f"{difference:.2g}. Has the hardware, a library or the bundle changed? The run keeps its own."
            )
        else:
            say(f"The bundle gives the run's own probabilities again (largest difference {difference:.1g}).")
    else:
        write_predictions(predictions, folder)
    if set_name not in read_record(run).results:
        store_results(run, set_name, metrics)


def _largest_difference(before: Predictions, now: Predictions) -> float:
    """The largest difference of a probability, joined by image id; infinite where the images differ."""
    row_of = {image_id: row for row, image_id in enumerate(before.image_ids)}
    if row_of.keys() != set(now.image_ids) or before.classes != now.classes:
        return float("inf")
    rows = [row_of[image_id] for image_id in now.image_ids]
    return float(np.abs(before.probabilities[rows] - now.probabilities).max())


def _say(set_name: str, metrics: Metrics) -> None:
    say(f"{set_name}: accuracy {metrics.accuracy}; top-5 {metrics.top5}")
    say(f"{set_name}: macro-F1 {metrics.macro_f1}; loss {metrics.loss.plain()}")
    if metrics.absent:
        names = ", ".join(metrics.absent[:6]) + (" …" if len(metrics.absent) > 6 else "")
        say(f"{set_name}: nothing is said of classes without an image in it ({len(metrics.absent)}): {names}")
