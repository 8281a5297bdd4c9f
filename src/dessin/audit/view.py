"""What an audit says: in a few lines, what to do next, and the report for its template."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dessin.audit.pictures import contact_sheets, draw_plots, page_uri, thumbnail_uri
from dessin.audit.result import Spread, Summary
from dessin.collection.checks.base import Check, Context, Issue, SuspectLabel
from dessin.collection.checks.images import Photographs, UnreadableFiles
from dessin.collection.checks.labels import OddLabels
from dessin.collection.checks.pairs import SuspectLabels
from dessin.collection.curation import TooMany, curate_command, too_many
from dessin.collection.duplicates import Pair
from dessin.collection.issues import CHECKS, default_kinds
from dessin.collection.readers.groups import Hands
from dessin.errors import listing
from dessin.page.numbers import counted
from dessin.page.render import render_page

_PAIRS_SHOWN = 60
_SUSPECTS_SHOWN = 60
_GALLERY_SHOWN = 24
# What is said of a kind of issue that names too many images.
UNDECIDED = "which is seldom so, so a curation leaves them in unless you say otherwise"


@dataclass(frozen=True)
class Drawing:
    image_id: str
    label: str
    picture: str


@dataclass(frozen=True)
class ShownPair:
    first: Drawing
    second: Drawing
    kind: str
    symmetry: str
    similarity: float
    conflict: bool


@dataclass(frozen=True)
class ShownSuspect:
    """A drawing with its label, and typical drawings of what it looks like and of what it is said to be."""

    drawing: Drawing
    suggested: str
    probability: float
    like: Drawing | None
    unlike: Drawing | None


@dataclass(frozen=True)
class ShownIssue:
    """`page` is the picture of a photograph's page as a model sees it, or empty."""

    drawing: Drawing
    score: float
    detail: str
    page: str = ""


@dataclass(frozen=True)
class Doubt:
    """A kind of issue that names too many images, in words, with examples of one or two drawings each."""

    line: str
    examples: tuple[tuple[Drawing, ...], ...]


@dataclass(frozen=True)
class Kind:
    """The issues of one check: how many there are, where the page shows them, and the surest of them."""

    check: Check
    count: int
    images: int
    anchor: str
    gallery: tuple[ShownIssue, ...]


def render_report(
    context: Context, issues: Sequence[Issue], summary: Summary, steps: Sequence[tuple[str, str]]
) -> str:
    """The whole report as one HTML page; `steps` are (why, command) of what to do next."""
    drawings = _Drawings(context)
    suspects = context.labels.suspects if context.labels else ()
    pairs = sorted(context.pairs, key=lambda pair: (not drawings.conflict(pair), -pair.similarity))
    doubts = too_many(issues, context.manifest, default_kinds())
    return render_page(
        "dessin.audit",
        "report.html",
        title=f"Audit of {context.manifest.root.resolve().name}",
        summary=summary,
        steps=steps,
        doubts=[drawings.doubt(doubt) for doubt in doubts],
        kinds=_kinds(issues, drawings),
        plots=draw_plots(summary, context.scan.measurements),
        pairs=[drawings.pair(pair) for pair in pairs[:_PAIRS_SHOWN]],
        pair_count=len(pairs),
        suspects=[drawings.suspect(one) for one in suspects[:_SUSPECTS_SHOWN]],
        sheets=contact_sheets(context),
        fewest=min(summary.class_counts.values(), default=0),
        most=max(summary.class_counts.values(), default=0),
    )


class _Drawings:
    """The collection's drawings by image_id, as the template shows them."""

    def __init__(self, context: Context) -> None:
        self._scan = context.scan
        self._rows = {row.image_id: number for number, row in enumerate(context.manifest.rows)}
        self._labels = {row.image_id: row.label for row in context.manifest.rows}
        self._names: Mapping[str, str] = context.manifest.names

    def drawing(self, image_id: str) -> Drawing:
        label = self._labels[image_id]
        picture = thumbnail_uri(self._scan, self._rows[image_id])
        return Drawing(image_id, self._names.get(label, label), picture)

    def suspect(self, suspect: SuspectLabel) -> ShownSuspect:
        # The label is the one that was judged: a curation may have changed it since the manifest was made.
        given = self._names.get(suspect.given, suspect.given)
        return ShownSuspect(
            drawing=replace(self.drawing(suspect.image_id), label=given),
            suggested=self._names.get(suspect.suggested, suspect.suggested),
            probability=suspect.probability,
            like=self.drawing(suspect.like) if suspect.like else None,
            unlike=self.drawing(suspect.unlike) if suspect.unlike else None,
        )

    def doubt(self, doubt: TooMany) -> Doubt:
        pairs = (tuple(self.drawing(name) for name in pair if name) for pair in doubt.examples)
        return Doubt(doubt.line(UNDECIDED), tuple(pairs))

    def issue(self, issue: Issue) -> ShownIssue:
        page = page_uri(self._scan, self._rows[issue.image_id]) if issue.issue == Photographs.name else ""
        return ShownIssue(self.drawing(issue.image_id), issue.score, issue.detail, page)

    def conflict(self, pair: Pair) -> bool:
        return self._labels[pair.first] != self._labels[pair.second]

    def pair(self, pair: Pair) -> ShownPair:
        return ShownPair(
            first=self.drawing(pair.first),
            second=self.drawing(pair.second),
            kind={"bytes": "same bytes", "pixels": "same pixels", "near": "near"}[pair.kind],
            symmetry=pair.symmetry,
            similarity=pair.similarity,
            conflict=self.conflict(pair),
        )


def _kinds(issues: Sequence[Issue], drawings: _Drawings) -> list[Kind]:
    kinds = []
    for name, check in CHECKS.items():
        found = [issue for issue in issues if issue.issue == name]
        if not found:
            continue
        shown = () if check.pairs or name == SuspectLabels.name else found[:_GALLERY_SHOWN]
        gallery = tuple(drawings.issue(issue) for issue in shown)
        images = len({issue.image_id for issue in found})
        kinds.append(Kind(check, len(found), images, "pairs" if check.pairs else name, gallery))
    return sorted(kinds, key=lambda kind: not kind.check.urgent)


def describe_audit(summary: Summary) -> str:
    """What was found, in a few lines."""
    lines = [f"{summary.readable:,} of {summary.images:,} images are readable"]
    modes = ", ".join(f"{count:,} {mode}" for mode, count in summary.modes.items())
    if summary.width and summary.height and summary.ink:
        width, height, ink = summary.width, summary.height, summary.ink
        lines.append(
            f"{_range(width)} px wide, {_range(height)} px high ({modes}); median ink {ink.median:.1%}"
        )
    if summary.grounds:
        laid = ", ".join(f"{count:,} on {ground}" for ground, count in summary.grounds.items())
        lines.append(f"what is transparent is laid on a ground that shows the ink: {laid}")
    for family in summary.families:
        if not family.parent:
            branches = [b for b in summary.families if b.parent == family.name]
            inside = ", ".join(f"{b.name} {b.classes}" for b in branches)
            share = f"{family.classes} of {summary.classes} classes ({family.share_of_classes:.0%})"
            lines.append(f"{family.name}: {share}" + (f", of these {inside}" if inside else ""))
    if summary.labels:
        lines.append(summary.labels.line(summary.images))
    found = {kind: count for kind, count in summary.issues.items() if count}
    column = max(map(len, found), default=0)
    lines += [f"  {kind:<{column}}  {count:>6,}  {CHECKS[kind].title}" for kind, count in found.items()]
    return "\n".join(lines if found else [*lines, "no issues found"])


def describe_unreadable(issues: Sequence[Issue]) -> str:
    """The files that cannot be read and why, in a line; empty where there are none."""
    named = [f"{issue.image_id} ({issue.detail})" for issue in issues if issue.issue == UnreadableFiles.name]
    what = counted(len(named), "image cannot be read", "images cannot be read")
    return f"{what}: {listing(named)}" if named else ""


def describe_labels(issues: Sequence[Issue]) -> str:
    """The labels that may be a slip, in a line; empty where there are none."""
    odd = [issue.detail for issue in issues if issue.issue == OddLabels.name]
    return f"labels that may be a slip: {listing(odd)}" if odd else ""


def _range(spread: Spread) -> str:
    least, most = f"{spread.least:.0f}", f"{spread.most:.0f}"
    return least if least == most else f"{least} to {most}"


def next_steps(
    data: Path,
    out: Path,
    group: str | None,
    summary: Summary,
    doubts: Sequence[TooMany] = (),
    hands: Hands | None = None,
) -> tuple[tuple[str, str], ...]:
    """What to do after the audit: (why, command)."""
    shown, grouping = shlex.quote(str(data)), f" --group {shlex.quote(group)}" if group else ""
    issues = shlex.quote(str(out / "issues.csv"))
    steps = []
    curation = ""
    if any(summary.issues[kind] for kind in default_kinds()):
        steps.append(
            (
                "Set unreadable files, exact duplicates and conflicts aside (a list; no image is touched).",
                f"dessin curate {shown} --issues {issues} --out curation.csv",
            )
        )
        curation = " --curation curation.csv"
    for doubt in doubts:
        steps.append(
            (
                f"{CHECKS[doubt.kind].title}: the list leaves them in, for they are more than a fifth of the "
                "collection. Look at those below; if they are right, this sets them aside too, and you split "
                "with --curation curation-all.csv.",
                curate_command(data, out / "issues.csv", default_kinds(), Path("curation-all.csv")),
            )
        )
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
    if hands:
        steps.append((hands.line, f"dessin split {shown} {hands.option}{curation} --out split.csv"))
    return tuple(steps)
