"""The verb `split`: from a collection on disk to split.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from dessin.collection.curation import apply_curation, describe_curation, read_curation
from dessin.collection.duplicates import find_duplicates, group_images
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.collection import describe_collection
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.groups import whose
from dessin.collection.scan import scan_images
from dessin.collection.split.files import Split, read_split, write_split
from dessin.collection.split.given import given_parts, plan_given
from dessin.collection.split.plan import (
    check_classes,
    check_numbers,
    check_possible,
    describe_split,
    plan_split,
    unreadable_images,
)
from dessin.errors import DessinError, listing
from dessin.language import tr
from dessin.page.numbers import counted
from dessin.progress import say, say_once, warn


def split(
    data: str | Path,
    *,
    out: str | Path,
    folds: int = 5,
    holdout: float = 0.2,
    seed: Annotated[int, "from 0"] = 0,
    group: str | None = None,
    curation: str | Path | None = None,
    given: bool = False,
) -> Split:
    """Deal the images into folds and a locked holdout, with copies and groups always on one side.

    Args:
        data: Class folders, a CSV, or a contest folder.
        out: The split file (.csv) to write.
        folds: How many folds.
        holdout: The share of images that is locked away until the end.
        seed: The same seed gives the same split.
        group: What belongs together, such as the drawings of one photo: a regular expression over image ids,
            or a column of the CSV.
        curation: A curation file to honour.
        given: Keep the split that comes with the data, as folders (train, val, test) or a column (split): its
            test images are the holdout, its validation images fold 0, the rest is dealt into the other folds.

    Raises:
        DessinError: bad data, an impossible split, or another split under that name.
    """
    check_numbers(folds, holdout, seed)
    collection = read_collection(data, group=group)
    say_once(describe_collection(collection))
    if hands := whose(collection):
        warn(hands.line)
    check_classes(collection)
    parts = given_parts(collection) if given else None
    changes = read_curation(Path(curation)) if curation else None
    manifest = kept = build_manifest(collection)
    if changes:
        say(describe_curation(changes, manifest))
        kept = apply_curation(changes, manifest)
    if parts is None:
        # What fails here would fail after minutes of reading images.
        labels = {row.image_id: row.label for row in kept.rows}
        check_possible(labels, folds=folds, holdout=holdout, seed=seed)
    scan = scan_images(manifest)
    dropped = {change.image_id for change in changes.changes if change.action == "drop"} if changes else set()
    unreadable = sorted(unreadable_images(manifest, scan) - dropped)
    if unreadable:
        left = counted(len(unreadable), "unreadable image is", "unreadable images are")
        warn(tr("{images} left out of the split: {names}", images=left, names=listing(unreadable)))
    pairs = find_duplicates(manifest, scan)
    if parts is None:
        made = plan_split(
            manifest,
            scan,
            pairs,
            folds=folds,
            holdout=holdout,
            seed=seed,
            curation=changes,
            group_by=collection.group_by,
        )
    else:
        made, leaks = plan_given(manifest, scan, pairs, parts, folds=folds, seed=seed, curation=changes)
        made = replace(made, group_by=collection.group_by)
        _warn_of_leaks(leaks)
    _refuse_other_split(made, Path(out))
    write_split(made, Path(out))
    ids = [row.image_id for row in made.rows]
    before = len(set(group_images(ids, {row.image_id: row.group for row in manifest.rows}, ()).values()))
    joined = before - len({row.group for row in made.rows})
    say(
        tr(
            "{pairs} of duplicates joined {groups} to others",
            pairs=counted(len(pairs), "pair"),
            groups=counted(joined, "group"),
        )
    )
    said = describe_split(made)
    say(said)
    say(tr("written to {file}", file=out))
    return made.with_words(tr("Split"), *said.splitlines())


def _warn_of_leaks(leaks: Mapping[str, int]) -> None:
    for part, count in leaks.items():
        if count:
            warn(
                tr(
                    "{images} of the given {part} part show a drawing, or are of a group, that is also "
                    "trained "
                    "on: its score will be too high. Without --given they are kept together.",
                    images=counted(count, "image"),
                    part=part,
                )
            )


def _refuse_other_split(made: Split, out: Path) -> None:
    """A holdout is locked: a file that holds anything else than this very split is not replaced."""
    try:
        same = not out.exists() or read_split(out) == made
    except DessinError:
        same = False
    if not same:
        raise DessinError(
            f"{out} already exists and is not this split; replacing it would move its locked holdout.",
            do="Choose another --out, or move the file away.",
        )
