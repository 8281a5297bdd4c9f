"""How an auto ends: the best model is calibrated, its holdout opened once, and the report written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dessin.answers.committee import AUTO_BEST, COMMITTEE_FILE, find_model, read_committee, set_confidence
from dessin.answers.predictions import read_predictions
from dessin.audit.result import AuditResult
from dessin.auto.best import VALIDATION
from dessin.auto.state import ASKED_ABOUT, AutoState
from dessin.auto.steps import MODELS
from dessin.collection.issues import CHECKS
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.files import write_text
from dessin.progress import duration, say
from dessin.reports.run.view import Tried, run_page
from dessin.runs.record import SPLIT_FILE, RunRecord, SetName, SetResults, read_record
from dessin.runs.scout import ScoutRow
from dessin.runs.subject import read_subject
from dessin.statistics.metrics import measure
from dessin.trust.confidence.evidence import gather_evidence
from dessin.trust.confidence.measure import measure_calibration, temper
from dessin.trust.confidence.view import calibration_words


def calibrate_best(folder: Path, data: Path) -> tuple[str, ...]:
    """Fit the temperature of the best model to its answers to drawings that it was not trained on.

    No threshold is set: a model that withholds answers is for whoever asks for one (`dessin calibrate`).

    Returns:
        What that does to its confidences, in sentences.
    """
    best = folder / AUTO_BEST
    subject = read_subject(best, data, best / SPLIT_FILE)
    kept = replace(subject, kept=read_predictions(best / VALIDATION))
    try:
        evidence = gather_evidence(kept)
    except DessinError as error:
        said: tuple[str, ...] = (f"Its confidences were not calibrated: {error.seen}",)
    else:
        corrected = temper(evidence)
        set_confidence(find_model(best), temperature=corrected.temperature, threshold=0.0, rejection=None)
        said = tuple(calibration_words(measure_calibration(evidence, corrected)))
    for line in said:
        say(line)
    return said


def best_record(folder: Path, state: AutoState) -> RunRecord:
    """The record of the best model; that of a vote is its best known member's with the vote's own results."""
    best = folder / AUTO_BEST
    if (best / RunRecord.FILE).is_file():
        return read_record(best)
    committee, split = read_committee(best), read_split(best / SPLIT_FILE)
    runs = [folder / MODELS / each.step.name for each in state.done if each.step.kind in ("tune", "probe")]
    record, group_of = read_record(runs[-1]), {row.image_id: row.group for row in split.rows}
    results: dict[SetName, SetResults] = {}
    names: tuple[SetName, ...] = ("validation", "holdout")
    for name in names:
        if (best / name / "predictions.csv").is_file():
            kept = read_predictions(best / name)
            groups = [group_of[image_id] for image_id in kept.image_ids]
            metrics = measure(kept.probabilities, kept.targets, groups, kept.classes, seed=record.seed)
            results[name] = SetResults(**metrics.results)
    return record.changed(name="vote", results=results, holdout_opened=committee.holdout_opened, decisions=())


def write_report(folder: Path, state: AutoState, audited: AuditResult, scouted: tuple[ScoutRow, ...]) -> Path:
    """The page about the best model, and every step that led to it."""
    best, path = folder / AUTO_BEST, folder / "report.html"
    issues = {kind: count for kind, count in audited.summary.issues.items() if count}
    used = next(each.step for each in state.done if each.step.name == state.best)
    names, lead = {}, used.words()
    if (best / COMMITTEE_FILE).is_file():
        committee = read_committee(best)
        names, models = committee.names, len(committee.bundles)
        lead = f"a vote of {models} models"
    steps = tuple(
        Tried(
            what=each.step.words(),
            seconds=each.seconds,
            expected=each.step.seconds,
            accuracy=each.accuracy,
            verdict=each.verdict,
            best=each.step.name == state.best,
        )
        for each in state.done
    )
    apart = (
        f"No drawings were set aside: {each.reason}." for each in state.decisions if each.name == "holdout"
    )
    asked = (
        f"{CHECKS[each.value].title}: {each.reason}." for each in state.decisions if each.name == ASKED_ABOUT
    )
    looked = (f"Page: {state.page.value}, for {state.page.reason}.",) if state.page else ()
    further = (
        *asked,
        *apart,
        *looked,
        f"Why no further step was begun: {state.ended}.",
        *state.trusted,
        *state.next_hour,
    )
    page = run_page(
        best,
        issues,
        scouted,
        record=best_record(folder, state),
        names=names,
        lead=lead,
        steps=steps,
        said=further,
        budget=duration(state.asked.budget_seconds),
        photographs=state.photographs,
    )
    write_text(path, page)
    return path
