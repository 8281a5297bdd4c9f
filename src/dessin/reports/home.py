"""The home of a workspace: every result below a folder, with what came of it, who carried it out, and its "
"page."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from dessin.answers.committee import COMMITTEE_FILE, Committee
from dessin.errors import DessinError
from dessin.language import tr, tr_n
from dessin.page.blocks import Block, Page, Section, Sentence, Step, Table
from dessin.page.html import PAGE_FILE
from dessin.page.numbers import number, share
from dessin.page.parts import columns, what_next
from dessin.page.words import Link, Note, Words
from dessin.progress import duration
from dessin.reports.run.made import moment
from dessin.reports.wrapup.sources import CommitteeSource, RunSource, Sources, read_sources
from dessin.runs.record import FILE, STUDY_FILE
from dessin.studies.source import StudySource
from dessin.studies.telling import kind_tag

# A folder with one of these is a result, and what lies below belongs to it; `auto.json` is that of an auto.
_RESULTS: Final = ("auto.json", STUDY_FILE, "folds.json", "results.json", COMMITTEE_FILE, FILE)
_DEEPEST = 4


def is_result(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _RESULTS)


def results_below(folder: Path) -> tuple[Path, ...]:
    """The uppermost folders that are results, by path; links are not followed, hidden folders are "
    "unfinished."""
    found: list[Path] = []
    for place, inner, files in os.walk(folder):
        here = Path(place)
        if here != folder and any(name in files for name in _RESULTS):
            found.append(here)
            inner.clear()
        deep = len(here.relative_to(folder).parts) >= _DEEPEST
        inner[:] = [] if deep else sorted(name for name in inner if not name.startswith("."))
    return tuple(found)


def home_page(folder: Path, results: tuple[Path, ...], out: Path) -> Page:
    """All results of a workspace on one page, as links from `out`."""
    here, rows, damaged = out.absolute().parent, _Rows(), list[Words]()
    for place in results:
        try:
            rows.add(read_sources([place]), _link(place, here, folder))
        except DessinError as error:
            damaged.append(f"{place.relative_to(folder).as_posix()}: {error.seen}")
    blocks = list(rows.sections())
    if damaged:
        blocks.append(Section(tr("Cannot be read"), tuple(Sentence(each, "warning") for each in damaged)))
    given = shlex.quote(folder.as_posix())
    steps = (
        Step(tr("Sort and filter the runs by any setting."), f"dessin runs {given} --sort -accuracy"),
        Step(tr("See them in the browser, and draw for one of them."), f"dessin studio {given}"),
        Step(
            tr("This page again, once there is more."),
            f"dessin report {given} --out {shlex.quote(out.as_posix())}",
        ),
    )
    blocks.append(what_next(*steps))
    return Page(
        title=tr("What was done in {folder}?", folder=folder.resolve().name),
        lead=tr_n(
            "{n} result.",
            "{n} results, each with what came of it and the machine that carried it out.",
            len(results),
        ),
        blocks=tuple(blocks),
    )


def _link(place: Path, here: Path, folder: Path) -> Words:
    """A result's path below the workspace, leading to its page, where it has one, else to its record."""
    name = place.relative_to(folder).as_posix()
    for file in (PAGE_FILE, "report.html", *_RESULTS):
        if (place / file).is_file():
            to = Path(os.path.relpath(place / file, here)).as_posix()
            return Link(name, quote(to))
    return name


class _Rows:
    """The rows of each kind of result."""

    def __init__(self) -> None:
        self._models: list[tuple[Words, ...]] = []
        self._studies: list[tuple[Words, ...]] = []

    def add(self, sources: Sources, link: Words) -> None:
        for run in sources.runs:
            self._models.append((link, *_of_run(run)))
        for committee in sources.committees:
            self._models.append((link, *_of_committee(committee)))
        for study in sources.studies:
            self._studies.append((link, *_of_study(study)))

    def sections(self) -> Iterator[Block]:
        if self._models:
            words = (tr("Machine and person"), tr("Finished"))
            titles = (
                *columns((tr("Model"), tr("What it is")), (tr("Accuracy, with 95% interval"),), words),
                *columns((), (tr("Time"),)),
            )
            table = Table(titles, tuple(self._models), file="models")
            yield Section(tr("Models"), (table,), anchor="models")
        if self._studies:
            titles = (
                *columns((tr("Study"), tr("What came of it")), (tr("Runs"),)),
                *columns((tr("Machine and person"),), (tr("Time"),)),
            )
            table = Table(titles, tuple(self._studies), file="studies")
            yield Section(tr("Studies"), (table,), anchor="studies")


def _of_run(run: RunSource) -> tuple[Words, ...]:
    record, (results, where) = run.record, run.honest_result
    hardware = record.hardware
    accuracy: Words = tr("not measured")
    if results:
        accuracy = (share(results.accuracy), Note(f"{where}, n = {number(results.accuracy.n)}"))
    return (
        f"{record.recipe.model.backbones}, {record.recipe.image.size} px",
        accuracy,
        (hardware.gpu or hardware.cpu, Note(", ".join(filter(None, (record.who, hardware.system))))),
        moment(record.finished) or record.status,
        duration(sum(record.timings.values())),
    )


def _of_committee(source: CommitteeSource) -> tuple[Words, ...]:
    accuracy: Words = ""
    if isinstance(source.results, Committee):
        accuracy = source.results.provenance.get("validation_accuracy", "")
    if source.holdout:
        accuracy = (share(source.holdout), Note(f"{tr('holdout')}, n = {number(source.holdout.n)}"))
    return (tr("several models together"), accuracy, "", "", "")


def _of_study(study: StudySource) -> tuple[Words, ...]:
    hosts = dict.fromkeys(job.ended.host for job in study.jobs if job.ended and job.ended.host)
    people = dict.fromkeys(job.record.who for job in study.jobs if job.record and job.record.who)
    runs = tr("{ended} of {all}", ended=study.ended, all=len(study.jobs))
    return (
        (study.record.hypothesis or study.record.name, " ", kind_tag(study)),
        runs,
        (", ".join(hosts), Note(", ".join(people))),
        duration(study.seconds),
    )
