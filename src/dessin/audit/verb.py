"""The verb `audit` with models: what their out-of-fold answers say about the labels joins the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from dessin.audit.answers import LabelAnswers, read_label_answers
from dessin.audit.judgement import Judgement, judge_labels
from dessin.audit.measure import AuditResult
from dessin.audit.measure import audit as look_at_every_image
from dessin.collection.label_review import LabelNumbers, LabelReview, SuspectLabel
from dessin.files import claim_folder, write_csv
from dessin.progress import say
from dessin.statistics.intervals import bootstrap_mean

LABELS_FILE = "labels.csv"
COLUMNS = ("image_id", "label", "quality", "suspect", "probability", "suggested", "its_probability", "fold")


def audit(
    data: str | Path,
    *,
    out: str | Path,
    group: str | None = None,
    predictions: Sequence[str | Path] = (),
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> AuditResult:
    """Look at every image for damage, copies and odd ones out; with `predictions` at the labels too.

    `out` gets report.html, issues.csv, summary.json and manifest.csv, and with predictions labels.csv: all
    labels that were judged, the worst first.

    Args:
        data: Class folders, a CSV, or a contest folder.
        out: A new folder for the report and its tables.
        group: What belongs together, such as the drawings of one photo: a regular expression over image ids,
            or a column of the CSV; it is kept in the manifest.
        predictions: Runs, groups of folds and committees, whose answers to images that they were not trained
            on show labels that may be wrong.
        executor: This machine, or all nodes of a Ray cluster to decode and measure the images.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Raises:
        DessinError: the collection cannot be read, `out` already holds something, no such cluster, or
            predictions that are not of this collection or not out of fold.
    """
    out = Path(out)
    if not predictions:
        return look_at_every_image(data, out=out, group=group, executor=executor, address=address)
    if out.exists():
        # One in use is refused before models answer, which can take minutes.
        claim_folder(out, what="an audit")
    answers = read_label_answers([Path(folder) for folder in predictions], Path(data))
    judgement = judge_labels(answers.probabilities, answers.given, [row.group for row in answers.rows])
    result = look_at_every_image(
        data,
        out=out,
        group=group,
        executor=executor,
        address=address,
        labels=review_labels(answers, judgement),
    )
    _write_labels(answers, judgement, out / LABELS_FILE)
    say(f"all {len(answers.rows):,} labels that were judged, the worst first: {out / LABELS_FILE}")
    return result


def review_labels(answers: LabelAnswers, judgement: Judgement) -> LabelReview:
    """What the audit shows of a judgement."""
    typical = _typical_drawings(answers, judgement)
    count = int(judgement.suspects.sum())
    suspects = [_suspect(answers, judgement, row, typical) for row in judgement.ranking[:count]]
    right = answers.probabilities.argmax(axis=1) == answers.given
    accuracy, noise = bootstrap_mean(right, [row.group for row in answers.rows]), judgement.noise
    numbers = LabelNumbers(
        judged=len(answers.rows),
        models=answers.models,
        accuracy=round(accuracy.value, 4),
        accuracy_low=round(accuracy.low, 4),
        accuracy_high=round(accuracy.high, 4),
        suspects=count,
        noise=round(noise.value, 4),
        noise_low=round(noise.low, 4),
        noise_high=round(noise.high, 4),
        notes=_notes(answers),
    )
    return LabelReview(tuple(suspects), numbers)


def _notes(answers: LabelAnswers) -> tuple[str, ...]:
    if answers.fewest == answers.most:
        return ()
    return (f"An image has {answers.fewest} to {answers.most} answers; their mean counts.",)


def _typical_drawings(answers: LabelAnswers, judgement: Judgement) -> dict[int, str]:
    """Class number → the drawing of the class, among those beyond suspicion, that shows it best.

    It is surely of the class and looks like other classes as drawings of it do (Bhattacharyya's coefficient
    with the class's mean): in a class that models hardly know the surest alone can be a wrong label.
    """
    given, every = answers.given, np.arange(len(answers.rows))
    trusted = np.flatnonzero(~judgement.suspects)
    roots = np.sqrt(answers.probabilities)
    usual = np.zeros((len(answers.classes), len(answers.classes)))
    np.add.at(usual, given[trusted], roots[trusted])
    # Drawings are compared within a class, so the class's number of drawings does not matter.
    score = answers.probabilities[every, given] * (roots * usual[given]).sum(axis=1)
    typical: dict[int, str] = {}
    for row in trusted[np.argsort(-score[trusted], kind="stable")]:
        typical.setdefault(int(given[row]), answers.rows[row].image_id)
    return typical


def _suspect(answers: LabelAnswers, judgement: Judgement, row: int, typical: dict[int, str]) -> SuspectLabel:
    given, suggested = int(answers.given[row]), int(judgement.suggested[row])
    return SuspectLabel(
        image_id=answers.rows[row].image_id,
        given=answers.classes[given],
        suggested=answers.classes[suggested],
        probability=float(answers.probabilities[row, suggested]),
        score=float(1.0 - judgement.quality[row]),
        like=typical.get(suggested, ""),
        unlike=typical.get(given, ""),
    )


def _write_labels(answers: LabelAnswers, judgement: Judgement, path: Path) -> None:
    given, suggested = answers.given, judgement.suggested
    write_csv(
        path,
        COLUMNS,
        (
            (
                answers.rows[row].image_id,
                answers.classes[given[row]],
                f"{judgement.quality[row]:.6f}",
                "yes" if judgement.suspects[row] else "no",
                f"{answers.probabilities[row, given[row]]:.6f}",
                answers.classes[suggested[row]],
                f"{answers.probabilities[row, suggested[row]]:.6f}",
                answers.rows[row].fold,
            )
            for row in judgement.ranking
        ),
    )
