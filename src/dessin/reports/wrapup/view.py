"""The wrap-up page: what came of it first, then the story in its order: people, data, cleaning, split, …"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from dessin.audit.result import Summary
from dessin.language import tr, tr_n
from dessin.page.blocks import Block, Headline, Notes, Page, Section, Sentence, Step, Table
from dessin.page.html import PAGE_FILE
from dessin.page.numbers import capital, listed, number, p_value
from dessin.page.parts import columns, folded, further, what_next
from dessin.page.words import Code, Link, Note, Strong, Words
from dessin.progress import duration
from dessin.reports.run.view import stands_on
from dessin.reports.wrapup.conclusions import all_findings, best_supported, gaps, holdout_looks, never_varied
from dessin.reports.wrapup.data_view import (
    Use,
    cleaning_blocks,
    collection_names,
    data_blocks,
    people_blocks,
    split_blocks,
    uses,
)
from dessin.reports.wrapup.results_view import committee_card, committee_sentences, final_blocks
from dessin.reports.wrapup.sources import Sources, read_sources
from dessin.studies.changes import question_name
from dessin.studies.outcome import outcome
from dessin.studies.source import StudySource
from dessin.studies.telling import finding, kind_tag, progress, verdict_tag
from dessin.studies.view import again_step, repeat_blocks, study_card
from dessin.trust.robustness.result import RobustnessResult

_OLDER_PAGE = "report.html"


def wrapup_page(folders: Sequence[Path], audit: Summary | None, out: Path) -> Page:
    """The wrap-up of study, run and committee folders, in the order given, as it will lie at `out`.

    `audit` is the data's summary, if any. Drawings are read from where the studies found them; if they are
    gone, the page has none and says so.

    Raises:
        DessinError: a folder that is none of these, one given twice, or damaged files.
    """
    sources = read_sources(folders)
    return Page(
        title=tr("What was tried on {collection}, and what came of it?", collection=_collection(sources)),
        lead=_lead(sources),
        blocks=tuple(_blocks(sources, audit, out)),
    )


def _blocks(sources: Sources, audit: Summary | None, out: Path) -> Iterator[Block]:
    found = uses(sources)
    yield from _headline(sources)
    yield Section(tr("In short"), (Notes(tuple(_in_short(sources))),))
    if sources.studies:
        title = tr("The hypotheses, and what became of them")
        yield Section(title, (_hypotheses(sources),), anchor="hypotheses")
    untold = tr("Nothing is told of it: no study and no run is part of this report.")
    no_study = tr("No study of augmentation is part of this report.")
    no_model = tr("No study of the model or its training is part of this report.")
    alone = tr("No ensemble was tested: every result here is a single model's.")
    parts: tuple[tuple[str, str, Iterable[Block], str], ...] = (
        ("people", tr("People and machines"), people_blocks(sources) if found else (), untold),
        ("data", tr("Data"), data_blocks(found, audit), ""),
        ("cleaning", tr("Cleaning"), cleaning_blocks(found) if found else (), untold),
        ("split", tr("Split"), split_blocks(found), untold),
        ("augmentation", tr("Augmentation"), (), no_study),
        ("modelling", tr("Modelling"), (), no_model),
        ("ensemble", tr("Ensemble"), _committees(sources, out), alone),
    )
    for topic, title, blocks, nothing in parts:
        studies = (study for study in sources.studies if study.record.topic == topic)
        cards = tuple(study_card(study, _anchor(sources, study)) for study in studies)
        yield Section(title, (*blocks, *cards) or (Sentence(nothing),), anchor=topic)
    final = final_blocks(sources, lambda path: _address(path, out))
    yield Section(tr("Final result"), tuple(final), anchor="final")
    yield Section(tr("What was not tested"), tuple(_open(sources)), anchor="open")
    yield Section(tr("Repeat it"), tuple(_repeat(sources, found)), anchor="repeat")
    yield what_next(*_steps(sources, found, out))


def _collection(sources: Sources) -> str:
    """The collections by name; where ensembles alone are told of, the ones that they note."""
    noted = [found.data for found in sources.chosen]
    names = collection_names(uses(sources)) or [Path(data).name for data in dict.fromkeys(noted) if data]
    return listed(list(names)) or tr("a collection")


def _lead(sources: Sources) -> str:
    """What all of it came to in a sentence, and how much it is."""
    best = best_supported(all_findings(sources), most=1)
    if best:
        said = finding(best[0].comparison)
    elif sources.studies:
        said = tr("No level of a study could be told from its base.")
    else:
        said = tr("No study is part of this report, so no choice was compared with another.")
    ended = [job.ended for study in sources.studies for job in study.jobs if job.ended]
    own = [part for run in sources.runs for part in run.parts]
    seconds = sum(job.seconds for job in ended) + sum(sum(record.timings.values()) for record in own)
    runs = tr_n("{n} run", "{n} runs", len(ended) + len(own))
    rests = tr("It rests on {runs}, {time} of computing.", runs=runs, time=duration(seconds))
    return f"{said} {rests}" if ended or own else said


def _headline(sources: Sources) -> Iterator[Block]:
    final = sources.final
    if final is None:
        return
    results, name = final.honest_result
    if results is None:
        named = {"name": final.record.name, "status": final.record.status}
        yield Sentence(tr("The run {name} is {status}, and nothing was measured.", **named), "warning")
        return
    found = results.accuracy
    words = tr("of {n} drawings are named right by “{name}”", n=number(found.n), name=final.record.name)
    yield Headline.of(found, words)
    yield Sentence(stands_on(final.record, name, found), "note")


def _in_short(sources: Sources) -> Iterator[Words]:
    findings = all_findings(sources)
    for best in best_supported(findings):
        found = best.comparison
        values = {"p": p_value(found.p_holm), "n": number(found.images), "study": best.study.record.name}
        details = tr("n = {n}, p {p} after Holm; {study}", **values)
        if found.scope != "recipes":
            details = tr("n = {n}, p {p} after Holm; {study}, one run each", **values)
        yield finding(found), " ", Note(details)
    if findings:
        ends = (each.comparison for each in findings)
        verdicts = Counter(verdict_tag("not tested" if end.untested else end.verdict).text for end in ends)
        named = ", ".join(f"{verdict} ({n})" for verdict, n in verdicts.most_common())
        compared = tr_n("{n} comparison", "{n} comparisons", len(findings))
        yield tr("Of {comparisons}: {verdicts}.", comparisons=compared, verdicts=named)
    for source in sources.committees:
        yield committee_sentences(source)[0], " ", Note(committee_card(source, "").title)
    yield Strong(tr("Holdout:")), " ", holdout_looks(sources)


def _hypotheses(sources: Sources) -> Table:
    titles = columns((tr("Hypothesis"), tr("Outcome"), tr("What the levels did")))
    rule = tr(
        "The outcome says what the levels did. Gain found: one is better than the base, after Holm's "
        "correction. No gain: every level is worse, or differs by less than what matters. Undecided: neither."
    )
    rows = tuple(
        (
            (study.record.hypothesis, " ", Link(study.record.name, f"#{_anchor(sources, study)}")),
            kind_tag(study),
            _what_levels_did(study),
        )
        for study in sources.studies
    )
    return Table(titles, rows, note=rule, file="hypotheses")


def _what_levels_did(study: StudySource) -> str:
    found = outcome(study)
    parts = [f"{capital(verdict_tag(verdict).text)}: {', '.join(names)}." for verdict, names in found.levels]
    if found.these_runs:
        parts.append(tr("One run each, so this is about these runs."))
    return " ".join(parts) or progress(study)


def _anchor(sources: Sources, study: StudySource) -> str:
    return f"study-{sources.studies.index(study) + 1}"


def _committees(sources: Sources, out: Path) -> Iterator[Section]:
    for source in sources.committees:
        page = _address(source.path / PAGE_FILE, out) or _address(source.path / _OLDER_PAGE, out)
        yield committee_card(source, page)


def _address(path: Path, out: Path) -> str:
    """How the page at `out` leads to a file; empty where there is none, or no way to it."""
    try:
        relative = os.path.relpath(path.absolute(), out.absolute().parent)
    except ValueError:  # another drive
        return ""
    return quote(Path(relative).as_posix()) if path.is_file() else ""


def _open(sources: Sources) -> Iterator[Block]:
    held = never_varied(sources) if sources.studies else ()
    if held:
        rows = tuple((question_name(each.question), each.value) for each in held)
        yield Table(columns((tr("Never varied"), tr("Held at"))), rows, file="never-varied")
    gone = tuple(
        ("" if place else capital(gap.what), reason)
        for gap in gaps(sources)
        for place, reason in enumerate(gap.reasons)
    )
    yield Table(columns((tr("Left open"), tr("Why"))), gone)


def _steps(sources: Sources, found: Sequence[Use], out: Path) -> Iterator[Step]:
    yield from (again_step(study) for study in sources.studies if study.lost or not study.complete)
    final = sources.final
    if final is None:
        data = next((use.data for use in found if use.data), "DATA")
        why = tr("Train one run with what was found to be better, on all folds: its number is the result.")
        train = ["dessin", "train", "RECIPE", "--data", data, "--split", "SPLIT", "--folds", "all"]
        yield Step(why, shlex.join([*train, "--out", "runs/final"]))
        again = ["dessin", "report", *map(str, sources.folders), "runs/final", "--out", str(out)]
        yield Step(tr("Then write this page again with it."), shlex.join(again))
        return
    counts, opened = final.record.counts, final.record.holdout_opened
    due = {
        "mistakes": True,
        "holdout": bool(counts.holdout and not opened),
        "robustness": RobustnessResult.find(final.path) is None and bool(final.record.results),
    }
    yield from further(final.path, *(verb for verb, needed in due.items() if needed))


def _repeat(sources: Sources, found: Sequence[Use]) -> Iterator[Block]:
    if sources.studies:
        how = tr(
            "Save a study's file under the name in its command, and run it beside the study's folder, which "
            "has the split: the same data, hardware and versions give the same weights to the byte."
        )
        yield Sentence(how)
    for study in sources.studies:
        yield from repeat_blocks(study)
    digests = {tr("sha256 of the manifest"): {use.manifest for use in found}}
    digests[tr("sha256 of the split")] = {use.split_digest for use in found}
    digests[tr("commit of the working folder")] = {each.git_commit for each in sources.records} - {""}
    rows = tuple((title, Code(digest)) for title, values in digests.items() for digest in sorted(values))
    yield from folded(tr("Digests"), (Table(columns((tr("What"), tr("Value"))), rows),))
