"""The verb `predict`: names and probabilities for files, folders, lists, or a contest's test list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from dessin.collection.readers import walk
from dessin.collection.readers.collection import Collection
from dessin.collection.readers.columns import path_column, with_header
from dessin.collection.readers.contest import find_contest
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.finder import Finder
from dessin.collection.readers.labels import check_folders, find_all, refuse_repeated
from dessin.collection.readers.table import SUFFIXES, read_table
from dessin.errors import DessinError, listing
from dessin.files import write_csv
from dessin.images.containers.base import FORMATS
from dessin.images.paths import image_path
from dessin.language import tr
from dessin.ops import as_paths, names
from dessin.page.blocks import Page
from dessin.page.numbers import counted, number
from dessin.progress import say, warn
from dessin.serving.runtime import Answer, Answered, ImageFile, Predictions, Runtime, read_answers
from dessin.serving.view import answers_page


def find_images(paths: Sequence[Path]) -> tuple[ImageFile, ...]:
    """Every image that the paths name, once each, in the order given (folders in sorted order).

    A folder is searched through and through, with the rules of the collection readers; a contest folder
    stands for its test images, and a table for the images that it lists. A single
    file is taken whatever its name. Image ids are relative to the folder that all the paths share.

    Raises:
        DessinError: a path that does not exist, a CSV without images, or nothing found at all.
    """
    if not paths:
        raise DessinError("No image was named.", allowed="Name files, folders, a CSV or a contest folder.")
    return tuple(ImageFile(*pair) for pair in walk.find_images(paths, _images_of).items())


def contest_images(contest: Collection) -> tuple[ImageFile, ...]:
    """The test images of a contest, in its order; image ids are below its root (`test/...`)."""
    return tuple(ImageFile(image_id, contest.path(image_id)) for image_id in contest.test_ids)


def _images_of(path: Path) -> list[tuple[Path, Path]]:
    """(the path as it is named, the file itself) of each image; the two differ in spelling or by a link."""
    table = path.is_file() and path.suffix.lower() in SUFFIXES
    contest = _contest(path) if table or path.is_dir() else None
    if contest:
        say(
            tr(
                "{folder}: a contest, {images}",
                folder=path,
                images=counted(len(contest.test_ids), "test image"),
            )
        )
        return [(contest.root / file.image_id, file.path) for file in contest_images(contest)]
    return _listed(path) if table else walk.images_of(path)


def _contest(path: Path) -> Collection | None:
    """The contest that a folder is, or whose table of test images or sample submission a file is."""
    folder = path if path.is_dir() else path.parent
    parts = find_contest(folder)
    if parts and (path == folder or path in (parts.test, *parts.samples)):
        return read_collection(folder)
    return None


def _listed(csv: Path) -> list[tuple[Path, Path]]:
    """The images of a table, whose paths are relative to its folder."""
    finder = Finder(csv.parent)
    table = with_header(read_table(csv), finder)
    column = path_column(table, finder)
    if not column:
        raise DessinError(
            f"No column of {csv} names an image; its columns are {listing(table.columns)}.",
            allowed="A list has a column image_path (or path, file, id), relative to the list's folder.",
            do="Rename the column, or name the images themselves.",
        )
    image_ids = find_all(csv, finder, [row[table.columns.index(column)] for row in table.rows])[0]
    refuse_repeated(csv, image_ids)
    check_folders(csv.parent, image_ids)
    return [(csv.parent / image_id, image_path(csv.parent, image_id)) for image_id in image_ids]


COLUMNS = ("image_id", "predicted", "name", "probability")


def predict(
    model: Annotated[str | Path, "a path or hub:OWNER/NAME"],
    paths: str | Path | Sequence[str | Path],
    *,
    out: str | Path,
    top: Annotated[int, "from 1"] = 5,
    views: str | Sequence[str] = (),
) -> Predictions:
    """Name the class of images, with probabilities, and say where the model is unsure.

    The table has image_id, predicted, name, probability, top2.. with theirs, and reason. An unreadable image
    keeps its row, with its reason and no prediction; so does one whose probability is below the model's
    threshold, or that the model takes for a drawing of no class (`top2` on still name what it might be).

    Args:
        model: A run, a bundle or a committee.
        paths: Files, folders or a contest's test list.
        out: The table (.csv) to write.
        top: How many classes to name for each image.
        views: Looks at an image, of which the mean counts, such as hflip,rotate_left,smaller; by default the
            committee's own, or the plain one.

    Raises:
        DessinError: no model, no images, or not one image that can be read.
    """
    runtime = Runtime.load(model, views=names(views))
    files = find_images(as_paths(paths))
    predictions = runtime.predict_files(files)
    if not predictions.image_ids:
        first = predictions.unreadable[0]
        raise DessinError(
            f"Not one of {counted(len(files), 'image')} can be read; the first is {first.image_id}: "
            f"{first.reason}.",
            allowed=f"Images are {FORMATS}.",
        )
    top = min(top, len(runtime.committee.classes))
    answers = read_answers(runtime.committee, Answered(predictions.probabilities, predictions.scores), top)
    columns = [*COLUMNS, *(name for k in range(2, top + 1) for name in (f"top{k}", f"top{k}_probability"))]
    write_csv(Path(out), [*columns, "reason"], table(files, predictions, answers, top))
    _say(predictions, answers, Path(out))
    return predictions.with_page(lambda: _page(files, predictions, answers))


def _page(files: Sequence[ImageFile], predictions: Predictions, answers: Sequence[Answer]) -> Page:
    place = {file.image_id: file for file in files}
    seen = zip(predictions.image_ids, answers, strict=True)
    return answers_page([(place[image_id], answer) for image_id, answer in seen], len(predictions.unreadable))


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
    """predicted, name, probability, further classes with theirs, and why the model abstains."""
    best = answer.best
    named = ["", ""] if answer.abstention else [best.label, best.name]
    others = [text for one in answer.candidates[1:] for text in (one.label, f"{one.probability:.6f}")]
    reason = f"{answer.reason}: {best.label}" if answer.abstention else ""
    return [*named, f"{best.probability:.6f}", *others, reason]


def _say(predictions: Predictions, answers: Sequence[Answer], out: Path) -> None:
    counts = Counter(answer.best.name for answer in answers if not answer.abstention)
    common = [f"{name} {number(count)}" for name, count in counts.most_common(5)] or [tr("no answer")]
    more = " .." if len(counts) > 5 else ""
    say(
        tr(
            "{images}: {classes}; written to {file}",
            images=counted(len(answers), "image"),
            classes=f"{', '.join(common)}{more}",
            file=out,
        )
    )
    abstained = Counter(answer.abstention for answer in answers if answer.abstention)
    if abstained:
        said = [
            tr("{n} unsure", n=number(count))
            if why == "unsure"
            else tr("{n} taken for a drawing of no class", n=number(count))
            for why, count in sorted(abstained.items(), reverse=True)
        ]
        say(tr("not answered: {counts}", counts=", ".join(said)))
    if predictions.unreadable:
        named = [f"{refused.image_id} ({refused.reason})" for refused in predictions.unreadable]
        what = counted(len(named), "image could not be read and has", "images could not be read and have")
        warn(tr("{images} no prediction: {names}", images=what, names=listing(named)))
