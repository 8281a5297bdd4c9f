"""The verb `report`: one self-contained HTML file that a person wants to read, about a run or studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dessin.answers.committee import find_home
from dessin.audit.result import Summary
from dessin.errors import DessinError
from dessin.language import tr
from dessin.page.html import pages_below, write_page
from dessin.page.notebook import ShownPath
from dessin.page.text import write_markdown
from dessin.progress import say
from dessin.reading import read_json
from dessin.reports.home import home_page, is_result, results_below
from dessin.reports.run.made import Around
from dessin.reports.run.view import run_page
from dessin.reports.wrapup.view import wrapup_page
from dessin.runs.fold_group import is_run
from dessin.runs.scout import ScoutRow, read_scout
from dessin.schema import validated

if TYPE_CHECKING:
    from dessin.audit.result import AuditResult


def report(
    *sources: str | Path,
    out: str | Path,
    audit: AuditResult | str | Path | None = None,
    scout: Sequence[ScoutRow] | str | Path | None = None,
) -> ShownPath:
    """Write one page that a person wants to read: about a run, or about studies and a final run.

    Args:
        sources: One run, or group of folds, for the page about it; a folder of results for a home that links
            to all of them; else studies, runs, and ensembles, soups, routed models and students, in the order
            of their telling, for the wrap-up. The last run is taken for the final result.
        out: The page to write (.html), or Markdown for a wiki with its pictures beside it (.md); made anew if
            it exists.
        audit: The folder of an audit of the data.
        scout: The folder of a scout, for a single run: the backbones that were tried.

    Returns:
        The page's path, which a notebook shows as the page.

    Raises:
        DessinError: no source, one that is none of these, or damaged files in it; for a single
            run, one that is not finished.
    """
    folders, out = [find_home(Path(source)) for source in sources], Path(out)
    if out.is_dir():
        raise DessinError(
            f"{out} is a folder, and the report is one file.", do=f"Use --out {out / 'report.html'}."
        )
    if not folders:
        raise DessinError("Nothing to report on was given.", do="Name a run, or studies and ensembles.")
    summary, write = _summary(audit), write_markdown if out.suffix == ".md" else write_page
    if len(folders) == 1 and is_run(folders[0]):
        tried = read_scout(Path(scout)) if isinstance(scout, str | Path) else tuple(scout or ())
        around = Around(issues=_found(summary), scout=tried, pages=pages_below(folders[0], out))
        page = run_page(folders[0], around)
    elif not scout and len(folders) == 1 and (found := _workspace(folders[0])):
        page = home_page(folders[0], found, out)
    elif scout:
        raise DessinError("A scout belongs to the report of a single run.", do="Report on that run alone.")
    else:
        page = wrapup_page(folders, summary, out)
    write(out, page)
    say(tr("report: {file}", file=out))
    return ShownPath(out).with_page(page, out.parent)


def _workspace(folder: Path) -> tuple[Path, ...]:
    """The results below a folder that is none itself."""
    return () if is_result(folder) else results_below(folder)


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
    return summary.images_of if summary else None
