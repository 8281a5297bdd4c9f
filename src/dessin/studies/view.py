"""What a study says for people: the page of its folder, its part of a wrap-up, and lines on the screen."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from dessin.errors import DessinError
from dessin.language import retold, tr, tr_n
from dessin.page.blocks import Block, Command, Dots, Grid, Notes, Page, Section, Sentence, Step, Table
from dessin.page.numbers import listed, number, p_value, plain, points, share, size
from dessin.page.parts import columns, dots, step, what_next
from dessin.page.text import lines as text_lines
from dessin.page.words import Note, Strong, Tag, Words
from dessin.reading_yaml import parse_yaml
from dessin.runs.executors.record import RUNS
from dessin.statistics.comparison import Comparison, draw_forest
from dessin.studies.curves import draw_curves
from dessin.studies.outcome import outcome
from dessin.studies.result import TEXT_FILE, StudyRecord, StudyResults
from dessin.studies.source import StudyJob, StudySource
from dessin.studies.telling import (
    all_evidence,
    answer,
    design,
    kind_tag,
    level_rows,
    progress,
    seen,
    verdict_words,
)

_NONE = "–"


def study_page(study: StudySource) -> Page:
    """The page of a study's folder, which `study.path` is."""
    record = study.record
    where = Path(record.data).name or tr("a collection")
    title = tr("What did {factor} change on {collection}?", factor=listed(record.factors), collection=where)
    repeated = Section(tr("Repeat it"), tuple(repeat_blocks(study)), folded=True)
    return Page(title, answer(study), (*study_blocks(study), repeated, what_next(*_steps(study))))


def study_card(study: StudySource, anchor: str) -> Section:
    """A study as a part of another page."""
    blocks, tags = tuple(study_blocks(study)), (kind_tag(study),)
    return Section(study.record.name, blocks, anchor=anchor, tags=tags, card=True)


def study_blocks(study: StudySource) -> Iterator[Block]:
    """Hypothesis, levels, differences; how they were measured is folded away."""
    record, results = study.record, study.results
    yield Sentence(f"“{record.hypothesis}”", "verdict")
    facts = " · ".join(design(study))
    yield Sentence(tr("Varied: {factors}. {design}.", factors=listed(record.factors), design=facts), "note")
    if unfinished := progress(study):
        yield Sentence(unfinished, "warning")
    yield _level_table(study)
    if study.lost:
        lost = tr_n("{n} run gave no result.", "{n} runs gave no result.", len(study.lost))
        yield Sentence(lost, "warning")
        yield _job_table(study.lost, tr("Why"))
    so_far = [job for job in study.jobs if job.ended and job.ended.accuracy]
    if so_far and not results:
        yield Section(tr("The runs so far"), (_job_table(so_far, tr("Validation accuracy")),))
    if results and len(record.factors) == 2:
        yield _two_way(record, results)
    if results:
        base = tr("Difference from “{base}”, in points", base=record.base)
        mains = tr("Main effects, in points")
        for title, found in ((mains, results.main_effects), (base, results.comparisons)):
            yield from (Section(title, (plot,)) for plot in forest(found, record.matters))
    if outcome(study).these_runs:
        alone = tr("One run a level: this is about these models, and the luck of a training is not known.")
        yield Sentence(alone, "notice")
    yield Section(tr("How this was measured"), tuple(_measured(study)), folded=True)


def _level_table(study: StudySource) -> Table:
    figures = (tr("Runs"), tr("Log loss"), tr("Accuracy"), tr("Difference, points"), tr("p, after Holm"))
    titles = columns((tr("Level"),))
    if study.results:
        titles = (*columns((tr("Level"),), figures), *columns((tr("Verdict"),)))
    rows: list[tuple[Words, ...]] = []
    for row in level_rows(study):
        changed = (Note(f"{change.key}: {change.text}") for change in row.changes)
        base = (" ", Tag(tr("base"))) if row.is_base else ()
        cells: list[Words] = [(Strong(row.name), *base, *changed), row.runs or _NONE]
        loss, accuracy = (row.result.loss, row.result.accuracy) if row.result else (None, None)
        cells.append(plain(loss) if loss else _NONE)
        cells.append((share(accuracy), Note(f"n = {number(accuracy.n)}")) if accuracy else _NONE)
        if found := row.comparison:
            p = p_value(found.p_holm).removeprefix("=\u00a0")
            cells += (points(found.difference), p, verdict_words(found))
        else:
            cells += ("", "", "")
        rows.append(tuple(cells[: len(titles)]))
    return Table(titles, tuple(rows), file="levels")


def _job_table(jobs: Sequence[StudyJob], last: str) -> Table:
    rows = []
    for job, ended in ((job.job, job.ended) for job in jobs if job.ended):
        said = retold(ended.reason) or tr("no reason was recorded")
        if found := ended.accuracy:
            said = f"{share(found)}, n = {number(found.n)}"
        rows.append((job.level, ended.status, said, job.name, str(job.seed), str(job.fold)))
    words = (tr("Level"), tr("Ended"), last, tr("Run"))
    return Table.of(words, (tr("Seed"), tr("Fold")), rows)


def _two_way(record: StudyRecord, results: StudyResults) -> Section:
    """Accuracies by the levels of both factors."""
    first, second = (tuple(dict.fromkeys(level.parts[axis] for level in record.levels)) for axis in (0, 1))
    accuracies = {result.level: result.accuracy for result in results.levels}
    names = {level.parts: level.name for level in record.levels}

    def cell(row: str, column: str) -> Words:
        name = names.get((row, column), "")
        accuracy = accuracies.get(name)
        if accuracy is None:
            return _NONE
        base = f", {tr('base')}" if name == record.base else ""
        return share(accuracy), Note(f"n = {number(accuracy.n)}{base}")

    rows = ((Strong(row), *(cell(row, column) for column in second)) for row in first)
    down, across = record.factors
    title = tr("Accuracy by {row} and {column}", row=down, column=across)
    return Section(title, (Table.of((f"{down} ↓  {across} →", *second), (), rows),))


def forest(comparisons: Sequence[Comparison], matters: float) -> Iterator[Dots]:
    """Differences in points with the band of those too small to matter; nothing without any."""
    if drawn := draw_forest(comparisons, matters):
        line = tr("no difference; right of it is better than {base}", base=drawn.against)
        if not drawn.against:
            line = tr("no difference; right of it is better")
        band = tr("±{matters} points: too little to matter", matters=size(matters))
        yield dots(drawn.plot, line=line, band=band)


def _measured(study: StudySource) -> Iterator[Block]:
    curves = draw_curves(study)
    beside = (Section(tr("Learning curves"), (curves,)),) if curves else ()
    yield Grid((*beside, Section(tr("What this design could have seen"), tuple(map(Sentence, seen(study))))))
    parts = []
    for each in all_evidence(study.results):
        ways = Table.of((tr("Asked in this way"), tr("Answer, in points")), (), each.lines)
        title = tr("{level} against {base}", level=each.name, base=each.against)
        parts.append(Section(title, (Sentence(f"{each.verdict}.", "note"), ways)))
    if parts:
        yield Section(tr("How sure each difference is"), (Grid(tuple(parts)),))


def repeat_blocks(study: StudySource) -> Iterator[Block]:
    """How to do the study again elsewhere: the command, and the study file with its recipe in it."""
    record, name = study.record, study.record.name
    parts = ["dessin", "study", f"{name}.yaml", "--data", record.data]
    yield Command(shlex.join([*parts, "--split", f"{study.path.name}/split.csv", "--out", f"{name}-again"]))
    if values := _defined(study):
        whole = values | {"recipe": record.recipe}
        text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100)
        yield Section(tr("{name}.yaml, with its whole recipe", name=name), (Command(text),), folded=True)
    else:
        gone = tr("The study file of {name} is gone from its folder, or damaged.", name=name)
        yield Sentence(gone, "note")


def _defined(study: StudySource) -> dict[str, Any]:
    try:
        values = parse_yaml(study.definition, where="the study file")
    except DessinError:
        return {}
    return values if isinstance(values, dict) else {}


def again_step(study: StudySource) -> Step:
    """How to go on with a study some of whose runs gave no result."""
    record, folder = study.record, study.path.as_posix()
    # A file that names its recipe by a path finds it beside itself only, which its copy in the folder is not.
    whole = isinstance(_defined(study).get("recipe"), dict)
    file, name = f"{folder}/{TEXT_FILE}" if whole else record.name, record.name
    why = tr("Go on with {study}: what failed is tried again, and what is finished is kept.", study=name)
    return step(why, "study", file, "--data", record.data, "--split", record.split, "--out", folder)


def _steps(study: StudySource) -> Iterator[Step]:
    folder = study.path.as_posix()
    if study.lost or not study.complete:
        yield again_step(study)
    ended = ((job, job.ended.accuracy) for job in study.jobs if job.record and job.ended)
    if kept := [(accuracy.value, job.job) for job, accuracy in ended if accuracy]:
        best = max(kept, key=lambda found: found[0])[1]
        why = tr("See what the best run, of “{level}”, takes for what.", level=best.level)
        yield step(why, "mistakes", f"{folder}/{RUNS}/{best.name}", "--out", "mistakes")
    why = tr("Tell it with the other studies and the final run, for those who were not there.")
    yield step(why, "report", folder, "--out", "wrap-up.html")


def lines(study: StudySource, width: int | None) -> list[str]:
    """The results for people at a terminal."""
    record, results = study.record, study.results
    assert results, "a study that was analysed"
    compared = (*results.main_effects, *results.comparisons)
    notes = [f"{each.name} – {each.against}: {retold(each.verdict_text)}" for each in compared]
    notes += seen(study)
    if results.missing:
        notes.append(tr("without a result: {runs}", runs=listed(results.missing)))
    head = Sentence(tr("Results of {name}: {hypothesis}", name=record.name, hypothesis=record.hypothesis))
    return list(text_lines((head, _level_table(study), Notes(tuple(notes))), width))
