"""The verb `predict`: names and probabilities for files, folders or a contest's test list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dessin.collection.readers.collection import listing
from dessin.errors import DessinError
from dessin.files import write_csv
from dessin.progress import say, warn
from dessin.serving.answer import Answer, read_answers
from dessin.serving.inputs import find_images
from dessin.serving.runtime import Answered, ImageFile, Predictions, Runtime

COLUMNS = ("image_id", "predicted", "name", "probability")


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
    runtime = Runtime.load(model, views=views)
    files = find_images([Path(path) for path in paths])
    predictions = runtime.predict_files(files)
    if not predictions.image_ids:
        first = predictions.unreadable[0]
        raise DessinError(
            f"Not one of {len(files):,} images can be read; the first is {first.image_id}: {first.reason}.",
            allowed="Images are PNG, JPEG, WebP, BMP or GIF.",
        )
    top = min(top, len(runtime.committee.classes))
    answers = read_answers(runtime.committee, Answered(predictions.probabilities, predictions.scores), top)
    columns = [*COLUMNS, *(name for k in range(2, top + 1) for name in (f"top{k}", f"top{k}_probability"))]
    write_csv(Path(out), [*columns, "reason"], table(files, predictions, answers, top))
    _say(predictions, answers, Path(out))
    return predictions


def table(
    files: Sequence[ImageFile], predictions: Predictions, answers: Sequence[Answer], top: int
) -> list[list[str]]:
    """The rows of the CSV, one an image in the order of `files`."""
    answer_of = dict(zip(predictions.image_ids, answers, strict=True))
    reasons = {refused.image_id: refused.reason for refused in predictions.unreadable}
    empty = [""] * (2 * top + 1)
    return [
        [file.image_id, *empty, reasons[file.image_id]]
        if file.image_id in reasons
        else [file.image_id, *_columns(answer_of[file.image_id])]
        for file in files
    ]


def _columns(answer: Answer) -> list[str]:
    """predicted, name, probability, each further class with its probability, and the reason of a silence."""
    best = answer.best
    named = ["", ""] if answer.silence else [best.label, best.name]
    others = [text for one in answer.candidates[1:] for text in (one.label, f"{one.probability:.6f}")]
    reason = f"{answer.reason}: {best.label}" if answer.silence else ""
    return [*named, f"{best.probability:.6f}", *others, reason]


def _say(predictions: Predictions, answers: Sequence[Answer], out: Path) -> None:
    counts = Counter(answer.best.name for answer in answers if not answer.silence)
    common = [f"{name} {count:,}" for name, count in counts.most_common(5)] or ["no answer"]
    say(f"{len(answers):,} images: {', '.join(common)}{' ..' if len(counts) > 5 else ''}; written to {out}")
    silent = Counter(answer.silence for answer in answers if answer.silence)
    if silent:
        unsure, foreign = silent["unsure"], silent["no_class"]
        say(f"not answered: {unsure:,} unsure, {foreign:,} taken for drawings of no class")
    if predictions.unreadable:
        named = [f"{refused.image_id} ({refused.reason})" for refused in predictions.unreadable]
        warn(f"{len(named):,} images could not be read and have no prediction: {listing(named)}")
