"""How an auto ends: the best model is calibrated, its holdout opened once, and the report written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from dessin.answers.committee import AUTO_BEST, COMMITTEE_FILE, find_model, read_committee, set_confidence
from dessin.answers.predictions import read_predictions
from dessin.audit.result import AuditResult
from dessin.auto.best import VALIDATION
from dessin.auto.state import ASKED_ABOUT, AutoState, StepDone
from dessin.auto.steps import MODELS, SCOUT
from dessin.collection.issues import CHECKS
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.language import retold, tr, translated
from dessin.page.blocks import Page
from dessin.page.blocks import Step as BlockStep
from dessin.page.html import pages_below, write_page
from dessin.page.words import Link, Words
from dessin.progress import duration, say, warn
from dessin.reports.run.made import Around, Tried
from dessin.reports.run.view import TRUST, run_page
from dessin.runs.record import FILE, SPLIT_FILE, RunRecord, SetName, SetResults, read_record
from dessin.runs.scout import ScoutRow
from dessin.runs.subject import read_subject
from dessin.statistics.metrics import measure
from dessin.trust.confidence.evidence import gather_evidence
from dessin.trust.confidence.measure import measure_calibration, temper
from dessin.trust.confidence.view import calibration_words
from dessin.trust.whole.verb import trust

HOUR = 3600.0
# Seconds below which no part of the trust card is begun, and those that are kept for the report.
LEAST_FOR_CARD, _FOR_REPORT = 30.0, 5.0


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


def fill_card(folder: Path, left: float) -> None:
    """Measure what the best model may be trusted with, as far as `left` seconds allow."""
    if left < LEAST_FOR_CARD:
        return
    say("\n" + tr("== trust card"))
    try:
        trust(folder, out=folder / TRUST, budget=left - _FOR_REPORT)
    except DessinError as error:
        # The model stands without it.
        warn(error.seen)


def best_record(folder: Path, state: AutoState) -> RunRecord:
    """The record of the best model. That of a vote tells of the auto itself: its own results, the time of all
    steps, every drawing that was not set aside.
    """
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
    learnt, seconds = split.training(None), dict[str, float]()
    for each in state.done:
        seconds[each.step.kind] = round(seconds.get(each.step.kind, 0.0) + each.seconds, 3)
    every = record.recipe.data.model_copy(update={"fold": "none"})
    return record.changed(
        name="vote",
        results=results,
        holdout_opened=committee.holdout_opened,
        recipe=record.recipe.model_copy(update={"data": every}),
        counts=record.counts.model_copy(update={"train": len(learnt), "validation": len(learnt)}),
        started=tuple(sorted(read_record(run).started[0] for run in runs))[:1],
        timings=seconds,
        throughput={},
        decisions=(),
        attempts=(),
    )


def write_report(path: Path, state: AutoState, audited: AuditResult, scouted: tuple[ScoutRow, ...]) -> Page:
    """The home of everything that was made: the page about the best model, and every step that led to it."""
    folder = path.parent
    best = folder / AUTO_BEST
    used = next(each.step for each in state.done if each.step.name == state.best)
    names, made, again = {}, retold(used.words()), ""
    if (best / COMMITTEE_FILE).is_file():
        committee = read_committee(best)
        names = committee.names
        made = tr("A vote of {n} models", n=len(committee.bundles))
        again = _command(state, _beside(folder, "again"), state.asked.budget_seconds)
    around = Around(
        given=folder,
        issues=audited.summary.images_of,
        scout=scouted,
        names=names,
        made=made,
        tried=tuple(_tried(each, used=each.step.name == state.best) for each in state.done),
        budget=duration(state.asked.budget_seconds),
        said=tuple(_said(state)),
        trusted=state.trusted,
        photographs=state.photographs,
        pages=pages_below(folder, path),
        files=tuple(_files(folder)),
        steps=tuple(_an_hour_more(folder, state)),
        again=again,
    )
    page = run_page(best, around, record=best_record(folder, state))
    write_page(path, page)
    return page


def _tried(done: StepDone, *, used: bool) -> Tried:
    return Tried(done.step.words(), done.seconds, done.step.seconds, done.accuracy, done.verdict, used)


def _said(state: AutoState) -> Iterator[str]:
    """What to know of the steps."""
    for each in state.decisions:
        if each.name == ASKED_ABOUT:
            yield f"{translated(CHECKS[each.value].title)}: {retold(each.reason)}."
        elif each.name == "holdout":
            yield tr("No drawings were set aside: {reason}.", reason=retold(each.reason))
    if state.page:
        yield tr("Page: {page}, for {reason}.", page=state.page.value, reason=retold(state.page.reason))
    yield tr("Why no further step was begun: {reason}.", reason=retold(state.ended))


def _an_hour_more(folder: Path, state: AutoState) -> Iterator[BlockStep]:
    """What more time would buy, as a new auto beside this one."""
    longer = _command(state, _beside(folder, "longer"), state.asked.budget_seconds + HOUR)
    for line in state.next_hour:
        yield BlockStep(retold(line), longer)


def _beside(folder: Path, what: str) -> str:
    return folder.with_name(f"{folder.resolve().name}-{what}").as_posix()


def _command(state: AutoState, out: str, seconds: float) -> str:
    """The command of an auto like this one."""
    asked = state.asked
    budget = f"{round(seconds / 60)}m" if seconds >= HOUR else f"{seconds:g}s"
    options = {"--group": asked.group, "--models": ",".join(asked.models), "--page": asked.page}
    given = [text for name, value in options.items() if value for text in (name, value)]
    given += ["--holdout", f"{asked.holdout:g}"] if asked.holdout is not None else []
    given += ["--seed", str(asked.seed)] if asked.seed else []
    given += ["--predict-at-least", f"{asked.at_least:g}/s"] if asked.at_least else []
    return shlex.join(["dessin", "auto", state.data, "--out", out, "--budget", budget, *given])


def _files(folder: Path) -> Iterator[tuple[Link, Words]]:
    """What lies in the folder beside its pages, as far as it is there."""
    kept = {
        "audit/issues.csv": tr("every issue that the audit found"),
        "curation.csv": tr("what was set aside before training, and why; it can be changed"),
        "split.csv": tr("which drawing was learnt from, and which was asked about"),
        f"{SCOUT}/scout.csv": tr("the networks that were compared"),
        f"{AUTO_BEST}/validation/predictions.csv": tr(
            "every answer to a drawing that the model had not learnt from"
        ),
        "holdout/predictions.csv": tr("every answer to the drawings set aside"),
        "submission.csv": tr("the answers for the contest"),
        f"{AUTO_BEST}/{FILE}": tr("what the model was made of, decided and measured"),
        f"{AUTO_BEST}/{COMMITTEE_FILE}": tr("the models that vote, and how"),
        AutoState.FILE: tr("what was asked for, and every step"),
    }
    kept |= {
        path.relative_to(folder).as_posix(): tr("a model that was made on the way")
        for path in sorted((folder / MODELS).glob(f"**/{FILE}"))
    }
    for place, what in kept.items():
        if (folder / place).is_file():
            yield Link(place, quote(place)), what


def close(record: RunRecord, folder: Path, path: Path, state: AutoState) -> None:
    """Say what came out, and what to do with it; `path` is the report's."""
    spent, budget = duration(state.seconds), duration(state.asked.budget_seconds)
    say("\n" + tr("Done in {time} of {budget}.", time=spent, budget=budget))
    for name, results in record.results.items():
        say("  " + tr("{where}: accuracy {accuracy}", where=translated(name), accuracy=results.accuracy))
    for line in state.next_hour:
        say(f"  {line}")
    given = shlex.quote(str(folder))
    for line in (
        tr("report: {file}", file=path),
        tr("use it: dessin predict {model} PATH.. --out predictions.csv", model=given),
        tr("what it gets wrong, and why: dessin mistakes {model} --out mistakes", model=given),
        tr("what to trust it with: dessin trust {model} --out {model}/trust", model=given),
    ):
        say(f"  {line}")
