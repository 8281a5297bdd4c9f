"""What was not tested: derived from what the studies varied, and from what their answers rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dessin.committees.ensemble.result import EnsembleResults
from dessin.page.numbers import listed, share, size
from dessin.reports.wrapup.changes import QUESTIONS, answers
from dessin.reports.wrapup.final_view import FinalView
from dessin.reports.wrapup.sources import Sources
from dessin.trust.robustness.result import RobustnessResult

_MOST_NAMED = 12


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


def gaps(sources: Sources, final: FinalView | None) -> tuple[Gap, ...]:
    """Everything else that the studies and the final run leave open."""
    found = {
        "one scale": _mismatches(sources),
        "unfinished": _unfinished(sources),
        "lost runs": _lost(sources),
        "final result": _of_final(sources, final),
        "the luck of a training": _one_seed(sources),
        "all drawings": _unused_folds(sources),
        "cannot tell": _untold(sources),
        "robustness": _robustness(sources),
    }
    listed_out = ((what, tuple(reasons)) for what, reasons in found.items())
    return tuple(Gap(what, reasons) for what, reasons in listed_out if reasons)


def _mismatches(sources: Sources) -> Iterator[str]:
    digests = [study.record.digests for study in sources.studies]
    digests += [run.record.digests for run in sources.runs]
    ensembles = [c.results for c in sources.committees if isinstance(c.results, EnsembleResults)]
    for noun, values in (
        ("collections", {d.manifest for d in digests} | {found.manifest for found in ensembles}),
        ("splits", {d.split for d in digests} | {found.split for found in ensembles}),
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


def _of_final(sources: Sources, final: FinalView | None) -> Iterator[str]:
    if final is None:
        yield "No final run was given, so what all choices together give was not measured."
        return
    if final.record.status != "finished":
        yield f"The final run is {final.record.status}."
    if "holdout" not in final.record.results and final.record.counts.holdout:
        yield "It was not measured on the holdout, and its validation fold took part in choosing its epoch."
    if sources.studies and not final.same_as:
        yield "Its recipe is that of no level in these studies: whether their gains add up was not tested."


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
        judged = study.results.comparisons if study.results else ()
        untold = [
            f"{comparison.name} ({size(min(1.0, comparison.detectable))} points)"
            for comparison in judged
            if comparison.verdict == "cannot tell"
        ]
        if untold:
            yield (
                f"{study.record.name}, against {study.record.base}: {listed(untold, most=_MOST_NAMED)}. "
                "Differences below the size in brackets would often have been missed."
            )
