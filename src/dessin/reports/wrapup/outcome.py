"""What became of a study, by one rule for all: from the verdicts, never from the hypothesis' words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dessin.reports.wrapup.sources import Sources, StudySource
from dessin.statistics.comparison import Comparison
from dessin.statistics.verdicts import Verdict

Kind = Literal["gain found", "no gain", "undecided", "unfinished"]
RULE = (
    "A hypothesis is free text, which no program can judge; so the outcome says what the levels did, by one "
    "rule. Gain found: at least one level is better than the base, after Holm's correction. No gain: every "
    "level is worse, or differs by less than what matters. Undecided: no level is better, and of at least "
    "one it cannot be told, or there is no result. Unfinished: the runs are not all there."
)
THESE_RUNS = (
    "Only one run of each level was compared, so this is about these trained models: how much the luck of a "
    "training matters is not known."
)


@dataclass(frozen=True)
class Outcome:
    """`kind` by the rule, `levels` the names behind each verdict; `these_runs`: one run each."""

    kind: Kind
    levels: tuple[tuple[Verdict | Literal["no result"], tuple[str, ...]], ...]
    these_runs: bool


@dataclass(frozen=True)
class Finding:
    """A comparison together with the study that it is from."""

    study: StudySource
    comparison: Comparison


def outcome(study: StudySource) -> Outcome:
    """What became of a study; a study with jobs missing is unfinished, whatever its verdicts so far."""
    judged = study.results.comparisons if study.results else ()
    expected = [level.name for level in study.record.levels if level.name != study.record.base]
    silent = tuple(name for name in expected if study.results and name not in {item.name for item in judged})
    named = [(verdict, _named(judged, verdict)) for verdict in get_args(Verdict)]
    levels = tuple((verdict, names) for verdict, names in (*named, ("no result", silent)) if names)
    these_runs = any(comparison.scope == "these runs" for comparison in judged)
    return Outcome(_kind(study, judged, silent), levels, these_runs)


def _named(judged: Sequence[Comparison], verdict: Verdict) -> tuple[str, ...]:
    return tuple(comparison.name for comparison in judged if comparison.verdict == verdict)


def _kind(study: StudySource, judged: Sequence[Comparison], silent: Sequence[str]) -> Kind:
    verdicts = {comparison.verdict for comparison in judged}
    if not study.complete:
        return "unfinished"
    if "better" in verdicts:
        return "gain found"
    return "undecided" if silent or "cannot tell" in verdicts else "no gain"


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
    found = [finding for finding in findings if finding.comparison.verdict in ("better", "worse")]
    return tuple(sorted(found, key=_support)[:most])


def _support(finding: Finding) -> tuple[bool, float, float]:
    comparison = finding.comparison
    return comparison.scope != "recipes", comparison.p_holm, -abs(comparison.difference.value)
