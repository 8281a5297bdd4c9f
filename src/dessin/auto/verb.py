"""The verb `auto`: from a folder of drawings to the best classifier that a budget of time allows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch

from dessin.answers.committee import AUTO_BEST
from dessin.audit.result import AuditResult
from dessin.auto import begin as beginning
from dessin.auto.begin import FOLDS, begin, holdout_of
from dessin.auto.best import heal
from dessin.auto.budget import Part, parse_rate
from dessin.auto.finish import HOUR, best_record, calibrate_best, close, fill_card, write_report
from dessin.auto.portfolio import End, bought, next_step, side_by_side, table_of, wishes
from dessin.auto.prepare import audit_once, curate_once, page_once, split_once
from dessin.auto.situation import Situation, Step
from dessin.auto.state import Asked, Journey, Measured, StepDone
from dessin.auto.steps import SCOUT, Workshop, carry_out, train_elsewhere
from dessin.collection.curation import Curation, apply_curation, read_curation
from dessin.collection.manifest import Manifest, Row, build_manifest
from dessin.collection.readers.collection import Collection, describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import Split
from dessin.collection.split.plan import check_classes, check_numbers, check_possible
from dessin.errors import DessinError
from dessin.folders import going_on, is_finished
from dessin.language import retold, tr, tr_n
from dessin.models.backbones import asked_for, candidate, check_backbone
from dessin.page.html import PAGE_FILE, leading_back
from dessin.page.notebook import Shown
from dessin.progress import duration, parse_budget, say, say_once, warn
from dessin.reports.run.view import question
from dessin.runs.executors.choose import choose_executor
from dessin.runs.executors.job import Executor
from dessin.runs.holdout import settle
from dessin.runs.inputs import read_inputs
from dessin.runs.record import SPLIT_FILE, RunRecord, now
from dessin.runs.scout import ScoutRow, read_scout
from dessin.serving.submit import submit
from dessin.training.device import choose_device
from dessin.trust.evaluate.verb import evaluate


@dataclass(frozen=True, repr=False)
class AutoResult(Shown):
    """What `auto` made: every file is below `folder`; the model to use is `run`, a run or a committee.

    `record` is the run's; of a committee that of a member, with the committee's results. `steps` are those
    that were done, and `ended` says why there was no further one.
    """

    TABLE = "steps"

    folder: Path
    run: Path
    report: Path
    audit: AuditResult
    curation: Curation
    split: Split
    record: RunRecord
    seconds: float
    steps: tuple[StepDone, ...] = ()
    ended: str = ""


def auto(
    data: str | Path,
    *,
    out: str | Path,
    budget: str | float = "15m",
    group: str | None = None,
    models: str | Sequence[str] | None = None,
    seed: Annotated[int, "from 0"] = 0,
    predict_at_least: str | float | None = None,
    page: Literal["auto", "off"] | None = None,
    holdout: Annotated[float | None, "from 0 to below 1"] = None,
    curation: str | Path | None = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> AutoResult:
    """Go the whole path on your own drawings, to the best classifier that the time allows.

    It audits, curates, splits, ranks backbones, and then makes one model after the other, each step the one
    that should gain most in the time that is left. After the first of them there is always a best model in
    `OUT/best`, and `dessin predict OUT ..` uses it. The holdout is opened once, at the end, and the time
    that is left then fills the trust card in `OUT/trust`. Stopped, the same command goes on where it was. Of
    a contest OUT/submission.csv is written and checked. Where the audit would set more than a fifth of the
    images aside for one reason, it stops once and asks.

    Args:
        data: Class folders, a CSV, or a contest folder.
        out: A new folder for everything, or one that the same command began.
        budget: The time for everything, such as `90s`, `15m` or `2h`; a number is seconds.
        group: What belongs together, such as the drawings of one photo: a regular expression over image ids,
            or a column of the CSV.
        models: The backbones to choose from; by default those of the table of defaults that this machine,
            its weights or the hub, and this time allow (see dessin doctor).
        seed: Of the split and of the training; the same seed gives the same result.
        predict_at_least: Images a second that the model is to name on this machine, such as 20/s; no model
            that would be slower is made.
        page: Whether of a photograph of paper the sheet alone is looked at, which leaves all other drawings
            as they are; `auto` by default.
        holdout: The share of the drawings that is set aside, and asked for once at the end; 0 leaves all to
            learn from, such as where a test set is somewhere else. By default 0.2, or none where that would
            be too few to say anything.
        curation: A curation file of yours: what it says of a drawing stands. Of the others the audit sets
            aside what it is safe to.
        executor: Where networks are tuned: here, one fold after the other, or on a Ray cluster, as many folds
            side by side as it has room for, each with the bytes that it would have here. The plan takes that
            into account. All else is done here: audit, features, probes, votes, the holdout, the trust card.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Raises:
        DessinError: bad data, a budget that is too short, no weights for any backbone, no such cluster, or an
            `out` that holds something else.
    """
    started, seconds = time.monotonic(), parse_budget(budget) if isinstance(budget, str) else budget
    data, folder = Path(data), Path(out)
    elsewhere = choose_executor(executor, address)
    lanes = 1 if elsewhere is None else elsewhere.places(torch.get_num_threads())
    asked_models = asked_for(models) or ()
    for name in asked_models:
        check_backbone(candidate(name)[0])
    collection = read_collection(data, group=group)
    check_classes(collection)
    # At once, not after the audit.
    own = read_curation(Path(curation)) if curation is not None else Curation()
    labels = _labels_after(own, collection)
    apart = holdout_of(collection, holdout).value
    check_numbers(FOLDS, apart, seed)
    check_possible(labels, folds=FOLDS, holdout=apart, seed=seed)
    home = leading_back(folder / PAGE_FILE, question(data))
    with going_on(folder, keeps="What is done so far"), home:
        say_once(describe_collection(collection))
        asked = Asked(
            manifest=build_manifest(collection).digest,
            group=group,
            models=asked_models,
            seed=seed,
            budget_seconds=seconds,
            at_least=parse_rate(predict_at_least)
            if isinstance(predict_at_least, str)
            else predict_at_least or 0.0,
            page=page,
            holdout=holdout,
        )
        journey = Journey(folder, asked, partial(begin, collection, data, asked), started=started)
        if elsewhere is not None:
            say(
                tr_n(
                    "The Ray cluster tunes {n} fold at a time; all else is done here.",
                    "The Ray cluster tunes {n} folds at a time; all else is done here.",
                    lanes,
                )
            )
        return _go(journey, collection, data, folder, own, elsewhere, lanes)


def _labels_after(own: Curation, collection: Collection) -> dict[str, str]:
    """image_id → label as a person's curation leaves them, before a file is read; raises as it does."""
    rows = tuple(Row(item.image_id, item.label, item.group, 0, 0, "", "") for item in collection.items)
    unread = Manifest(collection.root, rows, collection.classes, collection.names)
    return {row.image_id: row.label for row in apply_curation(own, unread).rows}


def _go(
    journey: Journey,
    collection: Collection,
    data: Path,
    folder: Path,
    own: Curation,
    elsewhere: Executor | None,
    lanes: int,
) -> AutoResult:
    """Every stage that is not done yet."""
    audited = audit_once(journey, collection, data, folder / "audit")
    curation = curate_once(journey, audited, data, folder, own)
    split = split_once(audited, curation, collection, folder / SPLIT_FILE, journey.state.asked)
    chosen = page_once(journey, collection, audited)
    journey.note()
    heal(folder)
    inputs, seed = read_inputs(data, folder / SPLIT_FILE, None), journey.state.asked.seed
    shop = Workshop(folder, data, inputs, seed, len(collection.test_ids), chosen, elsewhere, lanes)
    if not journey.state.ended:
        _all_steps(journey, shop, _part(split))
    best, state = folder / AUTO_BEST, journey.state
    if journey.stage(tr("calibrate"), done=bool(state.trusted)):
        journey.note(trusted=calibrate_best(folder, data))
    settle(best)
    held = bool(split.held_out())
    if held and journey.stage(tr("evaluate on the holdout"), done=is_finished(folder / "holdout")):
        evaluate(best, out=folder / "holdout", holdout=True)
    journey.note()
    submission = folder / "submission.csv"
    if collection.test_ids and journey.stage(tr("submission"), done=submission.is_file()):
        submit(best, data, out=submission)
    journey.note()
    if not journey.state.finished:
        fill_card(folder, journey.left)
        journey.note()
    journey.stage(tr("report"), done=bool(journey.state.finished))
    # Written again where it is finished: what has come to lie beside it since is linked.
    path = folder / PAGE_FILE
    page = write_report(path, journey.state, audited, _scouted(folder))
    journey.note(finished=now())
    state, record = journey.state, best_record(folder, journey.state)
    close(record, folder, path, journey.state)
    made = AutoResult(
        *(folder, best, path, audited, curation, split, record, journey.used), state.done, state.ended
    )
    return made.with_page(page, folder)


def _all_steps(journey: Journey, shop: Workshop, part: Part) -> None:
    """One step after the other, or runs side by side, as long as one is worth its time."""
    table = table_of(choose_device().value)
    while True:
        begun = journey.state.under_way
        if begun:
            for done in begun:
                say("\n" + tr("== {step}, begun before", step=retold(done.step.words())))
            lived = [max(0.001, journey.used - done.since) for done in begun]
            begun = tuple(
                done.model_copy(update={"seconds": seconds})
                for done, seconds in zip(begun, lived, strict=True)
            )
        else:
            now = _situation(journey, shop, part)
            step = next_step(now, table)
            if isinstance(step, End):
                _say_end(journey, shop, part, step)
                return
            begun = tuple(StepDone(step=each, since=journey.used) for each in side_by_side(now, step, table))
            journey.note(steps=journey.state.with_steps(*begun))
            left = duration(max(0.0, journey.left))
            for each in (done.step for done in begun):
                about = tr("about {time} of the {left} left", time=duration(each.seconds), left=left)
                say(f"\n== {retold(each.words())}: {about} ({retold(each.reason)})")
        _carry_out(journey, shop, part, begun)


def _carry_out(journey: Journey, shop: Workshop, part: Part, begun: Sequence[StepDone]) -> None:
    """Do steps that were begun, and note what came of each."""
    steps = [done.step for done in begun]
    allowed = max(0.0, _situation(journey, shop, part, of=steps).available)
    lost = train_elsewhere(shop, steps, allowed)
    for done in begun:
        state, best = journey.state, journey.state.best
        costs = state.measured.costs(part)
        try:
            if done.step.name in lost:
                raise DessinError(lost[done.step.name])
            came = carry_out(shop, done, costs, state.done, allowed)
        except DessinError as error:
            if not state.best:
                raise
            update: dict[str, object] = {"verdict": f"it failed: {error.seen}", "failed": True}
        else:
            update = {"verdict": came.verdict, "accuracy": came.accuracy, "best": bool(came.best)}
            best, costs = came.best or best, came.costs
        ended = done.model_copy(update={**update, "seconds": round(journey.used - done.since, 3)})
        say(tr("-> {verdict} ({time})", verdict=retold(ended.verdict), time=duration(ended.seconds)))
        journey.note(steps=state.with_steps(ended), measured=Measured.of(costs), best=best)


def _situation(journey: Journey, shop: Workshop, part: Part, of: Sequence[Step] = ()) -> Situation:
    """What the plan looks at; `of` are steps under way, whose models will be asked at the end too."""
    state = journey.state
    made = [each.made for each in state.done]
    made += [StepDone(step=step, since=0.0).made for step in of]
    ranked = tuple(row.backbone for row in _scouted(shop.folder) if row.accuracy is not None)
    return Situation(
        costs=state.measured.costs(part),
        budget=state.asked.budget_seconds,
        left=journey.left,
        candidates=state.candidates,
        made=tuple(made),
        ranked=ranked,
        frozen=frozenset(state.frozen),
        further=shop.further,
        sides=beginning.SIDES,
        at_least=state.asked.at_least,
        lanes=shop.lanes,
    )


def _say_end(journey: Journey, shop: Workshop, part: Part, end: End) -> None:
    now = _situation(journey, shop, part)
    if now.rate(now.models) < now.at_least and len(now.made) == 1:
        warn(f"The first model names {now.rate(now.models):.1f} images a second, fewer than were asked for.")
    say(f"\nNo further step: {end.reason}.")
    further = wishes(now, HOUR, table_of(choose_device().value)) if end.more_helps else []
    journey.note(ended=end.reason, next_hour=tuple(bought(further)))


def _part(split: Split) -> Part:
    held = len(split.held_out())
    images = len(split.rows) - held
    return Part(max(1, len(split.validation(0))), split.folds, images, held, len(split.classes))


def _scouted(folder: Path) -> tuple[ScoutRow, ...]:
    """The candidates that were ranked, best first; none where there was no time for it."""
    return read_scout(folder / SCOUT) if is_finished(folder / SCOUT) else ()
