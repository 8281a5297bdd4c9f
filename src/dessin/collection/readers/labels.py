"""The labels of a table: every row an image that is there with a label, or refused, or skipped and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.readers.collection import Item
from dessin.collection.readers.columns import NUMBERED, SAMPLE, Roles, part_of, understand
from dessin.collection.readers.finder import Finder, check_spelling, is_file
from dessin.collection.readers.table import read_table
from dessin.collection.readers.walk import nfc, path_rule
from dessin.errors import DessinError, listing, quoted
from dessin.images.paths import image_path
from dessin.page.numbers import counted


@dataclass(frozen=True)
class LabelTable:
    """A label table: image_id → label, label → target (if given), image_id → group and → given part (where
    they are given), what was skipped, the table with its columns' roles, and in words what was understood."""

    labels: Mapping[str, str]
    targets: Mapping[str, int]
    groups: Mapping[str, str]
    parts: Mapping[str, str]
    skipped: Mapping[str, tuple[str, ...]]
    roles: Roles
    understood: str


def read_labels(path: Path, *, bases: Sequence[str] = ("",), group_column: str | None = None) -> LabelTable:
    """The labels of a table, checked: each row is an image with a label, or skipped by a rule that is said.

    Paths are below the table's folder, in one of the folders `bases` (such as `train/`).

    Raises:
        DessinError: what `understand` refuses, a row without an image or a label, an image in two rows.
    """
    root = path.parent
    finder = Finder(root, bases)
    roles = understand(read_table(path), finder)
    texts = roles.table.column(roles.path)
    if not any(bases):
        finder = finder.rebased(texts[:SAMPLE])
    ids, hows = find_all(
        path, finder, [row[roles.table.columns.index(roles.path)] for row in roles.table.rows]
    )
    refuse_repeated(path, ids)
    check_folders(root, ids)
    labels: dict[str, str] = {}
    groups: dict[str, str] = {}
    parts: dict[str, str] = {}
    skipped: dict[str, list[str]] = {}
    targets: dict[str, set[str]] = {}
    empty = [""] * len(ids)
    columns = (
        roles.table.column(name) if name else empty
        for name in (roles.label, group_column, roles.part, roles.target)
    )
    for image_id, label, group, part, target in zip(ids, *columns, strict=True):
        rule = path_rule(image_id)
        if rule:
            skipped.setdefault(rule, []).append(image_id)
            continue
        labels[image_id] = nfc(label)
        if group:
            groups[image_id] = nfc(group)
        if part:
            parts[image_id] = part_of(part) or ""
        if roles.target:
            targets.setdefault(labels[image_id], set()).add(target)
    _check_labels(path, labels)
    return LabelTable(
        labels=labels,
        targets=_check_targets(path, targets, ranks=not any(bases)) if targets else {},
        groups=groups,
        parts=parts,
        skipped={rule: tuple(names) for rule, names in skipped.items()},
        roles=roles,
        understood=_understood(roles, finder, hows),
    )


def find_all(csv: Path, finder: Finder, cells: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """The image id of every row, and how often it was found otherwise than as it is written."""
    ids, missing, several = [], {}, []
    hows: Counter[str] = Counter()
    for number, cell in enumerate(cells, 1):
        found = finder.find(cell)
        if found.image_id is None and not found.several:
            check_spelling(csv, number, cell.strip())
            missing[cell.strip()] = found.near
        elif found.image_id is None:
            several.append(f"row {number}: {quoted(cell.strip(), 40)} ({', '.join(found.near)})")
        else:
            ids.append(found.image_id)
            hows.update([found.how] if found.how else [])
    if missing:
        raise _missing(csv, finder, missing, len(cells))
    if several:
        raise DessinError(
            f"{csv} has {counted(len(several), 'row')} that several files fit: {listing(several)}.",
            do="Write the whole name, with its extension.",
        )
    return ids, hows


def _missing(csv: Path, finder: Finder, missing: Mapping[str, Sequence[str]], rows: int) -> DessinError:
    near = [f"{quoted(path, 40)} ({quoted(files[0], 60)}?)" for path, files in missing.items() if files]
    where = f"{finder.root / finder.bases[0]}".removesuffix("/.")
    return DessinError(
        f"{csv} lists {counted(len(missing), 'image')} that {where} does not hold"
        f"{'' if len(missing) == rows else f', in {rows:,} rows'}: {listing(list(missing))}."
        + (f" Near are {listing(near, limit=3)}." if near else ""),
        allowed="Paths are relative to that folder.",
        do="Add the files, correct the paths, or remove their rows.",
    )


def _understood(roles: Roles, finder: Finder, hows: Mapping[str, int]) -> str:
    found = "".join(f", {count:,} found {how}" for how, count in hows.items())
    below = f", below {finder.bases[0]}" if finder.bases[0] else ""
    path, label = (
        name if name.startswith(NUMBERED) else f"column {name}" for name in (roles.path, roles.label)
    )
    headless = " (no line of names)" if roles.path.startswith(NUMBERED) else ""
    return f"{roles.table.path.name}{headless}: the path is in {path}{below}{found}; the label in {label}"


def refuse_repeated(csv: Path, paths: Sequence[str]) -> None:
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise DessinError(
            f"{csv} lists {counted(len(repeated), 'image')} more than once: {listing(repeated)}.",
            allowed="An image has one row.",
            do="Remove the duplicate rows.",
        )


def check_files(csv: Path, root: Path, image_ids: Sequence[str]) -> None:
    """Raise `DessinError` where an image is missing, or a link leads it out of the root."""
    check_folders(root, image_ids)
    missing = [image_id for image_id in image_ids if not is_file(root, image_id)]
    if missing:
        raise DessinError(
            f"{csv} lists {counted(len(missing), 'image')} that {root} does not hold: {listing(missing)}.",
            allowed="Paths are relative to that folder.",
            do="Add the files, or remove their rows.",
        )


def check_folders(root: Path, image_ids: Sequence[str]) -> None:
    """Raise `DessinError` where a link leads the folder of an image out of the root."""
    for folder in {image_id.rpartition("/")[0] for image_id in image_ids} - {""}:
        image_path(root, folder)


def _check_labels(path: Path, labels: Mapping[str, str]) -> None:
    if not labels:
        raise DessinError(
            f"{path} lists no image.", allowed="It needs one row an image.", do="Check the file."
        )
    empty = [image_id for image_id, label in labels.items() if not label]
    if empty:
        raise DessinError(
            f"{path} has {counted(len(empty), 'row')} without a label: {listing(empty)}.",
            do="Give each a label, or remove the row.",
        )


def _check_targets(path: Path, targets: Mapping[str, set[str]], *, ranks: bool) -> dict[str, int]:
    """label → target: one each way, and for `ranks` exactly 0..C-1."""
    several = [
        f"{label} ({', '.join(sorted(values))})" for label, values in targets.items() if len(values) > 1
    ]
    if several:
        raise DessinError(
            f"{path} gives one class_name several targets: {listing(several)}.", do="Correct the rows."
        )
    numbers: dict[str, int] = {}
    for label, values in targets.items():
        text = next(iter(values))
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise DessinError(
                f'{path}: the target "{quoted(text)}" of class {quoted(label)} is not a whole number.',
                do="Correct the rows.",
            )
        numbers[label] = int(text)
    by_target: dict[int, list[str]] = {}
    for label, number in sorted(numbers.items()):
        by_target.setdefault(number, []).append(label)
    shared = [f"{number} ({', '.join(names)})" for number, names in by_target.items() if len(names) > 1]
    if shared:
        raise DessinError(
            f"{path} gives several classes one target: {listing(shared)}.", do="Correct the rows."
        )
    if ranks and set(by_target) != set(range(len(numbers))):
        raise DessinError(
            f"{path} has {len(numbers):,} classes and targets from {min(by_target)} to {max(by_target)}.",
            allowed=f"Targets are 0 to {len(numbers) - 1}, each used.",
            do="Correct the targets, or use the columns image_path,label.",
        )
    return numbers


def items_of(table: LabelTable) -> tuple[Item, ...]:
    return tuple(
        Item(image_id, label, table.groups.get(image_id, ""), table.parts.get(image_id, ""))
        for image_id, label in sorted(table.labels.items())
    )
