"""The wrap-up page: everything gathered, in the order data, cleaning, split, …, final result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.audit.result import Summary
from dessin.page.numbers import counted, listed
from dessin.page.render import render_page
from dessin.reports.wrapup.conclusions import (
    Finding,
    all_findings,
    best_supported,
    gaps,
    holdout_looks,
    never_varied,
)
from dessin.reports.wrapup.data_view import CollectionView, collections, curations, splits, uses
from dessin.reports.wrapup.results_view import ensemble_view, final_view
from dessin.reports.wrapup.sources import Sources, read_sources
from dessin.reports.wrapup.study_view import study_view
from dessin.runs.record import Hardware
from dessin.studies.outcome import RULE, THESE_RUNS

_VERDICTS = {
    "better": "{} better",
    "worse": "{} worse",
    "no difference": "{} no different by what matters",
    "cannot tell": "{} that cannot be told",
}


def wrapup_page(folders: Sequence[Path], audit: Summary | None) -> str:
    """The HTML of the wrap-up of study and run folders, in the order given; `audit` is its summary, if any.

    Drawings are read from where the studies found them; if they are gone, the page has none and says so.

    Raises:
        DessinError: a folder that is neither a study nor a run, one given twice, or damaged files.
    """
    sources = read_sources(folders)
    views = [study_view(study, number) for number, study in enumerate(sources.studies, start=1)]
    found = uses(sources)
    shown = collections(found, audit)
    final = final_view(sources)
    findings = all_findings(sources)
    return render_page(
        "dessin.reports.wrapup",
        "page.html",
        title=f"{_title(shown, sources)}: wrap-up",
        collection=_title(shown, sources),
        collections=shown,
        stranger=audit is not None and not any(view.audit for view in shown),
        audited=audit is not None,
        splits=splits(found),
        curations=curations(found),
        studies={topic: [view for view in views if view.record.topic == topic] for topic in _TOPICS},
        committees=[ensemble_view(source) for source in sources.committees],
        known=bool(views or sources.runs),
        all_studies=views,
        rule=RULE,
        these_runs=THESE_RUNS,
        totals=_totals(sources),
        holdout=holdout_looks(sources),
        verdicts=_verdicts(findings),
        findings=best_supported(findings),
        final=final,
        runs=sources.runs,
        held=never_varied(sources) if views else (),
        gaps=gaps(sources),
        versions=_versions(sources),
        machines=_machines(sources),
        commits=sorted({record.git_commit for record in sources.records if record.git_commit}),
    )


_TOPICS = ("data", "cleaning", "split", "augmentation", "modelling", "ensemble")


def _title(shown: Sequence[CollectionView], sources: Sources) -> str:
    """The collections by name; where ensembles alone are told of, the ones that they note."""
    noted = [found.data for found in sources.chosen]
    names = [view.name for view in shown] or [Path(data).name for data in dict.fromkeys(noted) if data]
    return listed(names) or "a collection"


def _totals(sources: Sources) -> dict[str, float]:
    """Over all studies and runs given."""
    ended = [job.ended for study in sources.studies for job in study.jobs if job.ended]
    own = [run.record for run in sources.runs]
    return {
        "studies": len(sources.studies),
        "runs": len(ended) + len(own),
        "lost": sum(job.status != "finished" for job in ended),
        "seconds": sum(job.seconds for job in ended) + sum(sum(run.timings.values()) for run in own),
    }


def _verdicts(findings: Sequence[Finding]) -> str:
    """How the comparisons ended, in a clause."""
    verdicts = [finding.comparison.verdict for finding in findings]
    parts = [text.format(verdicts.count(name)) for name, text in _VERDICTS.items() if name in verdicts]
    return f"{counted(len(findings), 'comparison')}: {listed(parts)}" if findings else ""


def _versions(sources: Sources) -> tuple[tuple[str, str], ...]:
    """Each package with every version that was used."""
    found: dict[str, dict[str, None]] = {}
    used = [study.record.versions for study in sources.studies]
    used += [record.versions for record in sources.records]
    for versions in used:
        for name, version in versions.items():
            found.setdefault(name, {})[version] = None
    return tuple((name, ", ".join(several)) for name, several in sorted(found.items()))


def _machines(sources: Sources) -> tuple[tuple[Hardware, int], ...]:
    """Each kind of machine with the number of runs that it carried out."""
    kinds = [record.hardware for record in sources.records]
    return tuple((kind, kinds.count(kind)) for kind in dict.fromkeys(kinds))
