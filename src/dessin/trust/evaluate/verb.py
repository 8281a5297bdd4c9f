"""The verb `evaluate`: measure a model, as it lies on disk, on its validation images or on the holdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.predictions import Predictions, read_predictions, write_predictions
from dessin.collection.split.files import Assignment
from dessin.committees.ensemble.result import ViewsGain
from dessin.files import claim_folder, write_json
from dessin.ops import names
from dessin.progress import say, warn
from dessin.runs.record import SetName, read_record, store_results
from dessin.runs.subject import Subject, read_subject
from dessin.runs.tables import write_tables
from dessin.statistics.comparison import comparison_of
from dessin.statistics.contrasts import two_models
from dessin.statistics.intervals import bootstrap_mean
from dessin.statistics.metrics import Metrics, measure
from dessin.statistics.temperature import log_probabilities, tempered
from dessin.statistics.verdicts import judge
from dessin.training.views import PLAIN, check_views
from dessin.trust.robustness.verb import Robustness, check_set
from dessin.trust.robustness.verb import robustness as measure_robustness

# Sums in another order differ in the last digits of float32; a wrong model or wrong pixels by far more.
_TOLERANCE = 1e-3
_SAME_TEMPERATURE = 1e-3
MATTERS = 0.02


@dataclass(frozen=True)
class Evaluation:
    """What was measured on which set; `opened` is how often this model's holdout has been looked at.

    `views` says what looking in several views gains over the plain one, and `robustness` what the model keeps
    on corrupted drawings, where they were asked for.
    """

    set_name: SetName
    metrics: Metrics
    opened: int
    views: ViewsGain | None = None
    robustness: Robustness | None = None


def evaluate(
    run: str | Path,
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    split: str | Path | None = None,
    holdout: bool = False,
    views: str | Sequence[str] = (),
    robustness: bool = False,
) -> Evaluation:
    """Measure accuracy, top-5, macro-F1 and loss with intervals, each class, and what is confused.

    A committee is asked about each fold through those of its models that did not see it. Each opening of the
    holdout is counted in the run's record, or in the committee, before a number is computed, and its results
    are kept there.

    Args:
        run: A run or a committee, or a bundle (with its data and split).
        out: A new folder for the tables; without it the results are kept in the run alone.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.
        holdout: Open the locked holdout; this is counted.
        views: Further looks at an image, such as hflip,rotate_left,smaller: the mean over these and the plain
            one is measured, and what that gains.
        robustness: Also ask about the same drawings worn, moved, faded, blurred ..: 16 corruptions of five
            strengths.

    Raises:
        DessinError: an unfinished run, a set without images, changed data, a split that the model was not
            trained on, an unknown view, a folder `out` that is in use, or (`robustness`) a fold of one class.
    """
    seen = check_views(tuple(dict.fromkeys((*PLAIN, *names(views)))))
    subject, set_name = read_subject(Path(run), data, split), _set_name(holdout)
    rows = subject.rows(set_name)
    if robustness:
        check_set(rows)
    if out is not None and (not holdout or subject.home is not None):
        claim_folder(Path(out), what="an evaluation")
    opened = _open(subject) if holdout else 0
    predictions = subject.answers(rows, None if seen == PLAIN else PLAIN)
    metrics = _measured(subject, rows, predictions)
    _keep(subject, set_name, predictions, metrics)
    gain = None
    if seen != PLAIN:
        plain, predictions = predictions, subject.answers(rows, seen)
        metrics, gain = _measured(subject, rows, predictions), _gain(seen, plain, predictions, rows)
    if out is not None:
        write_tables(Path(out), set_name, metrics, predictions, opened)
        if gain is not None:
            write_json(Path(out) / "views.json", gain.model_dump(mode="json"))
    _say(set_name, metrics)
    _say_more(subject, set_name, gain)
    asked = None if seen == PLAIN else seen
    kept = (
        measure_robustness(
            subject, set_name, rows, predictions, views=asked, out=None if out is None else Path(out)
        )
        if robustness
        else None
    )
    return Evaluation(set_name, metrics, opened, gain, kept)


def _set_name(holdout: bool) -> SetName:
    return "holdout" if holdout else "validation"


def _open(subject: Subject) -> int:
    opened = subject.open_holdout()
    if opened > 1:
        warn(
            f"This model's holdout is opened for the {opened}. time. Each look that leads to a choice makes "
            "its number less trustworthy."
        )
    else:
        say("The holdout is opened for the first time; the record counts it.")
    return opened


def _measured(subject: Subject, rows: tuple[Assignment, ...], predictions: Predictions) -> Metrics:
    groups = [row.group for row in rows]
    return measure(
        predictions.probabilities, predictions.targets, groups, predictions.classes, seed=subject.seed
    )


def _keep(subject: Subject, set_name: SetName, predictions: Predictions, metrics: Metrics) -> None:
    """Put the results into the run or the committee; what is there from an earlier time stays.

    The validation answers of a committee are not its own: it keeps those of the holdout alone.
    """
    if subject.home is None:
        return
    folder = subject.home / set_name
    if (folder / "predictions.csv").is_file():
        kept = read_predictions(folder)
        before = _as_warm(kept, predictions)
        difference = _largest_difference(before, predictions)
        if difference > _TOLERANCE:
            warn(
                f"The bundle does not give the numbers that {folder} holds: a probability differs by "
                f"{difference:.2g}. Has the hardware, a library or the bundle changed? The run keeps its own."
            )
        else:
            how = "" if before is kept else ", but for the temperature that its card has now"
            say(
                f"The bundle gives the run's own probabilities again{how} (largest difference "
                f"{difference:.1g})."
            )
    elif subject.record is not None or set_name == "holdout":
        write_predictions(predictions, folder)
    if subject.record is not None and set_name not in read_record(subject.home).results:
        store_results(subject.home, set_name, metrics)


def _as_warm(before: Predictions, now: Predictions) -> Predictions:
    """Earlier predictions at the temperature of the present ones: `calibrate --write` may have changed it.

    A temperature multiplies all logarithms of an image's probabilities, up to a constant, by one number.
    """
    row_of = {image_id: row for row, image_id in enumerate(before.image_ids)}
    if row_of.keys() != set(now.image_ids) or before.classes != now.classes:
        return before
    rows = [row_of[image_id] for image_id in now.image_ids]
    earlier, present = (_centred(table) for table in (before.probabilities[rows], now.probabilities))
    square = float((present * earlier).sum())
    ratio = float((earlier**2).sum()) / square if square > 0 else 1.0
    if abs(ratio - 1.0) < _SAME_TEMPERATURE:
        return before
    return replace(before, probabilities=tempered(before.probabilities, ratio).astype(np.float32))


def _centred(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithms (N, C) with a mean of 0 for each image."""
    logarithms = log_probabilities(probabilities.astype(np.float64))
    return np.asarray(logarithms - logarithms.mean(axis=1, keepdims=True))


def _largest_difference(before: Predictions, now: Predictions) -> float:
    """The largest difference of a probability, joined by image id; infinite where the images differ."""
    row_of = {image_id: row for row, image_id in enumerate(before.image_ids)}
    if row_of.keys() != set(now.image_ids) or before.classes != now.classes:
        return float("inf")
    rows = [row_of[image_id] for image_id in now.image_ids]
    return float(np.abs(before.probabilities[rows] - now.probabilities).max())


def _gain(
    views: tuple[str, ...], plain: Predictions, seen: Predictions, rows: tuple[Assignment, ...]
) -> ViewsGain:
    """What the mean over views has right that the plain view has not, paired by image."""
    groups = [row.group for row in rows]
    right, before = (answer.order[:, 0] == answer.targets for answer in (seen, plain))
    contrast = two_models(right, before, groups)
    verdict = judge(contrast, contrast.p, MATTERS)
    gain = comparison_of(
        ", ".join(views), "the plain view", contrast, verdict, p_holm=contrast.p, comparisons=1
    )
    return ViewsGain(views=views, plain=bootstrap_mean(before, groups), gain=gain)


def _say(set_name: str, metrics: Metrics) -> None:
    say(f"{set_name}: accuracy {metrics.accuracy}; top-5 {metrics.top5}")
    say(f"{set_name}: macro-F1 {metrics.macro_f1}; loss {metrics.loss.plain()}")
    if metrics.absent:
        names = ", ".join(metrics.absent[:6]) + (" …" if len(metrics.absent) > 6 else "")
        say(f"{set_name}: nothing is said of classes without an image in it ({len(metrics.absent)}): {names}")


def _say_more(subject: Subject, set_name: SetName, gain: ViewsGain | None) -> None:
    if gain is not None:
        plain = gain.plain
        say(f"{len(gain.views)} views against the plain one ({plain}): {gain.gain.verdict_text}")
    nested = subject.loaded.committee.provenance.get("nested_accuracy")
    if nested and set_name == "validation":
        say(f"its members were chosen on these very images; on images that the choice did not see: {nested}")
