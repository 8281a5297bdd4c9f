"""Making a split: checks that it can be made, balances the groups, checks and describes what came out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from dessin.collection.curation import Curation, apply_curation
from dessin.collection.duplicates import Pair, group_images
from dessin.collection.manifest import Manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.scan import Scan
from dessin.collection.split.balance import balance_groups
from dessin.collection.split.files import RULE, Assignment, Split
from dessin.errors import DessinError, listing
from dessin.language import tr
from dessin.page.numbers import counted, number, percent
from dessin.page.tables import aligned

_UNEVEN = 0.1


def class_counts(split: Split) -> dict[str, tuple[int, ...]]:
    """label → its number of images in fold 0, 1, .. and last in the holdout."""
    counts = {label: [0] * (split.folds + 1) for label in split.classes}
    for row in split.rows:
        counts[row.label][split.folds if row.fold is None else row.fold] += 1
    return {label: tuple(parts) for label, parts in counts.items()}


def describe_split(split: Split) -> str:
    """The parts with their sizes and the images a class, then `unbalanced`."""
    counts = list(class_counts(split).values())
    held = len(split.held_out())
    groups = len({row.group for row in split.rows})
    lead = tr(
        "{images} images in {groups} groups and {classes} classes: {folds} folds, holdout {held} ({share}, "
        "asked "
        "{asked})",
        images=number(len(split.rows)),
        groups=number(groups),
        classes=number(len(split.classes)),
        folds=split.folds,
        held=number(held),
        share=percent(held / len(split.rows), 1),
        asked=percent(split.holdout, 1),
    )
    titles = ("", tr("images"), tr("groups"), tr("classes"), tr("images a class (fewest, median, most)"))
    cells = []
    for part in range(split.folds + (held > 0)):
        fold = None if part == split.folds else part
        rows = [row for row in split.rows if row.fold == fold]
        by_class = sorted(parts[part] for parts in counts)
        cells.append(
            (
                tr("holdout") if fold is None else tr("fold {n}", n=fold),
                number(len(rows)),
                number(len({row.group for row in rows})),
                number(sum(count > 0 for count in by_class)),
                f"{by_class[0]}, {by_class[len(by_class) // 2]}, {by_class[-1]}",
            )
        )
    return "\n".join([lead, *aligned(titles, cells, None), *unbalanced(split)])


def unbalanced(split: Split) -> tuple[str, ...]:
    """What the groups did not allow: classes without holdout images, folds without a class, uneven shares."""
    counts = class_counts(split)
    lines = []
    absent = [label for label, parts in counts.items() if split.holdout and not parts[-1]]
    if absent:
        lines.append(
            tr(
                "classes without an image in the holdout, {n}: {classes}",
                n=number(len(absent)),
                classes=listing(absent),
            )
        )
    empty = {label: [str(f) for f in range(split.folds) if not parts[f]] for label, parts in counts.items()}
    lacking = {label: folds for label, folds in empty.items() if folds}
    if lacking:
        per_fold = Counter(fold for folds in lacking.values() for fold in folds)
        where = ", ".join(
            tr("{n} in fold {fold}", n=number(per_fold[str(fold)]), fold=fold) for fold in range(split.folds)
        )
        named = [tr("{label} (fold {folds})", label=each, folds=", ".join(lacking[each])) for each in lacking]
        lines.append(
            tr(
                "classes with too few groups to be validated in every fold, {n} ({where}): {classes}",
                n=number(len(lacking)),
                where=where,
                classes=listing(named),
            )
        )
    uneven = [
        f"{label} ({', '.join(map(str, parts[:-1]))})"
        for label, parts in counts.items()
        if label not in lacking and max(parts[:-1]) - min(parts[:-1]) > max(1, _UNEVEN * min(parts[:-1]))
    ]
    if uneven:
        lines.append(
            tr(
                "classes uneven over folds, as their groups differ in size, {n}: {classes}",
                n=number(len(uneven)),
                classes=listing(uneven),
            )
        )
    return tuple(lines)


def plan_split(
    manifest: Manifest,
    scan: Scan,
    pairs: Iterable[Pair],
    *,
    folds: int,
    holdout: float,
    seed: int,
    curation: Curation | None = None,
    group_by: str = "",
) -> Split:
    """The split of a scanned collection: curated, without its unreadable images, duplicates kept together.

    `manifest` is the one before curation, whose digest the split bears.

    Raises:
        DessinError: what `make_split` or `apply_curation` refuses.
    """
    labels = usable_labels(manifest, scan, curation)
    # Groups are formed before the curation, so that two copies of a dropped image still stay together.
    groups = group_images(
        [row.image_id for row in manifest.rows], {row.image_id: row.group for row in manifest.rows}, pairs
    )
    made = make_split(labels, groups, folds=folds, holdout=holdout, seed=seed)
    return replace(
        made,
        manifest_digest=manifest.digest,
        curation_digest=curation.digest if curation else "",
        group_by=group_by,
        images=len(manifest.rows),
    )


def check_classes(collection: Collection) -> None:
    """Raise `DessinError` where there is only one class: nothing could be told from it."""
    if len(collection.classes) < 2:
        raise DessinError(
            f"{collection.root} holds one class alone: {collection.classes[0]}.",
            allowed="Telling drawings apart takes two classes or more.",
            do="Name the folder that holds the folders of all classes.",
        )


def usable_labels(manifest: Manifest, scan: Scan, curation: Curation | None) -> dict[str, str]:
    """image_id → label after the curation, of the images that can be read.

    Raises:
        DessinError: none, or what `apply_curation` refuses.
    """
    curated = apply_curation(curation, manifest) if curation else manifest
    unreadable = unreadable_images(manifest, scan)
    labels = {row.image_id: row.label for row in curated.rows if row.image_id not in unreadable}
    if not labels:
        raise DessinError("No image can be read.", do="See dessin audit for the reasons.")
    return labels


def unreadable_images(manifest: Manifest, scan: Scan) -> frozenset[str]:
    """The images that a scan of the manifest could not decode."""
    measured = zip(manifest.rows, scan.measurements, strict=True)
    return frozenset(row.image_id for row, measurement in measured if not measurement.readable)


def make_split(
    labels: Mapping[str, str], groups: Mapping[str, str], *, folds: int, holdout: float, seed: int
) -> Split:
    """A split of labelled images (image_id → label) that never parts a group (image_id → group).

    It depends on the seed, the group names and the labels, not on any order.

    Raises:
        DessinError: impossible numbers, one class alone, too few groups, or a class that cannot be in every
            training part.
    """
    check_possible(labels, folds=folds, holdout=holdout, seed=seed)
    contents: dict[str, Counter[str]] = defaultdict(Counter)
    for image_id in sorted(labels):
        contents[groups[image_id]][labels[image_id]] += 1
    _check_groups(contents, folds, holdout)
    part_of = balance_groups(contents, folds=folds, holdout=holdout, seed=seed)
    sides: list[int | None] = [*range(folds), None]
    rows = tuple(
        Assignment(image_id, labels[image_id], groups[image_id], sides[part_of[groups[image_id]]])
        for image_id in sorted(labels)
    )
    classes = tuple(sorted(set(labels.values())))
    made = Split(seed, folds, holdout, RULE, "", "", classes, rows, images=len(rows))
    _check_parts(made)
    return made


def check_possible(labels: Mapping[str, str], *, folds: int, holdout: float, seed: int) -> None:
    """Refuse what no grouping of the images (image_id → label) could mend, before one of them is read.

    Raises:
        DessinError: impossible numbers, one class alone, fewer images than parts, or a class of one image.
    """
    check_numbers(folds, holdout, seed)
    classes = sorted(set(labels.values()))
    if len(classes) == 1:
        raise DessinError(
            f'All {counted(len(labels), "image")} are of one class, "{classes[0]}".',
            allowed="There is something to tell apart from two classes on.",
            do="Add drawings of another class, in a folder of their own beside this one.",
        )
    _check_groups({image_id: {label: 1} for image_id, label in labels.items()}, folds, holdout)


def check_numbers(folds: int, holdout: float, seed: int) -> None:
    """Refuse numbers of which no collection has a split."""
    if seed < 0:
        raise DessinError(f"The seed {seed} was asked for.", allowed="A seed is 0 or more.")
    if folds < 2:
        raise DessinError(
            f"A split into {counted(folds, 'fold')} was asked for.", allowed="A split has 2 folds or more."
        )
    if not 0.0 <= holdout < 1.0:
        raise DessinError(
            f"A holdout of {holdout:g} was asked for.",
            allowed="It is a share of the images, from 0 up to but not including 1.",
            do="Use 0.2 for a fifth.",
        )


def _check_groups(contents: Mapping[str, Mapping[str, int]], folds: int, holdout: float) -> None:
    parts = folds + bool(holdout)
    if len(contents) < parts:
        raise DessinError(
            f"The images form {counted(len(contents), 'group')}, and {parts} parts were asked for "
            f"({folds} folds{' and a holdout' if holdout else ''}).",
            allowed="Each part needs a group of its own.",
            do="Ask for fewer --folds, add images, or group them less coarsely.",
        )
    in_groups = Counter(label for content in contents.values() for label in content)
    images = Counter[str]()
    for content in contents.values():
        images.update(content)
    single = sorted(label for label, count in in_groups.items() if count < 2)
    alone = [f"{label} ({counted(images[label], 'image')})" for label in single]
    if alone:
        raise DessinError(
            f"{counted(len(alone), 'class has', 'classes have')} a single image, or a single group of images "
            f"that belong together: {listing(alone)}.",
            allowed="A class needs images in two groups, so that one can be trained on and another tested.",
            do="Add drawings of it, or drop the class with a curation.",
        )


def _check_parts(made: Split) -> None:
    used = {row.fold for row in made.rows}
    empty = [f"fold {fold}" for fold in range(made.folds) if fold not in used]
    empty += ["the holdout"] if made.holdout and None not in used else []
    if empty:
        raise DessinError(
            f"No group fits into {listing(empty)}: the groups are too few or too large.",
            do="Ask for a larger --holdout or none, add images, or group them less coarsely.",
        )
    folds_of: dict[str, set[int]] = {label: set() for label in made.classes}
    for row in made.rows:
        if row.fold is not None:
            folds_of[row.label].add(row.fold)
    stuck = [label for label in made.classes if len(folds_of[label]) < 2]
    if stuck:
        raise DessinError(
            f"{counted(len(stuck), 'class', 'classes')} would be missing from the training part of a fold: "
            f"{listing(stuck)}. "
            "Their images are tied to those of other classes by groups that must stay whole.",
            do="Ask for more --folds, add drawings of them, or set the tied images aside with a curation.",
        )
