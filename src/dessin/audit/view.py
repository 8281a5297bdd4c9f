"""What an audit says: its page, what it prints, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.audit.pictures import contact_sheets, draw_plots, page_uri, thumbnail_uri
from dessin.audit.result import Summary
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
    Fact,
    Facts,
    Gallery,
    Grid,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.numbers import counted, number, percent
from dessin.page.parts import columns, counts, photograph, what_next
from dessin.page.words import Code, Link, Note, Strong, Tag, Words, told

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
            what_next(*steps),
            *([_doubts(doubts, shown)] if doubts else []),
            _numbers(summary, context),
            *_suspects(summary, context, shown),
            *_pairs(context, shown),
            *(_gallery(kind, shown) for kind in kinds if kind.apart),
            _sheets(context),
        ),
        footer=told("Written by dessin from manifest {digest}.", digest=Code(summary.manifest_digest[:12])),
    )


@dataclass(frozen=True)
class _Kind:
    """What one check found."""

    check: Check
    issues: tuple[Issue, ...]

    @property
    def images(self) -> int:
        return len({issue.image_id for issue in self.issues})

    @property
    def apart(self) -> bool:
        """Whether the page shows it in a section of its own."""
        return not self.check.pairs and self.check.name != SuspectLabels.name


def _kinds(issues: Sequence[Issue]) -> list[_Kind]:
    of = {name: tuple(issue for issue in issues if issue.issue == name) for name in CHECKS}
    kinds = [_Kind(check, of[name]) for name, check in CHECKS.items() if of[name]]
    return sorted(kinds, key=lambda kind: not kind.check.urgent)


class _Drawings:
    """The collection's drawings by image_id, as the page shows them."""

    def __init__(self, context: Context) -> None:
        self._scan, self._names = context.scan, context.manifest.names
        self._places = {row.image_id: place for place, row in enumerate(context.manifest.rows)}
        self._labels = {row.image_id: row.label for row in context.manifest.rows}

    def name(self, label: str) -> str:
        return self._names.get(label, label)

    def label(self, image_id: str) -> str:
        return self.name(self._labels[image_id])

    def conflict(self, pair: Pair) -> bool:
        return self._labels[pair.first] != self._labels[pair.second]

    def picture(self, image_id: str, caption: Words = "") -> Picture:
        source = thumbnail_uri(self._scan, self._places[image_id])
        return Picture(source, f"{self.label(image_id)}: {image_id}", caption)

    def labelled(self, image_id: str) -> Picture:
        return self.picture(image_id, (Strong(self.label(image_id)), Note(image_id)))

    def shot(self, issue: Issue) -> Shot:
        """An issue's drawing; of a photograph also its page, as a model sees it."""
        pictures: tuple[Picture, ...] = (self.picture(issue.image_id),)
        if issue.issue == Photographs.name:
            page = page_uri(self._scan, self._places[issue.image_id])
            pictures = photograph(pictures[0].source, page, issue.image_id)
        return Shot(pictures, self.label(issue.image_id), (retold(issue.detail), Note(issue.image_id)))


def _lead(summary: Summary, kinds: Sequence[_Kind]) -> str:
    read = tr(
        "{images} in {classes}, read as {layout}.",
        images=counted(summary.images, "image"),
        classes=counted(summary.classes, "class", "classes"),
        layout="; ".join((translated(summary.layout), *map(retold, summary.notes))),
    )
    urgent = [f"{translated(k.check.title).lower()} ({number(k.images)})" for k in kinds if k.check.urgent]
    found = tr("Nothing was found that needs mending.")
    if urgent:
        found = tr("To mend first: {kinds}.", kinds=", ".join(urgent))
    elif kinds:
        found = tr("Nothing has to be mended; some drawings stand out.")
    return f"{read} {found}"


def _facts(summary: Summary) -> Facts:
    fewest, most = (f(summary.class_counts.values(), default=0) for f in (min, max))
    copies, size = summary.duplicates, tr("none")
    each = tr("{fewest} to {most} images each", fewest=fewest, most=most)
    if fewest == most:
        each = tr("{n} images each", n=most)
    if summary.width and summary.height:
        size = f"{number(summary.width.median)} × {number(summary.height.median)}"
    sets = tr_n("in {n} set", "in {n} sets", copies.sets)
    found = (
        (tr("Images"), summary.images, tr("{n} readable", n=number(summary.readable))),
        (tr("Classes"), summary.classes, each),
        (tr("Copies"), copies.within_class + copies.across_classes, sets),
        (tr("Two labels"), summary.issues["label_conflict"], tr("images in conflict")),
    )
    facts = (Fact(name, number(value), note) for name, value, note in found)
    return Facts((*facts, Fact(tr("Sizes"), size, tr("median, px"))))


def _found(kinds: Sequence[_Kind]) -> Block:
    if not kinds:
        return Sentence(tr("Every file can be read, no drawing occurs twice, and none stands out."))
    rows: list[tuple[Words, int]] = []
    for kind in kinds:
        check = kind.check
        link = Link(translated(check.title), f"#{'pairs' if check.pairs else check.name}")
        first = (" ", Tag(tr("look first"), "warn")) if check.urgent else ()
        rows.append(((link, *first, Note(translated(check.summary))), kind.images))
    return counts(rows, tr("What was found"))


def _doubts(doubts: Sequence[TooMany], shown: _Drawings) -> Section:
    blocks: list[Block] = []
    for doubt in doubts:
        shots = (Shot(tuple(shown.labelled(one) for one in pair if one)) for pair in doubt.examples)
        blocks += [Sentence(doubt.line(undecided())), Gallery(tuple(shots), "large")]
    return Section(tr("More than a fifth: is that so?"), tuple(blocks), anchor="too_many")


def _numbers(summary: Summary, context: Context) -> Section:
    charts = tuple(
        Section(plot.title, (Picture(plot.picture, f"{plot.title}. {plot.caption}", plot.caption, "chart"),))
        for plot in draw_plots(summary, context.scan.measurements)
    )
    files = [(tr("channels {mode}", mode=mode), count) for mode, count in summary.modes.items()]
    files += [(tr("format {format}", format=name), count) for name, count in summary.formats.items()]
    files += [(tr("skipped: {rule}", rule=rule), count) for rule, count in summary.skipped.items()]
    tables = [Section(tr("Files"), (counts(files),))]
    if summary.families:
        tables.append(Section(tr("Families of classes"), (_families(summary),)))
    return Section(tr("The collection in numbers"), (Grid(charts), Grid(tuple(tables))), anchor="numbers")


def _families(summary: Summary) -> Table:
    rows = tuple(
        (f"– {one.name}" if one.parent else one.name, number(one.classes), percent(one.share_of_classes))
        for one in summary.families
    )
    by = tr("From WordNet, by id.") if summary.families_by == "wnid" else tr("From WordNet, by name.")
    return Table(columns((tr("Family"),), (tr("Classes"), tr("Share"))), rows, by, file="families")


def _suspects(summary: Summary, context: Context, shown: _Drawings) -> Iterator[Section]:
    judged = summary.labels
    if not judged:
        return
    lead = tr(
        "{judged} of {all} labels were judged by {models}, each by answers of models that were not trained "
        "on its drawing; these agree in {agree}. About {noise} of the labels may be wrong: an estimate, too "
        "high where models cannot read drawings.",
        judged=number(judged.judged),
        all=number(summary.images),
        models=judged.models,
        agree=judged.right,
        noise=judged.wrong,
    )
    found = context.labels.suspects[:_SUSPECTS_SHOWN] if context.labels else ()
    blocks: tuple[Block, ...] = (Sentence(tr("No label looks implausible.")),)
    if found:
        some, every = number(len(found)), number(judged.suspects)
        which = tr(
            "The {n} least plausible of {all}, the worst first; all labels are in labels.csv.",
            n=some,
            all=every,
        )
        blocks = (Sentence(which), Gallery(tuple(_suspect(one, shown) for one in found), "wide"))
    lead = " ".join((lead, *map(retold, judged.notes)))
    yield Section(tr("Labels that may be wrong"), blocks, lead, "suspect_label")


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
    shots = tuple(_pair(pair, shown) for pair in pairs[:_PAIRS_SHOWN])
    lead = _and_the_rest(lead, len(pairs), len(shots))
    yield Section(tr("Copies, side by side"), (Gallery(shots, "large"),), lead, "pairs")


def _pair(pair: Pair, shown: _Drawings) -> Shot:
    same = {"bytes": tr("same bytes"), "pixels": tr("same pixels"), "near": pair.symmetry}
    tags: list[Words] = [Tag(same[pair.kind])]
    tags += [Tag(tr("two labels"), "warn")] if shown.conflict(pair) else []
    tags += [tr("similarity {value}", value=f"{pair.similarity:.3f}")] if pair.kind == "near" else []
    return Shot((shown.labelled(pair.first), shown.labelled(pair.second)), tags=tuple(tags))


def _gallery(kind: _Kind, shown: _Drawings) -> Section:
    check, shots = kind.check, tuple(shown.shot(issue) for issue in kind.issues[:_GALLERY_SHOWN])
    lead = _and_the_rest(translated(check.summary), len(kind.issues), len(shots))
    gallery = Gallery(shots, "large" if len(shots[0].pictures) > 1 else "medium")
    return Section(translated(check.title), (gallery,), lead, check.name)


def _and_the_rest(lead: str, count: int, shown: int) -> str:
    more = tr("The first {n} are shown; all are in issues.csv.", n=shown)
    return f"{lead} {more}" if count > shown else lead


def _sheets(context: Context) -> Section:
    cards = []
    for sheet in contact_sheets(context):
        some = tr("{n} of {all}", n=sheet.shown, all=number(sheet.count))
        count = some if sheet.shown < sheet.count else number(sheet.count)
        alt = tr("{n} drawings of {label}", n=sheet.count, label=sheet.name)
        picture = Picture(sheet.picture, alt, kind="sheet")
        cards.append(Section(sheet.name, (picture,), tags=(Tag(count, "muted"),)))
    return Section(tr("Every class"), (Grid(tuple(cards), 300),), anchor="classes")


def describe_audit(summary: Summary) -> str:
    """What was found, in a few lines."""
    lines = [tr("{n} of {all} images are readable", n=number(summary.readable), all=number(summary.images))]
    if grounds := summary.grounds.items():
        laid = ", ".join(tr("{n} on {ground}", n=number(count), ground=ground) for ground, count in grounds)
        lines.append(tr("what is transparent is laid on a ground that shows the ink: {laid}", laid=laid))
    for family in summary.families:
        if not family.parent:
            said = {"family": family.name, "n": number(family.classes), "all": number(summary.classes)}
            lines.append(tr("{family}: {n} of {all} classes", **said))
    if summary.labels:
        lines.append(retold(summary.labels.line(summary.images)))
    found = summary.images_of
    column = max(map(len, found), default=0)
    for kind, count in found.items():
        lines.append(f"  {kind:<{column}}  {count:>6,}  {translated(CHECKS[kind].title)}")
    return "\n".join(lines if found else [*lines, tr("no issues found")])


def describe_faults(issues: Sequence[Issue]) -> Iterator[str]:
    """What to say loudly, a line each: the files that cannot be read and why, labels that may be a slip."""
    unread = [one for one in issues if one.issue == UnreadableFiles.name]
    if unread:
        what = counted(len(unread), "image cannot be read", "images cannot be read")
        names = listing([f"{issue.image_id} ({retold(issue.detail)})" for issue in unread])
        yield tr("{what}: {names}", what=what, names=names)
    if odd := [issue.detail for issue in issues if issue.issue == OddLabels.name]:
        yield tr("labels that may be a slip: {names}", names=listing(odd))


def next_steps(
    data: Path,
    out: Path,
    group: str | None,
    summary: Summary,
    doubts: Sequence[TooMany] = (),
    hands: Hands | None = None,
) -> tuple[Step, ...]:
    """What to do after the audit."""
    issues, kinds, curation = out / "issues.csv", default_kinds(), ""
    steps: list[Step] = []
    if any(summary.issues[kind] for kind in kinds):
        why = tr("Set unreadable files, copies and conflicts aside: a list, which touches no image.")
        steps.append(Step(why, curate_command(data, issues, (), Path("curation.csv"))))
        curation = " --curation curation.csv"
    for doubt in doubts:
        why = tr(
            "{title}: more than a fifth of the collection, so the list leaves them in. Where those below are "
            "right, this sets them aside too; then split with --curation curation-all.csv.",
            title=translated(CHECKS[doubt.kind].title),
        )
        steps.append(Step(why, curate_command(data, issues, kinds, Path("curation-all.csv"))))
    if summary.issues[SuspectLabels.name]:
        why = tr(
            "This sets labels that may be wrong aside too. Look at them below; in the list remove the rows "
            "of those that are right, or make a drop a relabel; then split with --curation reviewed.csv."
        )
        wider = (*kinds, SuspectLabels.name)
        steps.append(Step(why, curate_command(data, issues, wider, Path("reviewed.csv"))))
    split = f"dessin split {shlex.quote(str(data))}"
    grouping = f" --group {shlex.quote(group)}" if group else ""
    why = tr("Deal the drawings into folds and a locked holdout, with all copies of one on one side.")
    steps.append(Step(why, f"{split}{grouping}{curation} --out split.csv"))
    if hands:
        steps.append(Step(hands.line, f"{split} {hands.option}{curation} --out split.csv"))
    return tuple(steps)
