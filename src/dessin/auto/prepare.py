"""An auto before its first model: the audit, what is set aside, the split, whether the page is looked for.

Each is done once; where the same command goes on, it is read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.audit.result import AuditResult
from dessin.audit.verb import audit, look_at
from dessin.auto.begin import FOLDS, holdout_of
from dessin.auto.measure import measure_decoding
from dessin.auto.page import choose_page, photographs_of, some_of
from dessin.auto.state import ASKED_ABOUT, Asked, Journey
from dessin.collection.curation import (
    Curation,
    TooMany,
    curate_command,
    describe_curation,
    overruled,
    propose_safely,
    read_curation,
    write_curation,
)
from dessin.collection.issues import default_kinds
from dessin.collection.readers.collection import Collection
from dessin.collection.split.files import Split, read_split, write_split
from dessin.collection.split.plan import describe_split, plan_split
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.folders import is_finished
from dessin.images.spec import Page
from dessin.language import tr
from dessin.page.html import PAGE_FILE
from dessin.progress import say, warn

CURATION_FILE = "curation.csv"


def audit_once(journey: Journey, collection: Collection, data: Path, out: Path) -> AuditResult:
    """The audit; one that is there already is not written again."""
    if journey.stage(tr("audit"), done=is_finished(out)):
        return audit(data, out=out, group=journey.state.asked.group)
    return look_at(collection)[1]


def curate_once(journey: Journey, audited: AuditResult, data: Path, folder: Path, own: Curation) -> Curation:
    """Only safe drops are proposed, and each is in the file with its reason; what `own` says stands.

    Raises:
        DessinError: once, where a kind of issue would set too many aside; a person decides.
    """
    file = folder / CURATION_FILE
    if file.is_file():
        return read_curation(file)
    curation, doubts = propose_safely(audited.issues, audited.manifest)
    asked = {decision.value for decision in journey.state.decisions if decision.name == ASKED_ABOUT}
    if {doubt.kind for doubt in doubts} - asked:
        journey.note(decisions=(*journey.state.decisions, *map(_asked_about, doubts)))
        raise _undecided(doubts, data, folder)
    for doubt in doubts:
        warn(doubt.line("and nobody set them aside, so all are used"))
    curation = overruled(curation, own)
    write_curation(curation, file)
    say(describe_curation(curation, audited.manifest))
    return curation


def _asked_about(doubt: TooMany) -> Decision[str]:
    reason = f"{doubt.count:,} of {doubt.images:,} images: what a person decided is in {CURATION_FILE}"
    return Decision(ASKED_ABOUT, doubt.kind, reason)


def _undecided(doubts: Sequence[TooMany], data: Path, folder: Path) -> DessinError:
    command = curate_command(data, folder / "audit" / "issues.csv", default_kinds(), folder / CURATION_FILE)
    return DessinError(
        " ".join(doubt.line("which is seldom so, so nothing was set aside") for doubt in doubts),
        allowed=f"Look at them: {folder / 'audit' / PAGE_FILE}#too_many.",
        do="If they are what they are called, set them aside with: "
        f"{command} . Then, or at once to use them all, give the same command again: it goes on.",
    )


def split_once(
    audited: AuditResult, curation: Curation, collection: Collection, file: Path, asked: Asked
) -> Split:
    if file.is_file():
        return read_split(file)
    apart = holdout_of(collection, asked.holdout)
    if not apart.value:
        say(f"No holdout: {apart.reason}.")
    split = plan_split(
        audited.manifest,
        audited.scan,
        audited.pairs,
        folds=FOLDS,
        holdout=apart.value,
        seed=asked.seed,
        curation=curation,
        group_by=collection.group_by,
    )
    write_split(split, file)
    say(describe_split(split))
    return split


def page_once(journey: Journey, collection: Collection, audited: AuditResult) -> Decision[Page]:
    """Whether the page in photographs is looked for, decided once; what decoding then takes is measured."""
    state = journey.state
    if state.page is None and state.steps:
        return Decision("page", "off", "it was begun before there was a choice")
    if state.page is None:
        photographs, looked_at = photographs_of(audited.manifest, audited.scan)
        decision = choose_page(photographs, looked_at, state.asked.page)
        if decision.value == "off":
            # Else the plan of every model has it.
            say(decision.line())
        measured = state.measured
        if decision.value == "auto":
            decoding = measure_decoding(collection, decision.value)
            measured = measured.model_copy(update={"decoding": decoding})
        decisions, shown = (*state.decisions, decision), some_of(photographs)
        journey.note(decisions=decisions, photographs=shown, measured=measured)
        return decision
    return Decision(state.page.name, state.page.value, state.page.reason)
