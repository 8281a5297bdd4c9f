"""The verb `audit`: look at every image of a collection and say what should be known before training."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from dessin.audit.summary import Summary, summarise
from dessin.audit.view import render_report
from dessin.collection.checks.base import Context, Issue
from dessin.collection.checks.labels import SuspectLabels
from dessin.collection.duplicates import Pair, find_duplicates
from dessin.collection.issues import CHECKS, default_kinds, run_checks, write_issues
from dessin.collection.label_review import LabelReview
from dessin.collection.manifest import Manifest, build_manifest, write_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import Scan, scan_images
from dessin.files import claim_folder, write_json, write_text
from dessin.parallel.choose import choose_mapper
from dessin.progress import say, say_once


@dataclass(frozen=True)
class AuditResult:
    """What an audit found; the same as its files hold."""

    manifest: Manifest
    scan: Scan
    pairs: tuple[Pair, ...]
    issues: tuple[Issue, ...]
    summary: Summary


def audit(
    data: str | Path,
    *,
    out: str | Path,
    group: str | None = None,
    executor: str = "local",
    address: str | None = None,
    labels: LabelReview | None = None,
) -> AuditResult:
    """Write report.html, issues.csv, summary.json and manifest.csv of a collection into the folder `out`.

    Args:
        data: class folders, a CSV or a contest folder.
        group: a regex or a CSV column that says which images belong together; kept in the manifest.
        executor: `local`, or `ray` to decode and measure the images on all nodes of a Ray cluster.
        address: of that cluster, `auto` or `host:port`; by default a Ray of this machine alone.
        labels: what models say about the labels, to be shown with the rest.

    Raises:
        DessinError: the collection cannot be read, or `out` already holds something, or no such cluster.
    """
    mapper = choose_mapper(executor, address)
    data, out = Path(data), Path(out)
    collection = read_collection(data, group=group)
    claim_folder(out, what="an audit")
    say_once(describe_collection(collection))
    manifest = build_manifest(collection)
    scan = scan_images(manifest, mapper)
    pairs = find_duplicates(manifest, scan)
    context = Context(manifest, scan, pairs, labels)
    issues = run_checks(context)
    numbers = labels.numbers if labels else None
    summary = summarise(collection, manifest, scan, pairs, issues, numbers)
    result = AuditResult(manifest, scan, pairs, issues, summary)
    write_manifest(manifest, out / "manifest.csv")
    write_issues(issues, out / "issues.csv")
    write_json(out / "summary.json", summary.model_dump(mode="json"))
    steps = next_steps(data, out, group, summary)
    write_text(out / "report.html", render_report(context, issues, summary, steps))
    say(describe_audit(summary))
    say(f"report: {out / 'report.html'}")
    return result


def describe_audit(summary: Summary) -> str:
    """What was found, in a few lines."""
    lines = [f"{summary.readable:,} of {summary.images:,} images are readable"]
    modes = ", ".join(f"{count:,} {mode}" for mode, count in summary.modes.items())
    if summary.width and summary.height and summary.ink:
        width, height, ink = summary.width, summary.height, summary.ink
        lines.append(
            f"{width.least:.0f} to {width.most:.0f} px wide, {height.least:.0f} to {height.most:.0f} px high "
            f"({modes}); median ink {ink.median:.1%}"
        )
    for family in summary.families:
        if not family.parent:
            branches = [b for b in summary.families if b.parent == family.name]
            inside = "; ".join(f"{b.classes} {b.name}" for b in branches)
            share = f"{family.classes} of {summary.classes} classes ({family.share_of_classes:.0%})"
            lines.append(f"{family.name}: {share}" + (f", of these {inside}" if inside else ""))
    if summary.labels:
        lines.append(summary.labels.line(summary.images))
    found = {kind: count for kind, count in summary.issues.items() if count}
    column = max(map(len, found), default=0)
    lines += [f"  {kind:<{column}}  {count:>6,}  {CHECKS[kind].title}" for kind, count in found.items()]
    return "\n".join(lines if found else [*lines, "no issues found"])


def next_steps(data: Path, out: Path, group: str | None, summary: Summary) -> tuple[tuple[str, str], ...]:
    """What to do after the audit: (why, command)."""
    shown, grouping = shlex.quote(str(data)), f" --group {shlex.quote(group)}" if group else ""
    curate = any(summary.issues[kind] for kind in default_kinds())
    issues = shlex.quote(str(out / "issues.csv"))
    steps = []
    curation = ""
    if curate:
        steps.append(
            (
                "Set unreadable files, exact duplicates and conflicts aside (a list; no image is touched).",
                f"dessin curate {shown} --issues {issues} --out curation.csv",
            )
        )
        curation = " --curation curation.csv"
    if summary.issues[SuspectLabels.name]:
        steps.append(
            (
                "Look at the labels that may be wrong, below. This sets them aside with the rest: from its "
                "list remove the rows of drawings that are right, or make a drop a relabel with the new "
                "label; then split with --curation reviewed.csv.",
                f"dessin curate {shown} --issues {issues} "
                f"--kinds {','.join((*default_kinds(), SuspectLabels.name))} --out reviewed.csv",
            )
        )
    steps.append(
        (
            "Deal the drawings into folds and a locked holdout, with all copies of a drawing on one side.",
            f"dessin split {shown}{grouping}{curation} --out split.csv",
        )
    )
    return tuple(steps)
