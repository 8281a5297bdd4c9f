"""The verb `predict`: names and probabilities for files, folders or a contest's test list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dessin.collection.readers.collection import listing
from dessin.ensembles.committee import Committee
from dessin.errors import DessinError
from dessin.files import write_csv
from dessin.progress import say, warn
from dessin.serving.inputs import find_images
from dessin.serving.predictor import ImageFile, Predictions, Predictor

COLUMNS = ("image_id", "predicted", "name", "probability")
UNSURE, NO_CLASS = "below the threshold", "not a drawing of any class"


def predict(
    model: str | Path,
    paths: Sequence[str | Path],
    *,
    out: str | Path,
    top: int = 5,
    views: Sequence[str] = (),
) -> Predictions:
    """Classify images and write a CSV: image_id, predicted, name, probability, top2.. with theirs, reason.

    An unreadable image keeps its row, with its reason and no prediction; so does one whose probability is
    below the model's threshold, or that the model takes for a drawing of no class (`reason` says so, and
    `top2` on still name what it might be). `model` is a run, a bundle or a committee; with `views` the mean
    over these counts (default: the committee's own, or the plain one).

    Raises:
        DessinError: no model, no images, or not one image that can be read.
    """
    predictor = Predictor.load(model, views=views)
    files = find_images([Path(path) for path in paths])
    predictions = predictor.predict_files(files)
    if not predictions.image_ids:
        first = predictions.unreadable[0]
        raise DessinError(
            f"Not one of {len(files):,} images can be read; the first is {first.image_id}: {first.reason}.",
            allowed="Images are PNG, JPEG, WebP, BMP or GIF.",
        )
    top = min(top, len(predictor.committee.classes))
    columns = [*COLUMNS, *(name for k in range(2, top + 1) for name in (f"top{k}", f"top{k}_probability"))]
    rows = table(files, predictions, predictor.committee, top)
    write_csv(Path(out), [*columns, "reason"], rows)
    _say(predictions, rows, Path(out))
    return predictions


def table(
    files: Sequence[ImageFile], predictions: Predictions, model: Committee, top: int
) -> list[list[str]]:
    """The rows of the CSV, one an image in the order of `files`."""
    place = {image_id: row for row, image_id in enumerate(predictions.image_ids)}
    reasons = {refused.image_id: refused.reason for refused in predictions.unreadable}
    rows = []
    for file in files:
        if file.image_id in reasons:
            rows.append([file.image_id, *[""] * (2 * top + 1), reasons[file.image_id]])
            continue
        probabilities = predictions.probabilities[place[file.image_id]]
        # A stable sort: equal probabilities keep the order of the classes.
        best = np.argsort(-probabilities, kind="stable")[:top]
        labels = [model.classes[column] for column in best]
        written = [f"{probabilities[column]:.6f}" for column in best]
        others = [text for pair in zip(labels[1:], written[1:], strict=True) for text in pair]
        label, name = labels[0], model.names.get(labels[0], labels[0])
        score = None if predictions.scores is None else float(predictions.scores[place[file.image_id]])
        reason = silence(model, label, float(probabilities[best[0]]), score)
        if reason:
            label = name = ""
        rows.append([file.image_id, label, name, written[0], *others, reason])
    return rows


def silence(model: Committee, label: str, probability: float, score: float | None) -> str:
    """Why the model does not answer an image: `label` is its best guess; empty where it does answer."""
    rejection = model.rejection
    if rejection is not None and score is not None and score < rejection.threshold:
        words = rejection.score.replace("_", " ")
        return f"{NO_CLASS} ({words} {score:.3f} below {rejection.threshold:.3f}): {label}"
    if probability < model.threshold:
        return f"{UNSURE} {model.threshold:.3f}: {label}"
    return ""


def _say(predictions: Predictions, rows: Sequence[Sequence[str]], out: Path) -> None:
    counts = Counter(name for _, label, name, *_ in rows if label)
    common = [f"{name} {count:,}" for name, count in counts.most_common(5)] or ["no answer"]
    say(
        f"{len(predictions.image_ids):,} images: {', '.join(common)}{' ..' if len(counts) > 5 else ''}; "
        f"written to {out}"
    )
    foreign = sum(row[-1].startswith(NO_CLASS) for row in rows)
    unsure = sum(row[-1].startswith(UNSURE) for row in rows)
    if foreign or unsure:
        say(f"not answered: {unsure:,} unsure, {foreign:,} taken for drawings of no class")
    if predictions.unreadable:
        named = [f"{refused.image_id} ({refused.reason})" for refused in predictions.unreadable]
        warn(f"{len(named):,} images could not be read and have no prediction: {listing(named)}")
