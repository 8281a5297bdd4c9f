"""The split that comes with the data, kept: its test images are the holdout, its validation images fold 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dessin.collection.curation import Curation
from dessin.collection.duplicates import Pair, group_images
from dessin.collection.manifest import Manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.readers.columns import TEST, TRAIN, VALIDATION
from dessin.collection.scan import Scan
from dessin.collection.split.files import Assignment, Split
from dessin.collection.split.plan import make_split, usable_labels
from dessin.errors import DessinError, listing
from dessin.page.numbers import counted

RULE = "given-1"


def given_parts(collection: Collection) -> dict[str, str]:
    """image_id → the part that it is given for; images without one are for training.

    Raises:
        DessinError: the data come with no split, or with one that has nothing to train on.
    """
    parts = {item.image_id: item.part or TRAIN for item in collection.items}
    named = {item.part for item in collection.items} - {""}
    if not named:
        raise DessinError(
            f"{collection.root} comes with no split to keep.",
            allowed="One is given by folders (train, val, test) or by a column (split, fold) of the table.",
            do="Leave --given away.",
        )
    numbers = {part for part in parts.values() if part.isdigit()}
    if TRAIN not in parts.values() and len(numbers) < 2:
        raise DessinError(
            f"The given split has only {listing(sorted(named))}: nothing to train on.",
            do="Leave --given away.",
        )
    return parts


def sides_of(parts: Mapping[str, str]) -> dict[str, int | None]:
    """part → its fold, None for the holdout; `train` is missing: it is dealt into the folds that are left."""
    numbers = sorted({part for part in parts.values() if part.isdigit()}, key=int)
    sides: dict[str, int | None] = {number: fold for fold, number in enumerate(numbers)}
    if VALIDATION in parts.values():
        sides[VALIDATION] = len(numbers)
    if TEST in parts.values():
        sides[TEST] = None
    return sides


def plan_given(
    manifest: Manifest,
    scan: Scan,
    pairs: Iterable[Pair],
    parts: Mapping[str, str],
    *,
    folds: int,
    seed: int,
    curation: Curation | None = None,
) -> tuple[Split, dict[str, int]]:
    """The given split of a scanned collection, and for each part that is held back how many of its images
    have a copy, or another image of their group, among those that are trained on.

    A group that lies in several parts is cut there, since each image stays where it was given. The training
    images are dealt into the folds that validation leaves, at least one.

    Raises:
        DessinError: a class without an image to train on, or what `make_split` refuses.
    """
    labels = usable_labels(manifest, scan, curation)
    groups = group_images(
        [row.image_id for row in manifest.rows], {row.image_id: row.group for row in manifest.rows}, pairs
    )
    part_of = {image_id: parts[image_id] for image_id in sorted(labels)}
    held = {part_of[image_id] for image_id in part_of} & {TEST, VALIDATION}
    trained = {image_id for image_id, part in part_of.items() if part not in held}
    lacking = sorted(set(labels.values()) - {labels[image_id] for image_id in trained})
    if lacking:
        raise DessinError(
            f"{counted(len(lacking), 'class has', 'classes have')} no image to train on in the given split: "
            f"{listing(lacking)}.",
            do="Leave --given away, or set the class aside with a curation.",
        )
    seen = {groups[image_id] for image_id in trained}
    leaks = {
        part: sum(groups[image_id] in seen for image_id, own in part_of.items() if own == part)
        for part in sorted(held)
    }
    sides = sides_of(part_of)
    several: dict[str, set[str]] = {}
    for image_id, part in part_of.items():
        several.setdefault(groups[image_id], set()).add(part)
    cut = {group for group, given in several.items() if sum(map(str.isdigit, given)) > 1}
    if cut:
        leaks["fold"] = sum(groups[image_id] in cut for image_id in part_of)
    names = {
        image_id: f"{groups[image_id]} ({part})" if len(several[groups[image_id]]) > 1 else groups[image_id]
        for image_id, part in part_of.items()
    }
    first = sum(side is not None for side in sides.values())
    dealt, count = _dealt(part_of, labels, names, max(folds - first, 1), seed)
    rows = tuple(
        Assignment(
            image_id,
            labels[image_id],
            names[image_id],
            first + dealt[image_id] if part == TRAIN else sides[part],
        )
        for image_id, part in part_of.items()
    )
    share = round(sum(row.fold is None for row in rows) / len(rows), 4)
    classes = tuple(sorted(set(labels.values())))
    digest = curation.digest if curation else ""
    made = Split(seed, first + count, share, RULE, manifest.digest, digest, classes, rows)
    return replace(made, images=len(manifest.rows)), leaks


def _dealt(
    part_of: Mapping[str, str], labels: Mapping[str, str], groups: Mapping[str, str], folds: int, seed: int
) -> tuple[dict[str, int], int]:
    """The folds of the images that are given for training, from 0, and how many folds they are."""
    train = {image_id: labels[image_id] for image_id, part in part_of.items() if part == TRAIN}
    if folds < 2 or not train:
        return dict.fromkeys(train, 0), int(bool(train))
    made = make_split(train, groups, folds=folds, holdout=0.0, seed=seed)
    return {row.image_id: row.fold or 0 for row in made.rows}, folds
