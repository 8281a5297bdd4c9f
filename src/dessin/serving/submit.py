"""The verb `submit`: a contest's submission, in the contest's order, checked before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from dessin.collection.readers.collection import Collection, listing
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.files import read_csv, write_csv
from dessin.ops import names
from dessin.page.numbers import counted, number
from dessin.progress import say, warn
from dessin.serving.predict import contest_images
from dessin.serving.runtime import Predictions, Runtime

COLUMNS = ("ID", "image_path", "target")
_TEST_FOLDER = "test/"


@dataclass(frozen=True)
class SubmissionRow:
    """`identifier` as in sample_submission.csv (else the row number), `image_path` as in test.csv."""

    identifier: str
    image_path: str
    target: int


def submit(
    model: str | Path,
    contest: str | Path,
    *,
    out: str | Path,
    views: str | Sequence[str] = (),
) -> tuple[SubmissionRow, ...]:
    """Write a contest's submission, checked before it is written.

    Its columns are ID, image_path and target. A submission needs every row: a test image that cannot be read
    gets the class that is predicted most often, and that is said loudly.

    Args:
        model: A run, a bundle or a committee.
        contest: The contest folder.
        out: The submission (.csv) to write.
        views: Looks at an image, of which the mean counts, such as hflip,rotate_left,smaller; by default the
            committee's own, or the plain one.

    Raises:
        DessinError: not a contest, no test images, other classes than the model's, or no readable image.
    """
    collection = read_collection(contest)
    if not collection.test_ids:
        raise DessinError(
            f"{contest} has no test images ({collection.layout}).",
            allowed="A contest folder holds train.csv, test.csv, train/ and test/.",
            do="Name the contest's folder.",
        )
    runtime = Runtime.load(model, views=names(views))
    targets = targets_of(runtime.committee.classes, collection.classes)
    classes = counted(len(collection.classes), "class", "classes")
    say(f"{counted(len(collection.test_ids), 'test image')}, {classes}")
    predictions = runtime.predict_files(contest_images(collection))
    answers = answer_all(predictions, targets)
    paths = [image_id.removeprefix(_TEST_FOLDER) for image_id in collection.test_ids]
    identifiers = _identifiers(collection)
    rows = tuple(
        SubmissionRow(identifier, path, answers[image_id])
        for identifier, path, image_id in zip(identifiers, paths, collection.test_ids, strict=True)
    )
    check_submission(rows, paths, identifiers, len(collection.classes))
    write_csv(Path(out), COLUMNS, map(astuple, rows))
    say(f"{counted(len(rows), 'row')}, checked against the contest's lists; written to {out}")
    return rows


def targets_of(model_classes: Sequence[str], contest_classes: Sequence[str]) -> tuple[int, ...]:
    """For each column of the model the contest's target, its label's rank; both have the same classes."""
    missing = sorted(set(contest_classes) - set(model_classes))
    surplus = sorted(set(model_classes) - set(contest_classes))
    if missing or surplus:
        parts = [
            f"{number(len(labels))} only the {side} has ({listing(labels)})"
            for side, labels in (("contest", missing), ("model", surplus))
            if labels
        ]
        raise DessinError(
            f"The model and the contest do not have the same classes: {' and '.join(parts)}.",
            do="Use a model that was trained on this contest.",
        )
    ranks = {label: rank for rank, label in enumerate(sorted(contest_classes))}
    return tuple(ranks[label] for label in model_classes)


def answer_all(predictions: Predictions, targets: Sequence[int]) -> dict[str, int]:
    """A target for every image id, the unreadable ones included; refuses where not one could be read."""
    if not predictions.image_ids:
        raise DessinError(
            f"Not one of the {counted(len(predictions.unreadable), 'test image')} can be read.",
            do="Unpack the contest again.",
        )
    best = predictions.probabilities.argmax(axis=1)
    answers = {
        image_id: targets[int(column)] for image_id, column in zip(predictions.image_ids, best, strict=True)
    }
    if predictions.unreadable:
        counts = Counter(answers.values())
        common = min(counts, key=lambda target: (-counts[target], target))
        answers |= {refused.image_id: common for refused in predictions.unreadable}
        named = [f"{refused.image_id} ({refused.reason})" for refused in predictions.unreadable]
        warn(
            f"{counted(len(named), 'test image')} could not be read and got target {common}, the one "
            f"predicted most often: {listing(named)}"
        )
    return answers


def check_submission(
    rows: Sequence[SubmissionRow], paths: Sequence[str], identifiers: Sequence[str], classes: int
) -> None:
    """Raise `DessinError` unless the rows are the contest's, once each, in order, with possible targets."""
    if len(rows) != len(paths):
        raise DessinError(
            f"The submission has {counted(len(rows), 'row')} for {counted(len(paths), 'test image')}."
        )
    if len({row.identifier for row in rows}) != len(rows):
        raise DessinError("An ID is there twice.", do="Restore the contest's sample_submission.csv.")
    for row, path, identifier in zip(rows, paths, identifiers, strict=True):
        if (row.image_path, row.identifier) != (path, identifier):
            raise DessinError(
                f"Row {row.identifier} of the submission is {row.image_path}, "
                f"and the contest has {identifier}, {path} there."
            )
    wrong = [row for row in rows if not 0 <= row.target < classes]
    if wrong:
        raise DessinError(
            f"{counted(len(wrong), 'target is no class', 'targets are no classes')}, such as "
            f"{wrong[0].target} for {wrong[0].image_path}.",
            allowed=f"A target is 0 to {classes - 1}.",
        )


def _identifiers(collection: Collection) -> list[str]:
    sample = collection.root / "sample_submission.csv"
    if sample.is_file():
        return [row["ID"] for row in read_csv(sample, COLUMNS)[1]]
    return [str(number) for number in range(len(collection.test_ids))]
