"""The verb `evaluate`: measure a model, as it lies on disk, on its validation images or on the holdout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch

from dessin.answers.predictions import Predictions, read_predictions, write_predictions
from dessin.errors import DessinError
from dessin.folders import result_folder
from dessin.language import retold, tr, translated
from dessin.ops import names
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.numbers import times
from dessin.progress import say, warn
from dessin.runs.executors.choose import choose_mapper
from dessin.runs.fold_group import with_its_group
from dessin.runs.holdout import Opening, looks_below, settle
from dessin.runs.record import SetName, read_record, store_results
from dessin.runs.subject import Subject, read_subject
from dessin.statistics.headline import metric_lines
from dessin.statistics.metrics import Metrics
from dessin.training.views import PLAIN, check_views
from dessin.trust.evaluate.measure import as_tempered, largest_difference, measured, views_gain
from dessin.trust.evaluate.result import Evaluation, write_evaluation
from dessin.trust.evaluate.view import evaluation_page
from dessin.trust.robustness.asking import choose_seconds
from dessin.trust.robustness.verb import robustness as measure_robustness

# Sums in another order differ in the last digits of float32; a wrong model or wrong pixels by far more.
_TOLERANCE = 1e-3


def evaluate(
    run: Annotated[str | Path, "a path or hub:OWNER/NAME"],
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    split: str | Path | None = None,
    holdout: bool = False,
    views: str | Sequence[str] = (),
    robustness: bool = False,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> Evaluation:
    """Measure accuracy, top-5, macro-F1 and loss with intervals, each class, and what is confused.

    A committee is asked about each fold through those of its models that did not see it. Each opening of the
    holdout is counted in the run's record, or in the committee, before a number is computed, and its results
    are kept there.

    Args:
        run: A run or a committee, or a bundle (with its data and split).
        out: A new folder for a page and its tables; without it the results are kept in the run alone.
        data: The collection; by default the one that the model was trained on.
        split: The split file; by default the one beside the model.
        holdout: Open the locked holdout; this is counted.
        views: Further looks at an image, such as hflip,rotate_left,smaller: the mean over these and the plain
            one is measured, and what that gains.
        robustness: Also ask about the same drawings worn, moved, faded, blurred ..: the suite of
            corruptions, each in five strengths.
        executor: This machine, or all nodes of a Ray cluster for the suite of corruptions, with the same
            answers: each task is 64 drawings with one corruption. Nodes read the drawings at the same path.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Raises:
        DessinError: an unfinished run, a set without images, changed data, a split that the model was not
            trained on, an unknown view, a folder `out` that is in use, no such cluster, or (`robustness`) a
            fold of one class.
    """
    threads = torch.get_num_threads()
    mapper = choose_mapper(executor, address, "robustness", out or run, gpu=True, threads=threads)
    if mapper is not None and not robustness:
        raise DessinError(
            "What is asked of the plain drawings is little, and a cluster would do it no faster.",
            do="Add --robustness, or leave --executor out.",
        )
    seen = check_views(tuple(dict.fromkeys((*PLAIN, *names(views)))))
    asked = None if seen == PLAIN else seen
    subject = read_subject(Path(run), data, split)
    set_name: SetName = "holdout" if holdout else "validation"
    rows = subject.rows(set_name)
    folder = None if out is None else Path(out)
    if robustness:
        # Refuses a fold of one class before the holdout is opened.
        choose_seconds(rows)
    if holdout and subject.home is not None:
        settle(subject.home)
    asks = {
        "model": subject.loaded.committee.model_dump(mode="json", exclude={"holdout_opened"}),
        "data": subject.inputs.manifest.digest,
        "views": seen,
        "robustness": robustness,
    }
    with nullcontext() if folder is None else result_folder(folder, what="an evaluation") as part:
        opening = _open(subject, asks, folder) if holdout else Opening(0)
        predictions = subject.answers(rows, None if asked is None else PLAIN)
        metrics, gain = measured(predictions, rows, seed=subject.seed), None
        _keep(subject, set_name, predictions, metrics)
        if asked is not None:
            plain, predictions = predictions, subject.answers(rows, asked)
            metrics = measured(predictions, rows, seed=subject.seed)
            gain = views_gain(asked, plain, predictions, rows)
        found = Evaluation(set_name, metrics, opening.number, gain)
        if part is not None:
            write_evaluation(part, found, predictions)
        lines = tuple(_lines(found, subject.loaded.committee.provenance.get("nested_accuracy", "")))
        for line in lines:
            say(line)
        if robustness:
            kept = measure_robustness(
                subject, set_name, rows, predictions, views=asked, out=part, mapper=mapper
            )
            found = replace(found, robustness=kept)
        elif part is not None:
            write_page(part / PAGE_FILE, evaluation_page(subject, found))
    opening.delivered()
    if folder is not None:
        say(tr("the tables and answers are in {folder}", folder=folder))
    return found.with_words(tr("Evaluation"), *lines)


def _lines(found: Evaluation, nested: str) -> Iterator[str]:
    """The headline numbers; `nested` is the accuracy of a committee on images that its choice did not see."""
    set_name, metrics = found.set_name, found.metrics
    yield from metric_lines(translated(set_name), metrics.items(), len(metrics.per_class))
    if metrics.absent:
        names = ", ".join(metrics.absent[:6]) + (" …" if len(metrics.absent) > 6 else "")
        count = len(metrics.absent)
        yield tr(
            "{where}: nothing is said of classes without an image in it ({n}): {names}",
            where=translated(set_name),
            n=count,
            names=names,
        )
    if found.views is not None:
        views, gain = found.views, retold(found.views.gain.verdict_text)
        n, plain = len(views.views), views.plain
        yield tr("{n} views against the plain one ({plain}): {gain}", n=n, plain=plain, gain=gain)
    if nested and set_name == "validation":
        yield tr(
            "its members were chosen on these very images; on images that the choice did not see: {accuracy}",
            accuracy=nested,
        )


def _open(subject: Subject, asks: Mapping[str, object], out: Path | None) -> Opening:
    home = subject.home
    # Looks by the other folds of a group; those of this model are the opening's own number.
    looks = 0 if home is None else len(looks_below([with_its_group(home)]).opened)
    opening = subject.open_holdout(asks, out)
    if opening.number > 1:
        warn(
            tr(
                "This model's holdout is opened for the {n}. time. Each look that leads to a choice makes "
                "its "
                "number less trustworthy.",
                n=opening.number,
            )
        )
    elif looks:
        how_often = times(looks)
        warn(
            tr(
                "This model's holdout was opened {times} before, by other models of its folds.",
                times=how_often,
            )
        )
    else:
        say(tr("The holdout is opened for the first time; the record counts it."))
    return opening


def _keep(subject: Subject, set_name: SetName, predictions: Predictions, metrics: Metrics) -> None:
    """Put the results into the run or the committee; what is there from an earlier time stays.

    The validation answers of a committee are not its own: it keeps those of the holdout alone.
    """
    if subject.home is None:
        return
    folder = subject.home / set_name
    if (folder / "predictions.csv").is_file():
        kept = read_predictions(folder)
        before = as_tempered(kept, predictions)
        difference = largest_difference(before, predictions)
        if difference > _TOLERANCE:
            warn(
                tr(
                    "The bundle does not give the numbers that {folder} holds: a probability differs by "
                    "{most}. "
                    "Has the hardware, a library or the bundle changed? The run keeps its own.",
                    folder=folder,
                    most=f"{difference:.2g}",
                )
            )
        else:
            most = f"{difference:.1g}"
            if before is kept:
                say(
                    tr(
                        "The bundle gives the run's own probabilities again (largest difference {most}).",
                        most=most,
                    )
                )
            else:
                say(
                    tr(
                        "The bundle gives the run's own probabilities again, but for the temperature that "
                        "its "
                        "card has now (largest difference {most}).",
                        most=most,
                    )
                )
    elif subject.record is not None or set_name == "holdout":
        write_predictions(predictions, folder)
    if subject.record is not None and set_name not in read_record(subject.home).results:
        store_results(subject.home, set_name, metrics)
