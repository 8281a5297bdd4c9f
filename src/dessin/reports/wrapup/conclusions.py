"""What the studies and runs say together: the differences found, and what was not tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dessin.language import retold, tr
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
        held.append(Held("ensemble", tr("single models only")))
    return tuple(held)


def gaps(sources: Sources) -> tuple[Gap, ...]:
    """Everything else that the studies and the final run leave open."""
    found = {
        tr("one scale"): _mismatches(sources),
        tr("unfinished"): _unfinished(sources),
        tr("lost runs"): _lost(sources),
        tr("final result"): _of_final(sources),
        tr("the luck of a training"): _one_seed(sources),
        tr("all drawings"): _unused_folds(sources),
        tr("cannot tell"): _untold(sources),
        tr("not tested"): _untested(sources),
        tr("robustness"): _robustness(sources),
    }
    gaps_found = (Gap(what, tuple(reasons)) for what, reasons in found.items())
    return tuple(gap for gap in gaps_found if gap.reasons)


def holdout_looks(sources: Sources) -> str:
    """How often holdouts were opened, over all records that lie in the folders given."""
    looks = looks_below(sources.folders)
    if not looks.looked_at:
        return tr("No record is here that would say whether it was opened.")
    said = tr("Never opened, over the {records} whose records are here.", records=looks.looked_at)
    if looks.opened:
        often, records = times(len(looks.opened)), looks.looked_at
        said = tr("Opened {often}, over the {records} whose records are here.", often=often, records=records)
    return f"{said} {tr('Each look that leads to a choice makes its number less trustworthy.')}"


def _mismatches(sources: Sources) -> Iterator[str]:
    digests = [study.record.digests for study in sources.studies]
    digests += [run.record.digests for run in sources.runs]
    manifests = {d.manifest for d in digests} | {found.manifest for found in sources.chosen}
    if len(manifests) > 1:
        yield tr("{n} different collections were used; accuracies compare within one only.", n=len(manifests))
    splits = {d.split for d in digests} | {found.split for found in sources.chosen}
    if len(splits) > 1:
        yield tr("{n} different splits were used; accuracies compare within one only.", n=len(splits))


def _unfinished(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        name, runs = study.record.name, len(study.jobs)
        if study.ended < runs:
            yield tr("{study}: {ended} of {runs} runs have ended.", study=name, ended=study.ended, runs=runs)
        elif not study.complete:
            yield tr("{study}: its runs have ended, and were not analysed since.", study=name)


def _lost(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        if study.lost:
            yield tr(
                "{study}: {lost} of {runs} runs gave no result ({levels}).",
                study=study.record.name,
                lost=len(study.lost),
                runs=len(study.jobs),
                levels=listed(list(dict.fromkeys(job.job.level for job in study.lost))),
            )


def _of_final(sources: Sources) -> Iterator[str]:
    if sources.final is None:
        yield tr("No final run was given, so what all choices together give was not measured.")
        return
    record = sources.final.record
    if record.status != "finished":
        yield tr("The final run is {status}.", status=record.status)
    if "holdout" not in record.results and record.counts.holdout:
        yield tr(
            "It was not measured on the holdout, and its validation drawings took part in choosing its epoch."
        )
    if sources.studies and not levels_like(record, sources):
        yield tr("Its recipe is that of no level here: whether the studies' gains add up was not tested.")


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
        yield tr(
            "Every accuracy is on drawings like those of the training. Blurred, noisy, turned or "
            "photographed drawings, and drawings from elsewhere, were not measured."
        )
    else:
        yield tr(
            "The final run was measured on corrupted drawings ({robust} of them right, against {clean} of "
            "clean ones); the levels of the studies, and drawings from elsewhere, were not.",
            robust=share(found.robust),
            clean=share(found.clean),
        )


def _one_seed(sources: Sources) -> Iterator[str]:
    names = [study.record.name for study in sources.studies if len(study.record.seeds) == 1]
    if len(names) == len(sources.studies) > 1:
        yield tr("One seed only: every study.")
    elif names:
        yield tr("One seed only: {studies}.", studies=listed(names, most=_MOST_NAMED))


def _unused_folds(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        if study.split and len(study.record.folds) < study.split.folds:
            yield tr(
                "{study}: levels were compared on {used} of {folds} folds.",
                study=study.record.name,
                used=len(study.record.folds),
                folds=study.split.folds,
            )


def _untested(sources: Sources) -> Iterator[str]:
    for study in sources.studies:
        for each in study.results.comparisons if study.results else ():
            if each.untested:
                why = retold(each.verdict_text.removeprefix("not tested: "))
                yield f"{study.record.name}, {each.name}: {why}."


def _untold(sources: Sources) -> Iterator[str]:
    any_untold = False
    for study in sources.studies:
        untold = [
            tr("{level} ({size} points)", level=each.name, size=size(min(1.0, each.detectable)))
            for each in (study.results.comparisons if study.results else ())
            if each.verdict == "cannot tell" and not each.untested
        ]
        if untold:
            any_untold = True
            yield tr(
                "{study}, against {base}: {levels}.",
                study=study.record.name,
                base=study.record.base,
                levels=listed(untold, most=_MOST_NAMED),
            )
    if any_untold:
        yield tr("Differences below the size in brackets would often have been missed.")
