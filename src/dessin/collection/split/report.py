"""What a person should know of a split: its sizes, the spread of the classes, what could not be balanced."""

from __future__ import annotations

from collections import Counter

from dessin.collection.readers.collection import listing
from dessin.collection.split.table import Split

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
    lines = [
        f"{len(split.rows):,} images in {groups:,} groups and {len(split.classes):,} classes: "
        f"{split.folds} folds, holdout {held:,} ({held / len(split.rows):.1%}, asked {split.holdout:.1%})",
        f"{'':10}{'images':>8}{'groups':>8}{'classes':>9}   images a class (fewest, median, most)",
    ]
    for part in range(split.folds + (held > 0)):
        fold = None if part == split.folds else part
        rows = [row for row in split.rows if row.fold == fold]
        by_class = sorted(parts[part] for parts in counts)
        name = "holdout" if fold is None else f"fold {fold}"
        lines.append(
            f"{name:10}{len(rows):>8,}{len({row.group for row in rows}):>8,}"
            f"{sum(count > 0 for count in by_class):>9,}   "
            f"{by_class[0]}, {by_class[len(by_class) // 2]}, {by_class[-1]}"
        )
    return "\n".join([*lines, *unbalanced(split)])


def unbalanced(split: Split) -> tuple[str, ...]:
    """What the groups did not allow: classes without holdout images, folds without a class, uneven shares."""
    counts = class_counts(split)
    lines = []
    absent = [label for label, parts in counts.items() if split.holdout and not parts[-1]]
    if absent:
        lines.append(f"classes without an image in the holdout, {len(absent):,}: {listing(absent)}")
    lacking = {
        label: [str(fold) for fold in range(split.folds) if not parts[fold]]
        for label, parts in counts.items()
    }
    lacking = {label: folds for label, folds in lacking.items() if folds}
    if lacking:
        per_fold = Counter(fold for folds in lacking.values() for fold in folds)
        where = ", ".join(f"{per_fold[str(fold)]:,} in fold {fold}" for fold in range(split.folds))
        named = listing([f"{label} (fold {', '.join(folds)})" for label, folds in lacking.items()])
        lines.append(
            f"classes with too few groups to be validated in every fold, {len(lacking):,} ({where}): {named}"
        )
    uneven = [
        f"{label} ({', '.join(map(str, parts[:-1]))})"
        for label, parts in counts.items()
        if label not in lacking and max(parts[:-1]) - min(parts[:-1]) > max(1, _UNEVEN * min(parts[:-1]))
    ]
    if uneven:
        lines.append(
            f"classes uneven over folds, as their groups differ in size, {len(uneven):,}: {listing(uneven)}"
        )
    return tuple(lines)
