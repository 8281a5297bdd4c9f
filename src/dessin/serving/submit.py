"""The verb `submit`: a contest's submission in its own form, checked before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from dessin.collection.readers.contest import Contest, find_contest, find_samples, read_contest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError, listing
from dessin.files import write_text
from dessin.language import tr
from dessin.ops import names
from dessin.page.notebook import ShownTuple
from dessin.page.numbers import counted
from dessin.progress import say, warn
from dessin.serving.form import Floats, check_submission, fill
from dessin.serving.sample import read_form
from dessin.serving.wanted import contest_labels, targets_of

if TYPE_CHECKING:
    from dessin.serving.runtime import Predictions


@dataclass(frozen=True)
class SubmissionRow:
    """A row: what the contest calls the image, its path in the test folder, and the number of its class."""

    identifier: str
    image_path: str
    target: int


def submit(
    model: Annotated[str | Path, "a path or hub:OWNER/NAME"],
    contest: str | Path,
    *,
    out: str | Path,
    views: str | Sequence[str] = (),
) -> ShownTuple[SubmissionRow]:
    """Write a contest's submission, checked before it is written.

    It has the columns and rows of the contest's sample submission, and class names, numbers or a probability
    for each class as that wants them; without a sample ID, image_path and target. A submission needs every
    row: a test image that cannot be read gets the class that is predicted most often, and that is said
    loudly.

    Args:
        model: A run, a bundle or a committee.
        contest: The contest folder.
        out: The submission (.csv) to write.
        views: Looks at an image, of which the mean counts, such as hflip,rotate_left,smaller; by default the
            committee's own, or the plain one.

    Raises:
        DessinError: not a contest, no test images, a sample whose meaning is not plain, other classes than
            the model's, or no readable image.
    """
    task = _contest(Path(contest))
    form = read_form(task)
    if form.source and Path(out).resolve() == form.source.resolve():
        raise DessinError(f"{out} is the contest's sample submission.", do="Choose another --out.")
    classes = counted(len(task.collection.classes), "class", "classes")
    say(tr("{images}, {classes}", images=counted(len(form.rows), "test image"), classes=classes))
    for note in task.collection.notes:
        say(note)
    say(form.line())
    # torch takes seconds to import: what is wrong with the sample is said before.
    from dessin.serving.predict import contest_images
    from dessin.serving.runtime import Runtime

    runtime = Runtime.load(model, views=names(views))
    labels = contest_labels(task, runtime.committee.classes)
    answers = answer_all(runtime.predict_files(contest_images(task.collection)), labels)
    text = fill(form, answers, labels)
    check_submission(text, form)
    write_text(Path(out), text)
    rows = counted(len(form.rows), "row")
    say(tr("{rows}, checked against the contest's lists; written to {file}", rows=rows, file=out))
    targets = targets_of(task)
    return ShownTuple(
        SubmissionRow(
            identifier, image_id.removeprefix(task.test_folder), targets[labels[answers[image_id].argmax()]]
        )
        for identifier, image_id in zip(form.identifiers, form.image_ids, strict=True)
    )


def _contest(path: Path) -> Contest:
    # Readers of other packages may have test images too.
    if find_contest(path):
        task = read_contest(path.absolute())
    else:
        collection = read_collection(path)
        task = Contest(collection, samples=find_samples(collection.root))
    if not task.collection.test_ids:
        raise DessinError(
            f"{path} has no test images ({task.collection.layout}).",
            allowed="A contest folder holds train.csv, train/, and test images in test/.",
            do="Name the contest's folder.",
        )
    return task


def answer_all(predictions: Predictions, labels: Sequence[str]) -> dict[str, Floats]:
    """The probabilities (C,) of the classes `labels` for every image id, the unreadable ones included.

    These get the mean of the images with the commonest answer. Refuses where not one could be read.
    """
    if not predictions.image_ids:
        raise DessinError(
            f"Not one of the {counted(len(predictions.unreadable), 'test image')} can be read.",
            do="Unpack the contest again.",
        )
    table = predictions.probabilities.astype(np.float64)
    table /= table.sum(axis=1, keepdims=True)
    answers = dict(zip(predictions.image_ids, table, strict=True))
    if predictions.unreadable:
        best = table.argmax(axis=1)
        counts = Counter(best.tolist())
        common = min(counts, key=lambda column: (-counts[column], labels[column]))
        mean = table[best == common].mean(axis=0)
        answers |= {refused.image_id: mean for refused in predictions.unreadable}
        named = [f"{refused.image_id} ({refused.reason})" for refused in predictions.unreadable]
        warn(
            tr(
                "{images} could not be read and got {label}, the class predicted most often: {names}",
                images=counted(len(named), "test image"),
                label=labels[common],
                names=listing(named),
            )
        )
    return answers
