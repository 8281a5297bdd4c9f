"""A curation: keep, drop and relabel rows with reasons, applied to a manifest and never to the images."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from dessin.collection.curation_rules import DEFAULT_KINDS, dropped, kept_first
from dessin.collection.issues import Issue, read_issues
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.readers.collection import describe_collection, listing
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.walk import nfc
from dessin.errors import DessinError, unknown
from dessin.files import digest_of, read_csv, write_csv
from dessin.progress import say, say_once

Action = Literal["keep", "drop", "relabel"]
COLUMNS = ("image_id", "action", "label", "reason")


@dataclass(frozen=True)
class Change:
    """What to do with one image; `label` is the new one of a relabel, and empty otherwise."""

    image_id: str
    action: Action
    label: str
    reason: str


@dataclass(frozen=True)
class Curation:
    """Changes sorted by image_id, one an image."""

    changes: tuple[Change, ...] = ()

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over what is done to which image; rewording a reason does not change it."""
        return digest_of([[c.image_id, c.action, c.label] for c in self.changes])


def curate(
    data: str | Path, *, issues: str | Path, out: str | Path, kinds: Sequence[str] | None = None
) -> Curation:
    """Turn the chosen kinds of an audit's issues (None: the safe ones) into a curation file at `out`.

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
    curation = propose_curation(
        read_issues(Path(issues)), manifest, DEFAULT_KINDS if kinds is None else kinds
    )
    write_curation(curation, out)
    say(describe_curation(curation, manifest))
    say(f"written to {out}; no image was touched, and without --curation it has no effect")
    return curation


def propose_curation(issues: Sequence[Issue], manifest: Manifest, kinds: Sequence[str]) -> Curation:
    """The changes that the chosen kinds of issues ask for, by the rules of `curation_rules`.

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
    return Curation(tuple(sorted(changes, key=lambda change: change.image_id)))


def describe_curation(curation: Curation, manifest: Manifest) -> str:
    """How many images are kept aside, dropped and relabelled, and which classes lose the most."""
    actions = Counter(change.action for change in curation.changes)
    counts = ", ".join(f"{actions[action]:,} {action}" for action in get_args(Action))
    lines = [f"curation: {counts}, of {len(manifest.rows):,} images"]
    reasons = Counter(c.reason.split(":")[0] for c in curation.changes if c.action == "drop")
    lines += [f"  drop {count:,}: {reason}" for reason, count in reasons.most_common()]
    after = Counter(row.label for row in apply_curation(curation, manifest).rows)
    gone = [label for label in manifest.classes if not after[label]]
    if gone:
        lines.append(f"  classes left without any image: {listing(gone)}")
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


def write_curation(curation: Curation, path: Path) -> None:
    write_csv(path, COLUMNS, map(astuple, curation.changes))


def read_curation(path: Path) -> Curation:
    """A curation file, made by `curate` or by hand.

    Raises:
        DessinError: an unknown action, two rows for one image, a relabel without a label, or a label
            where there is nothing to relabel.
    """
    changes: dict[str, Change] = {}
    for row in read_csv(path, COLUMNS)[1]:
        image_id, action, label = nfc(row["image_id"]), row["action"].strip(), nfc(row["label"].strip())
        if action not in get_args(Action):
            raise unknown(f"action in {path}", action, get_args(Action))
        if image_id in changes:
            raise DessinError(f"{path} has two rows for {image_id}.", do="Keep one of them.")
        if (action == "relabel") != bool(label):
            wrong = "no label to change to" if action == "relabel" else f'the label "{label}"'
            raise DessinError(
                f"{path}: the {action} of {image_id} has {wrong}.",
                allowed="A relabel has the new label; keep and drop have none.",
                do="Correct the row.",
            )
        changes[image_id] = Change(image_id, cast(Action, action), label, row["reason"])
    return Curation(tuple(changes[image_id] for image_id in sorted(changes)))
