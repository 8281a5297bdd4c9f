"""What there is to say of a study, piece by piece: its levels, how sure each difference is, its design."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dessin.language import retold, tr, tr_n
from dessin.page.numbers import at_least, number, p_value, points, signed, size
from dessin.page.words import Note, Tag, Words, parts
from dessin.progress import duration
from dessin.statistics.comparison import Comparison, Verdict
from dessin.studies.changes import Change, base_level, changes, varied
from dessin.studies.outcome import outcome
from dessin.studies.result import LevelResult, StudyResults
from dessin.studies.source import StudySource


@dataclass(frozen=True)
class LevelRow:
    """A level and what became of it; `changes` of the base are its values of what others change."""

    name: str
    is_base: bool
    changes: tuple[Change, ...]
    result: LevelResult | None
    comparison: Comparison | None

    @property
    def runs(self) -> str:
        """How many runs gave the result, and what became of others; empty without a result."""
        if self.result is None:
            return ""
        kept, jobs = self.result.finished, self.result.jobs
        parts = [str(kept) if kept == jobs else tr("{kept} of {all}", kept=kept, all=jobs)]
        if self.result.collapsed:
            parts.append(tr("{n} collapsed", n=self.result.collapsed))
        if self.result.failed:
            parts.append(tr("{n} failed", n=self.result.failed))
        return ", ".join(parts)


def level_rows(study: StudySource) -> tuple[LevelRow, ...]:
    """The levels in the order of the study, the base first."""
    results = {result.level: result for result in study.results.levels} if study.results else {}
    compared = {item.name: item for item in study.results.comparisons} if study.results else {}
    base = base_level(study.record)
    levels = [base, *(level for level in study.record.levels if level != base)]
    return tuple(
        LevelRow(
            name=level.name,
            is_base=level == base,
            changes=varied(study.record) if level == base else changes(study.record, level),
            result=results.get(level.name),
            comparison=None if level == base else compared.get(level.name),
        )
        for level in levels
    )


@dataclass(frozen=True)
class Evidence:
    """How sure a difference is: the verdict in words, and lines of (way of asking, answer)."""

    name: str
    against: str
    verdict: str
    lines: tuple[tuple[str, str], ...]


def all_evidence(results: StudyResults | None) -> tuple[Evidence, ...]:
    """Of every difference, main effects first; none without results."""
    compared = (*results.main_effects, *results.comparisons) if results else ()
    return tuple(
        Evidence(each.name, each.against, retold(each.verdict_text), tuple(_ways(each))) for each in compared
    )


def _ways(found: Comparison) -> Iterator[tuple[str, str]]:
    """Every way of asking about one difference."""
    ways = (
        (tr("images and runs together (the verdict rests on it)"), found.difference),
        (tr("images alone, whole groups resampled"), found.by_image),
        (tr("seeds alone, Student's t"), found.by_seed),
        (tr("folds alone, Nadeau and Bengio"), found.by_fold),
    )
    yield from ((way, points(result)) for way, result in ways if result)
    yield tr("p, before and after Holm"), f"p\u00a0{p_value(found.p)}, p\u00a0{p_value(found.p_holm)}"
    if len(found.seed_differences) > 1 and found.sign_flip_p is not None:
        by_seed = ", ".join(map(signed, found.seed_differences))
        yield tr("each seed, and a flip of their signs"), f"{by_seed}, p\u00a0{p_value(found.sign_flip_p)}"
    for test in found.mcnemar:
        alone = tr(
            "{level} right here alone, {base} in the base alone, p\u00a0{p}",
            level=test.level_alone,
            base=test.base_alone,
            p=p_value(test.p),
        )
        yield tr("McNemar, seed {seed}", seed=test.seed), alone
    yield tr("found in 80 of 100 such studies"), at_least(found.detectable)
    drawings = tr_n("{n} drawing", "{n} drawings", found.images)
    yield tr("rests on"), f"{drawings}, {tr_n('{n} pair of runs', '{n} pairs of runs', found.cells)}"


def design(study: StudySource) -> tuple[str, ...]:
    """Seeds × folds × images, in a few short facts."""
    record, used = study.record, len(study.record.folds)
    folds = tr_n("{n} fold ({names})", "{n} folds ({names})", used, names=_row(record.folds))
    if study.split:
        images = number(sum(row.fold in record.folds for row in study.split.rows))
        all_folds = study.split.folds
        folds = tr("{folds} of {all}, {images} drawings judged", folds=folds, all=all_folds, images=images)
    runs = tr_n("{n} run", "{n} runs", len(record.jobs))
    return (
        tr_n("{n} level", "{n} levels", len(record.levels)),
        tr_n("{n} seed ({names})", "{n} seeds ({names})", len(record.seeds), names=_row(record.seeds)),
        folds,
        tr("{runs}, {time} of computing", runs=runs, time=duration(study.seconds)),
    )


def _row(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def seen(study: StudySource) -> tuple[str, ...]:
    """The smallest difference that the design finds in 80 of 100 studies, before running and after."""
    record, results = study.record, study.results
    lines = [
        tr("Before it ran: {seen}.", seen=retold(record.seen_before or at_least(record.detectable_before)))
    ]
    if results and results.detectable_after is not None:
        after = at_least(results.detectable_after)
        lines.append(tr("After it ran, from what varied in fact: {seen}.", seen=after))
    return tuple(lines)


def progress(study: StudySource) -> str:
    """Empty for a complete study."""
    if study.complete:
        return ""
    ended, runs = study.ended, len(study.jobs)
    if study.results is None:
        return tr(
            "Unfinished: {ended} of {runs} runs have ended, so nothing was compared yet.",
            ended=ended,
            runs=runs,
        )
    return tr(
        "Unfinished: {ended} of {runs} runs have ended; the numbers below are those of the last analysis.",
        ended=ended,
        runs=runs,
    )


def kind_tag(study: StudySource) -> Tag:
    """How a study ended, in a word or two."""
    return {
        "gain found": Tag(tr("gain found"), "good"),
        "no gain": Tag(tr("no gain"), "muted"),
        "undecided": Tag(tr("undecided"), "warn"),
        "unfinished": Tag(tr("unfinished"), "warn"),
    }[outcome(study).kind]


def verdict_tag(verdict: Verdict | Literal["no result", "not tested"]) -> Tag:
    return {
        "better": Tag(tr("better"), "good"),
        "worse": Tag(tr("worse"), "warn"),
        "no difference": Tag(tr("no difference"), "muted"),
        "cannot tell": Tag(tr("cannot tell"), "muted"),
        "no result": Tag(tr("no result"), "warn"),
        "not tested": Tag(tr("not tested"), "warn"),
    }[verdict]


def verdict_words(found: Comparison) -> Words:
    """The verdict as a tag, with the reason where its interval alone would say otherwise."""
    tag = verdict_tag("not tested" if found.untested else found.verdict)
    if found.untested or found.in_short == found.verdict:
        return tag
    return tag, Note(tr("as one of {n} compared", n=found.asked))


def verdict_said(found: Comparison) -> str:
    """The same as a clause."""
    return ", ".join(part.text for part in parts(verdict_words(found)) if isinstance(part, Tag | Note))


def finding(found: Comparison) -> str:
    """A difference that was found, as a sentence."""
    values = {
        "level": found.name,
        "base": found.against,
        "size": size(found.difference.value),
        "interval": points(found.difference),
    }
    if found.difference.value > 0:
        return tr("“{level}” is better than “{base}” by {size} points ({interval}).", **values)
    return tr("“{level}” is worse than “{base}” by {size} points ({interval}).", **values)


def answer(study: StudySource) -> str:
    """What came of a study, in a sentence or two."""
    kind, base = outcome(study).kind, study.record.base
    compared = study.results.comparisons if study.results else ()
    found = [finding(each) for each in compared if each.verdict == "better"]
    if kind == "unfinished":
        return progress(study)
    if found:
        return " ".join(found)
    if compared and all(each.untested for each in compared):
        return tr(
            "What was varied took no part: both sides ended with the same weights, so nothing was tested."
        )
    if kind == "no gain":
        matters = size(study.record.matters)
        return tr(
            "Nothing here is better than “{base}” by {matters} points or more.", base=base, matters=matters
        )
    return tr("Whether anything here is better than “{base}” cannot be told from these runs.", base=base)
