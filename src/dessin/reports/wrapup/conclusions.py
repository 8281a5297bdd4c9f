"""What the studies and runs say together: the differences found, and what was not tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dessin.page.numbers import listed, share, size, times
from dessin.reports.wrapup.sources import Sources
from dessin.runs.holdout import looks_below
from dessin.runs.record import RunRecord
from dessin.statistics.comparison import Comparison
from dessin.studies.changes import QUESTIONS, answers, differing_keys, recipe_values
from dessin.studies.source import StudySource
from dessin.trust.robustness.result import RobustnessResult

_MOST_NAMED = 12


@dataclass(frozen=True)
class Finding:
    """A comparison together with the study that it is from."""

    study: StudySource
    comparison: Comparison


def all_findings(sources: Sources) -> tuple[Finding, ...]:
    """Every comparison of a level with its base, study by study."""
    return tuple(
        Finding(study, comparison)
        for study in sources.studies
        if study.results
        for comparison in study.results.comparisons
    )


def best_supported(findings: Sequence[Finding], most: int = 3) -> tuple[Finding, ...]:
    """The differences found, those about recipes before those about single runs, then by p, then by size."""

    def support(finding: Finding) -> tuple[bool, float, float]:
        comparison = finding.comparison
        return comparison.scope != "recipes", comparison.p_holm, -abs(comparison.difference.value)

    found = [finding for finding in findings if finding.comparison.verdict in ("better", "worse")]
    return tuple(sorted(found, key=support)[:most])


@dataclass(frozen=True)
class Held:
    """A usual question that no study touched, and what all levels had instead."""

    question: str
    value: str


@dataclass(frozen=True)
class Gap:
    """Something that nobody should believe to be known, and each reason for it."""

    what: str
    reasons: tuple[str, ...]


def never_varied(sources: Sources) -> tuple[Held, ...]:
    """The usual questions that no study here asks."""
    found = [answers(study.record) for study in sources.studies]
    held = []
    for question in QUESTIONS:
        values = [answer[question] for answer in found]
        if not any(len(value) > 1 for value in values):
            held.append(Held(question, listed(list(dict.fromkeys(value[0] for value in values)))))
    tested = any(study.record.topic == "ensemble" for study in sources.studies)
    if not tested and not sources.committees:
        held.append(Held("ensemble", "single models only"))
    return tuple(held)


def gaps(sources: Sources) -> tuple[Gap, ...]:
    """Everything else that the studies and the final run leave open."""
    found = {
        "one scale": _mismatches(sources),
        "unfinished": _unfinished(sources),
        "lost runs": _lost(sources),
        "final result": _of_final(sources),
        "the luck of a training": _one_seed(sources),
        "all drawings": _unused_folds(sources),
        "cannot tell": _untold(sources),
        "robustness": _robustness(sources),
    }
    gaps_found = (Gap(what, tuple(reasons)) for what, reasons in found.items())
    return tuple(gap for gap in gaps_found if gap.reasons)


def holdout_looks(sources: Sources) -> str:
    """How often holdouts were opened, over all records that lie in the folders given."""
    looks = looks_below(sources.folders)
    if not looks.looked_at:
        return "No record is here that would say whether it was opened."
    how_often = f"Opened {times(len(looks.opened))}" if looks.opened else "Never opened"
    return (
        f"{how_often}, over the {looks.looked_at} whose records are here. Each look that leads to a choice "
        "makes its number less trustworthy."
    )


def _mismatches(sources: Sources) -> Iterator[str]:
    digests = [study.record.digests for study in sources.studies]
    digests += [run.record.digests for run in sources.runs]
    for noun, values in (
        ("collections", {d.manifest for d in digests} | {found.manifest for found in sources.chosen}),
        ("splits", {d.split for d in digests} | {found.split for found in sources.chosen}),
    ):
        if len(values) > 1:
            yield f"{len(values)} different {noun} were used; accuracies compare within one only."


def _unfinished(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        if study.ended < len(study.jobs):
            yield f"{study.record.name}: {study.ended} of {len(study.jobs)} runs have ended."
        elif not study.complete:
            yield f"{study.record.name}: its runs have ended, and were not analysed since."


def _lost(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        lost = [job for job in study.jobs if job.ended and job.ended.status != "finished"]
        if lost:
            levels = list(dict.fromkeys(job.job.level for job in lost))
            yield f"{study.record.name}: {len(lost)} of {len(study.jobs)} runs gave none ({listed(levels)})."


def _of_final(sources: Sources) -> Iterator[str]:
    if sources.final is None:
        yield "No final run was given, so what all choices together give was not measured."
        return
    record = sources.final.record
    if record.status != "finished":
        yield f"The final run is {record.status}."
    if "holdout" not in record.results and record.counts.holdout:
        yield "It was not measured on the holdout, and its validation fold took part in choosing its epoch."
    if sources.studies and not levels_like(record, sources):
        yield "Its recipe is that of no level in these studies: whether their gains add up was not tested."


def levels_like(record: RunRecord, sources: Sources) -> tuple[str, ...]:
    """The studies' levels whose recipe was this run's, but for data and seed."""
    mine = recipe_values(record)
    same: dict[str, None] = {}
    for study in sources.studies:
        for job in study.jobs:
            if job.record and not differing_keys(mine, recipe_values(job.record)):
                same[f"{job.job.level} ({study.record.name})"] = None
    return tuple(same)


def _robustness(sources: Sources) -> Iterator[str]:
    found = RobustnessResult.find(sources.final.path) if sources.final else None
    if found is None:
        yield (
            "Every accuracy is on drawings like those of the training. Blurred, noisy, turned or "
            "photographed drawings, and drawings from elsewhere, were not measured."
        )
    else:
        yield (
            f"The final run was measured on corrupted drawings ({share(found.robust)} of them right, against "
            f"{share(found.clean)} of clean ones); the levels of the studies, and drawings from elsewhere, "
            "were not."
        )


def _one_seed(sources: Sources) -> Iterator[str]:
    names = [study.record.name for study in sources.studies if len(study.record.seeds) == 1]
    if names:
        every = len(names) == len(sources.studies) > 1
        yield f"One seed only: {'every study' if every else listed(names, most=_MOST_NAMED)}."


def _unused_folds(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        if study.split and len(study.record.folds) < study.split.folds:
            used = f"{len(study.record.folds)} of {study.split.folds} folds"
            yield f"{study.record.name}: levels were compared on {used}."


def _untold(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        untold = [
            f"{each.name} ({size(min(1.0, each.detectable))} points)"
            for each in (study.results.comparisons if study.results else ())
            if each.verdict == "cannot tell"
        ]
        if untold:
            yield (
                f"{study.record.name}, against {study.record.base}: {listed(untold, most=_MOST_NAMED)}. "
                "Differences below the size in brackets would often have been missed."
            )
