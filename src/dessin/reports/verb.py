"""The verb `report`: one self-contained HTML file that a person wants to read, about a run or studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dessin.audit.summary import Summary
from dessin.errors import DessinError
from dessin.files import read_json, write_text
from dessin.progress import say
from dessin.reports.run.view import run_page
from dessin.reports.wrapup.view import wrapup_page
from dessin.runs.record import FILE
from dessin.runs.scout import ScoutRow
from dessin.schema import validated

if TYPE_CHECKING:
    from dessin.audit.measure import AuditResult


def report(
    *sources: str | Path,
    out: str | Path,
    audit: AuditResult | str | Path | None = None,
    scout: Sequence[ScoutRow] = (),
) -> Path:
    """Write the report of `sources` to the file `out` (made anew if it exists) and return its path.

    Args:
        sources: one run for the page about it; else studies, ensembles, distillations and runs, in the order
            of their telling, for the wrap-up. The last run is taken for the final result.
        out: the HTML file.
        audit: an audit's result or its folder.
        scout: the backbones that were tried for a single run.

    Raises:
        DessinError: no source, one that is none of these, or damaged files in it; for a single
            run, one that is not finished.
    """
    folders, out = [Path(source) for source in sources], Path(out)
    if out.is_dir():
        raise DessinError(
            f"{out} is a folder, and the report is one file.", do=f"Use --out {out / 'report.html'}."
        )
    if not folders:
        raise DessinError("Nothing to report on was given.", do="Name a run, or studies and ensembles.")
    summary = _summary(audit)
    if len(folders) == 1 and (folders[0] / FILE).is_file():
        page = run_page(folders[0], _found(summary), scout)
    elif scout:
        raise DessinError("A scout belongs to the report of a single run.", do="Report on that run alone.")
    else:
        page = wrapup_page(folders, summary)
    write_text(out, page)
    say(f"report: {out}")
    return out


def _summary(audit: AuditResult | str | Path | None) -> Summary | None:
    if not isinstance(audit, (str, Path)):
        return audit.summary if audit else None
    path = Path(audit) / "summary.json"
    if not path.is_file():
        raise DessinError(
            f"{audit} is not the folder of an audit: it has no summary.json.",
            do="Name a folder that `dessin audit` wrote.",
        )
    return validated(Summary, read_json(path), str(path))


def _found(summary: Summary | None) -> dict[str, int] | None:
    """The kinds of issues that an audit found at all."""
    return {kind: count for kind, count in summary.issues.items() if count} if summary else None
