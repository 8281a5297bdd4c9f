"""The report of a distillation: accuracy paid, speed gained, and whether the teacher was needed."""

from __future__ import annotations

from collections.abc import Mapping

from dessin.experiments.committees.distill_outcome import COMMITTEE, STUDENT, WHOLE, DistillResults
from dessin.experiments.committees.distill_parts import TrainedRun
from dessin.page.numbers import plain, points, share, spent
from dessin.page.render import render_page
from dessin.runs.record import read_record
from dessin.statistics.forest import draw_forest
from dessin.statistics.verdicts import written_p


def distill_page(results: DistillResults, runs: Mapping[str, TrainedRun]) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    return render_page(
        "dessin.experiments.committees",
        "distill.html",
        title=f"{results.committee}, distilled into {results.student}",
        results=results,
        forest=draw_forest((results.paid, results.gained), results.matters),
        differences={row.against: row for row in (results.paid, results.gained)},
        batches=sorted({pace.batch for pace in results.speed.paces}, reverse=True),
        speeds=(WHOLE, COMMITTEE, STUDENT),
        gains={(gain.against, gain.batch): gain for gain in results.speed.gains},
        sizes={
            WHOLE: results.whole,
            COMMITTEE: results.named(COMMITTEE).size,
            STUDENT: results.named(STUDENT).size,
        },
        runs=[_run_row(run) for run in runs.values()],
        share=share,
        points=points,
        plain=plain,
        written_p=written_p,
        pace=pace,
    )


def pace(rate: float) -> str:
    """Images a second: `8.24` → `8.2`, `431.6` → `432`."""
    return f"{rate:.1f}" if rate < 100 else f"{rate:,.0f}".replace(",", "\u202f")


def _run_row(run: TrainedRun) -> dict[str, object]:
    """A trained student as a row of the table, from its run's record."""
    record = read_record(run.folder)
    validation = record.results.get("validation")
    return {
        "what": run.planned.what,
        "run": run.folder.name,
        "train": record.counts.train,
        "accuracy": validation.accuracy if validation else None,
        "seconds": spent(sum(record.timings.values())),
    }
