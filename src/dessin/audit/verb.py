"""The verb `audit`: look at every image of a collection, and with models' answers at its labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from dessin.audit.answers import LabelAnswers, read_label_answers
from dessin.audit.judgement import Judgement, judge_labels
from dessin.audit.measure import review_labels, summarise
from dessin.audit.result import AuditResult
from dessin.audit.view import audit_page, describe_audit, describe_faults, next_steps, undecided
from dessin.collection.checks.base import Context, LabelReview
from dessin.collection.curation import TooMany, too_many
from dessin.collection.duplicates import find_duplicates
from dessin.collection.issues import default_kinds, run_checks, write_issues
from dessin.collection.manifest import build_manifest, write_manifest
from dessin.collection.readers.collection import Collection, describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.groups import whose
from dessin.collection.scan import scan_images
from dessin.files import write_csv, write_json
from dessin.folders import result_folder
from dessin.language import tr
from dessin.ops import as_paths
from dessin.page.blocks import Page, Step
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.numbers import number
from dessin.parallel.mapper import Mapper
from dessin.progress import say, say_once, warn
from dessin.runs.executors.choose import choose_mapper

LABELS_FILE: Final = "labels.csv"
COLUMNS = ("image_id", "label", "quality", "suspect", "probability", "suggested", "its_probability", "fold")


def audit(
    data: str | Path,
    *,
    out: str | Path,
    group: str | None = None,
    predictions: str | Path | Sequence[str | Path] = (),
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> AuditResult:
    """Look at every image for damage, copies and odd ones out; with `predictions` at the labels too.

    `out` gets index.html, issues.csv, summary.json and manifest.csv, and with predictions labels.csv: all
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
    data, out = Path(data), Path(out)
    mapper = choose_mapper(executor, address, "audit", out)
    collection = read_collection(data, group=group)
    with result_folder(out, what="an audit") as part:
        say_once(describe_collection(collection))
        labels = None
        if predictions:
            answers = read_label_answers(as_paths(predictions), data)
            judgement = judge_labels(
                answers.probabilities, answers.given, [row.group for row in answers.rows]
            )
            labels = review_labels(answers, judgement)
            _write_labels(answers, judgement, part / LABELS_FILE)
        context, result = look_at(collection, labels, mapper)
        doubts = too_many(result.issues, result.manifest, default_kinds())
        hands = whose(collection)
        steps = next_steps(data, out, group, result.summary, doubts, hands)
        page = write_audit(part, context, result, steps, doubts)
    say(describe_audit(result.summary))
    for doubt in doubts:
        warn(
            tr(
                "{doubt} Look at them: {place}",
                doubt=doubt.line(undecided()),
                place=f"{out / PAGE_FILE}#too_many",
            )
        )
    for fault in describe_faults(result.issues):
        warn(fault)
    if hands:
        warn(hands.line)
    say(tr("report: {file}", file=out / PAGE_FILE))
    if predictions:
        n, file = number(len(answers.rows)), out / LABELS_FILE
        say(tr("all {n} labels that were judged, the worst first: {file}", n=n, file=file))
    return result.with_page(page, out)


def look_at(
    collection: Collection, labels: LabelReview | None = None, mapper: Mapper | None = None
) -> tuple[Context, AuditResult]:
    """What an audit finds, with what its checks looked at; `labels` is what models say about the labels.

    Images that were measured before are not read again but for their digest.

    Raises:
        DessinError: an image cannot be found, or changes meanwhile.
    """
    manifest = build_manifest(collection)
    scan = scan_images(manifest, mapper)
    pairs = find_duplicates(manifest, scan)
    context = Context(manifest, scan, pairs, labels)
    issues = run_checks(context)
    summary = summarise(collection, manifest, scan, pairs, issues, labels.numbers if labels else None)
    return context, AuditResult(manifest, scan, pairs, issues, summary)


def write_audit(
    folder: Path,
    context: Context,
    result: AuditResult,
    steps: Sequence[Step],
    doubts: Sequence[TooMany] = (),
) -> Page:
    """Write the report with its next `steps`, which is returned, and its tables."""
    write_manifest(result.manifest, folder / "manifest.csv")
    write_issues(result.issues, folder / "issues.csv")
    write_json(folder / "summary.json", result.summary.model_dump(mode="json"))
    page = audit_page(context, result.issues, result.summary, steps, doubts)
    write_page(folder / PAGE_FILE, page)
    return page


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
