"""What became of a study, by one rule for all: from its verdicts, never from the words of its hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from dessin.statistics.comparison import Verdict
from dessin.studies.source import StudySource

Kind = Literal["gain found", "no gain", "undecided", "unfinished"]


@dataclass(frozen=True)
class Outcome:
    """`kind` by the rule, `levels` the names behind each verdict; `these_runs`: one run each."""

    kind: Kind
    levels: tuple[tuple[Verdict | Literal["no result", "not tested"], tuple[str, ...]], ...]
    these_runs: bool


def outcome(study: StudySource) -> Outcome:
    """What became of a study; a study with jobs missing is unfinished, whatever its verdicts so far."""
    judged = study.results.comparisons if study.results else ()
    levels: dict[Verdict | Literal["no result", "not tested"], tuple[str, ...]] = {
        verdict: tuple(each.name for each in judged if each.verdict == verdict and not each.untested)
        for verdict in get_args(Verdict)
    }
    levels["not tested"] = tuple(each.name for each in judged if each.untested)
    known = {study.record.base, *(each.name for each in judged)}
    silent = [level.name for level in study.record.levels if study.results and level.name not in known]
    levels["no result"] = tuple(silent)
    kind: Kind = "no gain"
    if not study.complete:
        kind = "unfinished"
    elif levels["better"]:
        kind = "gain found"
    elif silent or levels["cannot tell"] or levels["not tested"]:
        kind = "undecided"
    named = tuple((verdict, names) for verdict, names in levels.items() if names)
    return Outcome(kind, named, any(each.scope == "these runs" for each in judged))
