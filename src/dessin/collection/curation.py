"""A curation: keep, drop and relabel rows with reasons, applied to a manifest and never to the images."""

from __future__ import annotations

import functools
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

from dessin.collection.checks.base import Issue
from dessin.collection.duplicates import UnionFind
from dessin.collection.issues import CHECKS, default_kinds, read_issues
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.walk import nfc
from dessin.errors import DessinError, listing, quoted, unknown
from dessin.files import digest_of, write_csv
from dessin.language import Phrase, phrase, tr
from dessin.ops import names
from dessin.page.notebook import Shown
from dessin.page.numbers import counted, number, percent
from dessin.progress import say, say_once, warn
from dessin.reading import read_csv

_PAIR_KINDS = ("exact_duplicate", "near_duplicate")
# Of a collection, that one kind of issue sets aside without being asked to. Where people's own drawings have
# more copies, conflicts or damaged files than this, it is mostly dessin that misread them.
MOST_SET_ASIDE = 0.2
_EXAMPLES, _SHORT = 6, 48


@dataclass(frozen=True)
class Drop:
    """Why an image is dropped; `copy_of` is the image that is kept in its place, or empty."""

    reason: str
    copy_of: str = ""


def dropped(issues: Sequence[Issue], labels: Mapping[str, str], kinds: Sequence[str]) -> dict[str, Drop]:
    """image_id → why it is dropped.

    A label conflict sets every side aside, with the exact copies of each side. Of duplicates inside a class
    the first readable one, by image_id, stays. Every other kind drops the image that it names.

    Raises:
        DessinError: an unknown kind, or half a pair.
    """
    for kind in kinds:
        if kind not in CHECKS:
            raise unknown("kind of issue", kind, CHECKS)
    for issue in issues:
        if CHECKS[issue.issue].pairs and issue.other_id not in labels:
            raise DessinError(
                f"The {issue.issue} of {issue.image_id} does not name the other image.",
                do="Make the issues anew with dessin audit.",
            )
    drops: dict[str, Drop] = {}
    order = list(CHECKS)
    for issue in sorted(issues, key=lambda i: (order.index(i.issue), i.image_id, i.other_id)):
        if issue.issue in kinds and not CHECKS[issue.issue].pairs:
            drops.setdefault(issue.image_id, Drop(f"{issue.issue}: {issue.detail or f'{issue.score:.2f}'}"))
    if "label_conflict" in kinds:
        for image_id, reason in _conflicts(issues, labels).items():
            drops.setdefault(image_id, Drop(reason))
    for kind in _PAIR_KINDS:
        if kind in kinds:
            drops.update(_copies(issues, labels, kind, set(drops)))
    return drops


def kept_first(drops: Mapping[str, Drop]) -> dict[str, int]:
    """The images that stay in place of dropped copies, with the number of those."""
    counts = Counter(drop.copy_of for drop in drops.values() if drop.copy_of)
    return {image_id: copies for image_id, copies in counts.items() if image_id not in drops}


def _conflicts(issues: Iterable[Issue], labels: Mapping[str, str]) -> dict[str, str]:
    copies: UnionFind[str] = UnionFind()
    sides: dict[str, str] = {}
    for issue in sorted(issues, key=lambda i: (i.image_id, i.other_id)):
        if issue.issue == "exact_duplicate":
            copies.join(issue.image_id, issue.other_id)
        if issue.issue == "label_conflict":
            sides.setdefault(issue.image_id, issue.other_id)
            sides.setdefault(issue.other_id, issue.image_id)
    reasons = {i: f"label_conflict: also {other}, labelled {labels[other]}" for i, other in sides.items()}
    # An exact copy of a conflicting image is in the same conflict, even where the audit names one of them.
    sources = {copies.find(image_id): image_id for image_id in sorted(sides, reverse=True)}
    for image_id in labels:
        source = sources.get(copies.find(image_id))
        if source is not None and image_id not in reasons:
            reasons[image_id] = f"label_conflict: a copy of {source}, which is in conflict"
    return reasons


def _copies(issues: Iterable[Issue], labels: Mapping[str, str], kind: str, gone: set[str]) -> dict[str, Drop]:
    """Of each set of copies, the later ones of each class; exact copies link near ones and stay."""
    sets: UnionFind[str] = UnionFind()
    members: dict[str, bool] = {}
    linking = _PAIR_KINDS[: _PAIR_KINDS.index(kind) + 1]
    for issue in issues:
        if issue.issue in linking:
            sets.join(issue.image_id, issue.other_id)
            for image_id in (issue.image_id, issue.other_id):
                members[image_id] = members.get(image_id, False) or issue.issue == kind
    # Rows link to the first copy, which may be of another class: the copies of one class still are copies.
    first: dict[tuple[str, str], str] = {}
    drops = {}
    for image_id in sorted(members.keys() - gone):
        kept = first.setdefault((sets.find(image_id), labels[image_id]), image_id)
        if kept != image_id and members[image_id]:
            drops[image_id] = Drop(f"{kind}: a copy of {kept}", kept)
    return drops


@dataclass(frozen=True)
class TooMany:
    """A kind of issue that would set aside `count` of all `images`, more than `MOST_SET_ASIDE` of them.

    `examples` are up to six pairs (or images, with an empty second), from the surest to the least sure.
    """

    kind: str
    count: int
    images: int
    examples: tuple[tuple[str, str], ...]

    def line(self, tail: str) -> Phrase:
        """How many, which share, what `tail` says of them, and the examples by name."""
        shown = [" and ".join(quoted(name, _SHORT) for name in pair if name) for pair in self.examples]
        return phrase(
            "{title}: {count} of {images} images ({share}), more than a fifth, {tail}. {some} of them: "
            "{names}.",
            title=phrase(CHECKS[self.kind].title),
            count=number(self.count),
            images=number(self.images),
            share=percent(self.count / self.images),
            tail=tail,
            some=counted(len(shown), "pair" if CHECKS[self.kind].pairs else "image"),
            names="; ".join(shown),
        )


def too_many(issues: Sequence[Issue], manifest: Manifest, kinds: Sequence[str]) -> tuple[TooMany, ...]:
    """Those of the kinds that would set aside more than `MOST_SET_ASIDE` of all images, each by itself."""
    labels = {row.image_id: row.label for row in manifest.rows}
    found = []
    for kind in kinds:
        count = len(dropped(issues, labels, (kind,)))
        if count > MOST_SET_ASIDE * len(labels):
            found.append(TooMany(kind, count, len(labels), _examples(issues, kind)))
    return tuple(found)


def _examples(issues: Iterable[Issue], kind: str) -> tuple[tuple[str, str], ...]:
    """Spread evenly over all, from the surest on: where a search is wrong, its surest are so last."""
    surest = sorted((i for i in issues if i.issue == kind), key=lambda i: (-i.score, i.image_id, i.other_id))
    pairs = CHECKS[kind].pairs
    # A conflict is named from both of its sides.
    shown = list(
        dict.fromkeys(tuple(sorted((i.image_id, i.other_id))) if pairs else (i.image_id, "") for i in surest)
    )
    last, wanted = len(shown) - 1, min(_EXAMPLES, len(shown))
    places = [round(place * last / max(1, wanted - 1)) for place in range(wanted)]
    return tuple((shown[place][0], shown[place][1]) for place in places)


def curate_command(data: Path, issues: Path, kinds: Sequence[str], out: Path) -> str:
    """What a user types to set aside what is of these kinds; without any, what is by default."""
    shown, listed, written = (shlex.quote(str(path)) for path in (data, issues, out))
    only = f" --kinds {','.join(kinds)}" if kinds else ""
    return f"dessin curate {shown} --issues {listed}{only} --out {written}"


Action = Literal["keep", "drop", "relabel"]
COLUMNS = ("image_id", "action", "label", "reason")


@dataclass(frozen=True)
class Change:
    """What to do with one image; `label` is the new one of a relabel, and empty otherwise."""

    image_id: str
    action: Action
    label: str
    reason: str


@dataclass(frozen=True, repr=False)
class Curation(Shown):
    """Changes sorted by image_id, one an image.

    `drawings` is the digest of the manifest that they were made for; empty where nobody noted it.
    """

    TABLE = "changes"

    changes: tuple[Change, ...] = ()
    drawings: str = field(default="", compare=False)

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over what is done to which image; rewording a reason does not change it."""
        return digest_of([[c.image_id, c.action, c.label] for c in self.changes])


def curate(
    data: str | Path,
    *,
    issues: str | Path,
    out: str | Path,
    kinds: str | Sequence[str] | None = None,
) -> Curation:
    """Turn an audit's issues into a file that keeps, drops or relabels images without touching them.

    A kind that would set aside more than a fifth of the collection is left out unless `kinds` names it, and
    that is said with examples and the command.

    Args:
        data: Class folders, a CSV, or a contest folder.
        issues: The issues.csv of an audit.
        out: The curation file (.csv) to write; it may be changed by hand.
        kinds: The kinds of issues to act on; by default those that are safe to act on.

    Raises:
        DessinError: `out` exists, an unknown kind, or issues of another collection.
    """
    out = Path(out)
    if out.exists():
        raise DessinError(
            f"{out} already exists, and it may hold changes made by hand.",
            do="Choose another --out, or move the file away.",
        )
    collection = read_collection(data)
    say_once(describe_collection(collection))
    manifest = build_manifest(collection)
    found, asked = read_issues(Path(issues)), default_kinds() if kinds is None else names(kinds)
    if kinds is None:
        curation, doubts = propose_safely(found, manifest)
    else:
        curation, doubts = propose_curation(found, manifest, asked), too_many(found, manifest, asked)
    write_curation(curation, out)
    for doubt in doubts:
        tail = phrase("so none is set aside" if kinds is None else "and set aside because --kinds says so")
        line = doubt.line(tail)
        warn(tr("{doubt} The audit's report shows them; look before you use this.", doubt=line))
    if doubts and kinds is None:
        other = out.with_stem(f"{out.stem}-all")
        command = curate_command(Path(data), Path(issues), asked, other)
        warn(tr("To set them aside all the same: {command}", command=command))
    said = describe_curation(curation, manifest)
    say(said)
    say(tr("written to {file}; no image was touched, and without --curation it has no effect", file=out))
    return curation.with_words(tr("Curation"), *said.splitlines())


def propose_curation(issues: Sequence[Issue], manifest: Manifest, kinds: Sequence[str]) -> Curation:
    """The changes that the chosen kinds of issues ask for, by the rules of `dropped`.

    Raises:
        DessinError: an unknown kind, or issues that name images outside the manifest.
    """
    labels = {row.image_id: row.label for row in manifest.rows}
    named = {issue.image_id for issue in issues} | {issue.other_id for issue in issues if issue.other_id}
    _refuse_strangers("The issues name", sorted(named - labels.keys()), manifest)
    drops = dropped(issues, labels, kinds)
    changes = [Change(image_id, "drop", "", drop.reason) for image_id, drop in drops.items()]
    for image_id, copies in kept_first(drops).items():
        changes.append(Change(image_id, "keep", "", f"stands for {copies} dropped copies"))
    return Curation(tuple(sorted(changes, key=lambda change: change.image_id)), manifest.digest)


def propose_safely(issues: Sequence[Issue], manifest: Manifest) -> tuple[Curation, tuple[TooMany, ...]]:
    """As `propose_curation` by the kinds that are safe, without those that would set too many aside, and
    these.

    Raises:
        DessinError: issues that name images outside the manifest.
    """
    curation = propose_curation(issues, manifest, default_kinds())
    doubts = too_many(issues, manifest, default_kinds())
    if doubts:
        left = tuple(kind for kind in default_kinds() if kind not in {doubt.kind for doubt in doubts})
        curation = propose_curation(issues, manifest, left)
    return curation, doubts


def overruled(proposed: Curation, own: Curation) -> Curation:
    """What is proposed, with a person's `own` changes in the place of those of the same images."""
    changes = {change.image_id: change for change in (*proposed.changes, *own.changes)}
    return Curation(tuple(changes[image_id] for image_id in sorted(changes)), proposed.drawings)


def describe_curation(curation: Curation, manifest: Manifest) -> str:
    """How many images are kept aside, dropped and relabelled, and which classes lose the most."""
    actions = Counter(change.action for change in curation.changes)
    counts = ", ".join(f"{actions[action]:,} {action}" for action in get_args(Action))
    lines = [tr("curation: {counts}, of {n} images", counts=counts, n=number(len(manifest.rows)))]
    reasons = Counter(c.reason.split(":")[0] for c in curation.changes if c.action == "drop")
    lines += [
        "  " + tr("drop {n}: {reason}", n=number(count), reason=reason)
        for reason, count in reasons.most_common()
    ]
    after = Counter(row.label for row in apply_curation(curation, manifest).rows)
    gone = [label for label in manifest.classes if not after[label]]
    if gone:
        lines.append("  " + tr("classes left without any image: {classes}", classes=listing(gone)))
    return "\n".join(lines)


def apply_curation(curation: Curation, manifest: Manifest) -> Manifest:
    """The manifest after the changes; pure, and the identity for an empty curation.

    A class that loses every image leaves `classes`.

    Raises:
        DessinError: changes of unknown images, a relabel to an unknown class, or nothing left.
    """
    changes = {change.image_id: change for change in curation.changes}
    known = {row.image_id for row in manifest.rows}
    _refuse_strangers("The curation names", sorted(changes.keys() - known), manifest)
    rows = []
    for row in manifest.rows:
        change = changes.get(row.image_id)
        if change is None or change.action == "keep":
            rows.append(row)
        elif change.action == "relabel":
            if change.label not in manifest.classes:
                raise unknown(f"class in the relabel of {row.image_id}", change.label, manifest.classes)
            rows.append(replace(row, label=change.label))
    if not rows:
        raise DessinError("The curation drops every image.", do="Keep some.")
    left = {row.label for row in rows}
    classes = tuple(label for label in manifest.classes if label in left)
    names = {label: manifest.names[label] for label in classes}
    return replace(manifest, rows=tuple(rows), classes=classes, names=names)


def _refuse_strangers(start: str, strangers: Sequence[str], manifest: Manifest) -> None:
    if strangers:
        raise DessinError(
            f"{start} {len(strangers):,} images that {manifest.root} does not hold: "
            f"{listing(list(strangers))}.",
            allowed="An image is named by its path below that folder.",
            do="Use the file that was made for this collection.",
        )


_HEAD = "dessin curation 1 "


def write_curation(curation: Curation, path: Path) -> None:
    """The table, under a first line with the digest of its drawings where that is known."""
    comment = f"{_HEAD}{curation.drawings}" if curation.drawings else ""
    write_csv(path, COLUMNS, map(astuple, curation.changes), comment=comment)


def read_curation(path: Path) -> Curation:
    """A curation file, made by `curate` or by hand.

    Raises:
        DessinError: an unknown action, two rows for one image, a relabel without a label, or a label
            where there is nothing to relabel.
    """
    changes: dict[str, Change] = {}
    comment, rows = read_csv(path, COLUMNS)
    for row in rows:
        image_id, action, label = nfc(row["image_id"]), row["action"].strip(), nfc(row["label"].strip())
        if action not in get_args(Action):
            raise unknown(f"action in {path}", action, get_args(Action))
        if image_id in changes:
            raise DessinError(f"{path} has two rows for {quoted(image_id)}.", do="Keep one of them.")
        if (action == "relabel") != bool(label):
            wrong = "no label to change to" if action == "relabel" else f'the label "{quoted(label)}"'
            raise DessinError(
                f"{path}: the {action} of {quoted(image_id)} has {wrong}.",
                allowed="A relabel has the new label; keep and drop have none.",
                do="Correct the row.",
            )
        changes[image_id] = Change(image_id, cast(Action, action), label, row["reason"])
    drawings = comment.removeprefix(_HEAD) if comment.startswith(_HEAD) else ""
    return Curation(tuple(changes[image_id] for image_id in sorted(changes)), drawings)
