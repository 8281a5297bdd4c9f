"""What an audit says: its page, what it prints, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.audit.pictures import contact_sheets, draw_plots, page_uri, thumbnail_uri
from dessin.audit.result import Spread, Summary
from dessin.collection.checks.base import Check, Context, Issue, SuspectLabel
from dessin.collection.checks.images import Photographs, UnreadableFiles
from dessin.collection.checks.labels import OddLabels
from dessin.collection.checks.pairs import SuspectLabels
from dessin.collection.curation import TooMany, curate_command
from dessin.collection.duplicates import Pair
from dessin.collection.issues import CHECKS, default_kinds
from dessin.collection.readers.groups import Hands
from dessin.errors import listing
from dessin.language import Phrase, phrase, retold, tr, tr_n, translated
from dessin.page.blocks import (
    Block,
    Column,
    Fact,
    Facts,
    Gallery,
    GallerySize,
    Grid,
    Next,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.numbers import counted, number, percent
from dessin.page.words import Bar, Code, Link, Note, Strong, Tag, Words, told

_PAIRS_SHOWN = 60
_SUSPECTS_SHOWN = 60
_GALLERY_SHOWN = 24


def undecided() -> Phrase:
    """What is said of a kind of issue that names too many images."""
    return phrase("which is seldom so, so a curation leaves them in unless you say otherwise")


def audit_page(
    context: Context,
    issues: Sequence[Issue],
    summary: Summary,
    steps: Sequence[Step],
    doubts: Sequence[TooMany] = (),
) -> Page:
    """The whole report; `steps` are what to do next, `doubts` the kinds that name too many images."""
    shown = _Drawings(context)
    kinds = _kinds(issues)
    return Page(
        title=tr("What is in {collection}?", collection=context.manifest.root.resolve().name),
        lead=_lead(summary, kinds),
        blocks=(
            _facts(summary),
            _found(kinds),
            Section(tr("What to do next"), (Next(tuple(steps)),), anchor="next"),
            *([_doubts(doubts, shown)] if doubts else []),
            _numbers(summary, context),
            *_suspects(summary, context, shown),
            *_pairs(context, shown),
            *(_gallery(kind, shown) for kind in kinds if kind.shown),
            _sheets(context),
        ),
        footer=told("Written by dessin from manifest {digest}.", digest=Code(summary.manifest_digest[:12])),
    )


@dataclass(frozen=True)
class _Kind:
    """The issues of one check: how many there are, where the page shows them, and the surest of them."""

    check: Check
    count: int
    images: int
    anchor: str
    shown: tuple[Issue, ...]


def _kinds(issues: Sequence[Issue]) -> list[_Kind]:
    kinds = []
    for name, check in CHECKS.items():
        found = [issue for issue in issues if issue.issue == name]
        if not found:
            continue
        shown = () if check.pairs or name == SuspectLabels.name else tuple(found[:_GALLERY_SHOWN])
        images = len({issue.image_id for issue in found})
        kinds.append(_Kind(check, len(found), images, "pairs" if check.pairs else name, shown))
    return sorted(kinds, key=lambda kind: not kind.check.urgent)


class _Drawings:
    """The collection's drawings by image_id, as the page shows them."""

    def __init__(self, context: Context) -> None:
        self._scan = context.scan
        self._rows = {row.image_id: number for number, row in enumerate(context.manifest.rows)}
        self._labels = {row.image_id: row.label for row in context.manifest.rows}
        self._names: Mapping[str, str] = context.manifest.names

    def name(self, label: str) -> str:
        return self._names.get(label, label)

    def label(self, image_id: str) -> str:
        return self.name(self._labels[image_id])

    def conflict(self, pair: Pair) -> bool:
        return self._labels[pair.first] != self._labels[pair.second]

    def picture(self, image_id: str, caption: Words = "") -> Picture:
        source = thumbnail_uri(self._scan, self._rows[image_id])
        return Picture(source, f"{self.label(image_id)}: {image_id}", caption)

    def labelled(self, image_id: str) -> Picture:
        return self.picture(image_id, (Strong(self.label(image_id)), Note(image_id)))

    def shot(self, issue: Issue) -> Shot:
        """An issue's drawing; of a photograph also its page, as a model sees it."""
        label, note = self.label(issue.image_id), (retold(issue.detail), Note(issue.image_id))
        if issue.issue != Photographs.name:
            return Shot((self.picture(issue.image_id),), label, note)
        page = page_uri(self._scan, self._rows[issue.image_id])
        taken = self.picture(issue.image_id, tr("as it was taken"))
        seen = Picture(page, tr("the page of {image}", image=issue.image_id), tr("as the model sees it"))
        return Shot((taken, seen), label, note)


def _lead(summary: Summary, kinds: Sequence[_Kind]) -> str:
    read = tr(
        "{images} in {classes}, read as {layout}.",
        images=counted(summary.images, "image"),
        classes=counted(summary.classes, "class", "classes"),
        layout="; ".join((translated(summary.layout), *map(retold, summary.notes))),
    )
    urgent = [f"{translated(k.check.title).lower()} ({number(k.images)})" for k in kinds if k.check.urgent]
    if urgent:
        return f"{read} {tr('To mend first: {kinds}.', kinds=', '.join(urgent))}"
    if kinds:
        return f"{read} {tr('Nothing has to be mended; some drawings stand out.')}"
    return f"{read} {tr('Nothing was found that needs mending.')}"


def _facts(summary: Summary) -> Facts:
    fewest, most = (f(summary.class_counts.values(), default=0) for f in (min, max))
    copies = summary.duplicates
    each = (
        tr("{n} images each", n=most)
        if fewest == most
        else tr("{fewest} to {most} images each", fewest=fewest, most=most)
    )
    size = tr("none")
    if summary.width and summary.height:
        size = f"{number(summary.width.median)} × {number(summary.height.median)}"
    readable = tr("{n} readable", n=number(summary.readable))
    return Facts(
        (
            Fact(tr("Images"), number(summary.images), readable),
            Fact(tr("Classes"), number(summary.classes), each),
            Fact(
                tr("Copies"),
                number(copies.within_class + copies.across_classes),
                tr_n("in {n} set", "in {n} sets", copies.sets),
            ),
            Fact(tr("Two labels"), number(summary.issues["label_conflict"]), tr("images in conflict")),
            Fact(tr("Sizes"), size, tr("median, px")),
        )
    )


def _found(kinds: Sequence[_Kind]) -> Table | Sentence:
    if not kinds:
        return Sentence(tr("Every file can be read, no drawing occurs twice, and none stands out."))
    rows: list[tuple[Words, ...]] = []
    for kind in kinds:
        link = Link(translated(kind.check.title), f"#{kind.anchor}")
        first = (" ", Tag(tr("look first"), "warn")) if kind.check.urgent else ()
        rows.append(((link, *first, Note(translated(kind.check.summary))), number(kind.images)))
    return Table((Column(tr("What was found")), Column(tr("Images"), number=True)), tuple(rows))


def _doubts(doubts: Sequence[TooMany], shown: _Drawings) -> Section:
    blocks: list[Block] = []
    for doubt in doubts:
        shots = (Shot(tuple(shown.labelled(one) for one in pair if one)) for pair in doubt.examples)
        blocks += [Sentence(doubt.line(undecided())), Gallery(tuple(shots), "large")]
    return Section(tr("More than a fifth: is that so?"), tuple(blocks), anchor="too_many")


def _numbers(summary: Summary, context: Context) -> Section:
    plots = draw_plots(summary, context.scan.measurements)
    charts = (
        Section(plot.title, (Picture(plot.picture, f"{plot.title}. {plot.caption}", plot.caption, "chart"),))
        for plot in plots
    )
    kinds = (
        (translated("channels {mode}"), "mode", summary.modes),
        (translated("format {format}"), "format", summary.formats),
        (translated("skipped: {rule}"), "rule", summary.skipped),
    )
    rows = tuple(
        (text.format(**{place: value}), number(count))
        for text, place, counts in kinds
        for value, count in counts.items()
    )
    files = Section(tr("Files"), (Table((Column(tr("What")), Column(tr("Images"), number=True)), rows),))
    tables = [files, *([_families(summary)] if summary.families else [])]
    return Section(
        tr("The collection in numbers"), (Grid(tuple(charts)), Grid(tuple(tables))), anchor="numbers"
    )


def _families(summary: Summary) -> Section:
    columns = (
        Column(tr("Family")),
        Column(tr("Share of the classes")),
        Column(tr("Classes"), number=True),
        Column(tr("Share"), number=True),
    )
    rows = tuple(
        (
            f"– {family.name}" if family.parent else family.name,
            Bar(family.share_of_classes, percent(family.share_of_classes)),
            number(family.classes),
            percent(family.share_of_classes),
        )
        for family in summary.families
    )
    by = tr("From WordNet, by id.") if summary.families_by == "wnid" else tr("From WordNet, by name.")
    return Section(tr("Families of classes"), (Table(columns, rows, note=by, file="families"),))


def _suspects(summary: Summary, context: Context, shown: _Drawings) -> Iterator[Section]:
    judged = summary.labels
    if not judged:
        return
    lead = tr(
        "{judged} of {all} labels were judged by {models}, each by answers of models that were not "
        "trained on its drawing; the answers agree with the label in {agree} (95% interval {low} to {high}). "
        "About {noise} of the labels may be wrong (95% interval {noise_low} to {noise_high}). It is an "
        "estimate: drawings that the models cannot read make it too high, wrong labels that resemble the "
        "right ones too low.",
        judged=number(judged.judged),
        all=number(summary.images),
        models=judged.models,
        agree=percent(judged.accuracy),
        low=percent(judged.accuracy_low),
        high=percent(judged.accuracy_high),
        noise=percent(judged.noise, 1),
        noise_low=percent(judged.noise_low, 1),
        noise_high=percent(judged.noise_high, 1),
    )
    lead = " ".join((lead, *map(retold, judged.notes)))
    title, found = tr("Labels that may be wrong"), context.labels.suspects if context.labels else ()
    if not found:
        yield Section(title, (Sentence(tr("No label looks implausible.")),), lead, "suspect_label")
        return
    some = found[:_SUSPECTS_SHOWN]
    which = tr("The {n} least plausible, the worst first.", n=len(some))
    if judged.suspects > len(some):
        which = tr(
            "The {n} least plausible of {all}; the others are in issues.csv.",
            n=len(some),
            all=number(judged.suspects),
        )
    beside = tr(
        "Every label that was judged is in labels.csv. Beside a drawing there are typical ones of the class "
        "that it looks like and of the class that it is said to be."
    )
    shots = tuple(_suspect(one, shown) for one in some)
    yield Section(title, (Sentence(f"{which} {beside}"), Gallery(shots, "wide")), lead, "suspect_label")


def _suspect(suspect: SuspectLabel, shown: _Drawings) -> Shot:
    # The label is the one that was judged: a curation may have changed it since the manifest was made.
    given, suggested = shown.name(suspect.given), shown.name(suspect.suggested)
    looks = tr("looks like {label} ({share})", label=suggested, share=percent(suspect.probability))
    caption = (Strong(tr("labelled {label}", label=given)), f" {looks}", Note(suspect.image_id))
    pictures = [shown.picture(suspect.image_id, caption)]
    for label, other in ((suggested, suspect.like), (given, suspect.unlike)):
        typical = (Strong(label), f" {tr('a typical one')}")
        pictures.append(shown.picture(other, typical) if other else Picture("", tr("no picture"), typical))
    return Shot(tuple(pictures))


def _pairs(context: Context, shown: _Drawings) -> Iterator[Section]:
    pairs = sorted(context.pairs, key=lambda pair: (not shown.conflict(pair), -pair.similarity))
    if not pairs:
        return
    lead = tr_n("{n} pair, those across classes first.", "{n} pairs, those across classes first.", len(pairs))
    if len(pairs) > _PAIRS_SHOWN:
        lead = tr(
            "The first {n} of {all} pairs, those across classes first; all are in issues.csv.",
            n=_PAIRS_SHOWN,
            all=number(len(pairs)),
        )
    lead += " " + tr("The symmetry turns the left drawing into the right one.")
    shots = tuple(_pair(pair, shown) for pair in pairs[:_PAIRS_SHOWN])
    yield Section(tr("Copies, side by side"), (Gallery(shots, "large"),), lead, "pairs")


def _pair(pair: Pair, shown: _Drawings) -> Shot:
    same = {"bytes": tr("same bytes"), "pixels": tr("same pixels"), "near": pair.symmetry}
    tags: list[Words] = [Tag(same[pair.kind])]
    tags += [Tag(tr("two labels"), "warn")] if shown.conflict(pair) else []
    tags += [tr("similarity {value}", value=f"{pair.similarity:.3f}")] if pair.kind == "near" else []
    return Shot((shown.labelled(pair.first), shown.labelled(pair.second)), tags=tuple(tags))


def _gallery(kind: _Kind, shown: _Drawings) -> Section:
    lead = translated(kind.check.summary)
    if kind.count > len(kind.shown):
        lead += " " + tr(
            "The surest {n} of {all}; all are in issues.csv.", n=len(kind.shown), all=number(kind.count)
        )
    shots = tuple(shown.shot(issue) for issue in kind.shown)
    size: GallerySize = "large" if len(shots[0].pictures) > 1 else "medium"
    return Section(translated(kind.check.title), (Gallery(shots, size),), lead, kind.anchor)


def _sheets(context: Context) -> Section:
    cards = []
    for sheet in contact_sheets(context):
        some = tr("{n} of {all}", n=sheet.shown, all=number(sheet.count))
        count = some if sheet.shown < sheet.count else number(sheet.count)
        alt = tr("{n} drawings of {label}", n=sheet.count, label=sheet.name)
        cards.append(
            Section(sheet.name, (Picture(sheet.picture, alt, kind="sheet"),), tags=(Tag(count, "muted"),))
        )
    lead = tr("A contact sheet of each class, to see at a glance what belongs and what does not.")
    return Section(tr("Every class"), (Grid(tuple(cards), 300),), lead, "classes")


def describe_audit(summary: Summary) -> str:
    """What was found, in a few lines."""
    lines = [
        tr("{n} of {all} images are readable", n=number(summary.readable), all=number(summary.images)),
    ]
    modes = ", ".join(f"{count:,} {mode}" for mode, count in summary.modes.items())
    if summary.width and summary.height and summary.ink:
        width, height, ink = summary.width, summary.height, summary.ink
        lines.append(
            tr(
                "{width} px wide, {height} px high ({modes}); median ink {ink}",
                width=_range(width),
                height=_range(height),
                modes=modes,
                ink=percent(ink.median, 1),
            )
        )
    if summary.grounds:
        laid = ", ".join(
            tr("{n} on {ground}", n=number(count), ground=ground) for ground, count in summary.grounds.items()
        )
        lines.append(tr("what is transparent is laid on a ground that shows the ink: {laid}", laid=laid))
    for family in summary.families:
        if not family.parent:
            branches = [b for b in summary.families if b.parent == family.name]
            inside = ", ".join(f"{b.name} {b.classes}" for b in branches)
            line = tr(
                "{family}: {n} of {all} classes ({share})",
                family=family.name,
                n=family.classes,
                all=summary.classes,
                share=percent(family.share_of_classes),
            )
            lines.append(tr("{line}, of these {inside}", line=line, inside=inside) if inside else line)
    if summary.labels:
        lines.append(retold(summary.labels.line(summary.images)))
    found = summary.images_of
    column = max(map(len, found), default=0)
    lines += [
        f"  {kind:<{column}}  {count:>6,}  {translated(CHECKS[kind].title)}" for kind, count in found.items()
    ]
    return "\n".join(lines if found else [*lines, tr("no issues found")])


def describe_unreadable(issues: Sequence[Issue]) -> str:
    """The files that cannot be read and why, in a line; empty where there are none."""
    named = [
        f"{issue.image_id} ({retold(issue.detail)})"
        for issue in issues
        if issue.issue == UnreadableFiles.name
    ]
    what = counted(len(named), "image cannot be read", "images cannot be read")
    return tr("{what}: {names}", what=what, names=listing(named)) if named else ""


def describe_labels(issues: Sequence[Issue]) -> str:
    """The labels that may be a slip, in a line; empty where there are none."""
    odd = [issue.detail for issue in issues if issue.issue == OddLabels.name]
    return tr("labels that may be a slip: {names}", names=listing(odd)) if odd else ""


def _range(spread: Spread) -> str:
    least, most = f"{spread.least:.0f}", f"{spread.most:.0f}"
    return least if least == most else tr("{low} to {high}", low=least, high=most)


def next_steps(
    data: Path,
    out: Path,
    group: str | None,
    summary: Summary,
    doubts: Sequence[TooMany] = (),
    hands: Hands | None = None,
) -> tuple[Step, ...]:
    """What to do after the audit."""
    shown, grouping = shlex.quote(str(data)), f" --group {shlex.quote(group)}" if group else ""
    issues = shlex.quote(str(out / "issues.csv"))
    steps = []
    curation = ""
    if any(summary.issues[kind] for kind in default_kinds()):
        steps.append(
            Step(
                tr(
                    "Set unreadable files, exact duplicates and conflicts aside (a list; no image is "
                    "touched)."
                ),
                f"dessin curate {shown} --issues {issues} --out curation.csv",
            )
        )
        curation = " --curation curation.csv"
    for doubt in doubts:
        steps.append(
            Step(
                tr(
                    "{title}: the list leaves them in, for they are more than a fifth of the collection. "
                    "Look at "
                    "those below; if they are right, this sets them aside too, and you split with --curation "
                    "curation-all.csv.",
                    title=translated(CHECKS[doubt.kind].title),
                ),
                curate_command(data, out / "issues.csv", default_kinds(), Path("curation-all.csv")),
            )
        )
    if summary.issues[SuspectLabels.name]:
        steps.append(
            Step(
                tr(
                    "Look at the labels that may be wrong, below. This sets them aside with the rest: from "
                    "its "
                    "list remove the rows of drawings that are right, or make a drop a relabel with the new "
                    "label; then split with --curation reviewed.csv."
                ),
                f"dessin curate {shown} --issues {issues} "
                f"--kinds {','.join((*default_kinds(), SuspectLabels.name))} --out reviewed.csv",
            )
        )
    steps.append(
        Step(
            tr(
                "Deal the drawings into folds and a locked holdout, with all copies of a drawing on one side."
            ),
            f"dessin split {shown}{grouping}{curation} --out split.csv",
        )
    )
    if hands:
        steps.append(Step(hands.line, f"dessin split {shown} {hands.option}{curation} --out split.csv"))
    return tuple(steps)
