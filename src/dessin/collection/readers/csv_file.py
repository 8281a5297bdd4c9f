"""The CSV layout: `image_path,label` or `image_path,class_name,target`, paths relative to the CSV and
inside its folder."""

from __future__ import annotations

import csv
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Item, Reader, listing
from dessin.collection.readers.walk import nfc, path_rule
from dessin.errors import DessinError
from dessin.files import read_csv
from dessin.images.paths import image_path

COLUMNS = ("image_path,label", "image_path,class_name,target")


def check_spelling(csv: Path, number: int, path: str) -> str:
    """The path in NFC; a refused one names its row (numbered from 1, without the header)."""
    parts = path.split("/")
    faults = {
        "is empty": not path,
        "is absolute": path.startswith("/") or path[1:2] == ":",
        "contains a backslash": "\\" in path,
        "contains a control character": any(unicodedata.category(c) == "Cc" for c in path),
        "contains ..": ".." in parts,
        "contains an empty part or .": "" in parts or "." in parts,
    }
    wrong = next((fault for fault, found in faults.items() if found), None)
    if wrong:
        raise DessinError(
            f'{csv}, row {number}: the path "{path}" {wrong}.',
            allowed="A path is relative to the images' folder and written with /, such as cat/1.png.",
            do="Correct the row.",
        )
    return nfc(path)


def refuse_repeated(csv: Path, paths: Sequence[str]) -> None:
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise DessinError(
            f"{csv} lists {len(repeated):,} images more than once: {listing(repeated)}.",
            allowed="An image has one row.",
            do="Remove the duplicate rows.",
        )


def check_files(csv: Path, root: Path, image_ids: Sequence[str]) -> None:
    """Raise `DessinError` where an image is missing, or a link leads it out of the root."""
    for folder in {image_id.rpartition("/")[0] for image_id in image_ids} - {""}:
        image_path(root, folder)
    missing = [image_id for image_id in image_ids if not _is_file(root, image_id)]
    if missing:
        raise DessinError(
            f"{csv} lists {len(missing):,} images that {root} does not hold: {listing(missing)}.",
            allowed="Paths are relative to that folder.",
            do="Add the files, or remove their rows.",
        )


def _is_file(root: Path, image_id: str) -> bool:
    """Whether the image is a file inside the root, once its folder is known to be inside."""
    try:
        if stat.S_ISREG(os.lstat(f"{root}/{image_id}").st_mode):
            return True
    except OSError:
        pass
    # A link, or a name that the disk spells otherwise.
    return image_path(root, image_id).is_file()


@dataclass(frozen=True)
class LabelTable:
    """A label CSV: image_id → label, label → target (if given), image_id → group, and what was skipped."""

    labels: Mapping[str, str]
    targets: Mapping[str, int]
    groups: Mapping[str, str]
    skipped: Mapping[str, tuple[str, ...]]


def columns_of(path: Path) -> tuple[str, ...]:
    """The header of a CSV, or () where the file cannot be read as one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(next(csv.reader(file), ()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return ()


def is_label_csv(path: Path) -> bool:
    return any(set(kind.split(",")) <= set(columns_of(path)) for kind in COLUMNS)


class LabelCsv(Reader):
    """A collection listed in a CSV: the file itself, or the only such file in a folder."""

    name = "csv"

    def matches(self, path: Path) -> bool:
        return _csv_in(path) is not None

    def columns(self, path: Path) -> tuple[str, ...]:
        return columns_of(_csv_in(path) or path)

    def read(self, path: Path, group_column: str | None) -> Collection:
        """Refuses missing columns or files, duplicate rows, an empty label, conflicting targets, an unsafe
        path, and no rows."""
        path = _csv_in(path) or path
        root = path.parent
        table = read_labels(path, group_column=group_column)
        check_files(path, root, list(table.labels))
        classes = tuple(sorted(set(table.labels.values())))
        ranked = {label: rank for rank, label in enumerate(classes)}
        notes: tuple[str, ...] = ()
        if table.targets and table.targets != ranked:
            notes = (
                "the targets of the CSV are not in the order of the labels; dessin numbers classes by label",
            )
        return Collection(
            root=root,
            layout=LabelCsv.name,
            items=items_of(table),
            classes=classes,
            names=class_names(classes),
            skipped=table.skipped,
            notes=notes,
        )


def _csv_in(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix.lower() == ".csv" else None
    found = sorted(
        file for file in path.glob("*.csv") if not file.name.startswith(".") and is_label_csv(file)
    )
    if len(found) > 1:
        raise DessinError(
            f"{path} holds {len(found)} CSVs of images: {listing([file.name for file in found])}.",
            do=f"Name one of them, such as {found[0]}.",
        )
    return found[0] if found else None


def items_of(table: LabelTable) -> tuple[Item, ...]:
    return tuple(
        Item(image_id, label, table.groups.get(image_id, ""))
        for image_id, label in sorted(table.labels.items())
    )


def read_labels(path: Path, *, prefix: str = "", group_column: str | None = None) -> LabelTable:
    """The labels of a CSV, checked; `prefix` (such as `train/`) goes before every path."""
    columns = columns_of(path)
    if not is_label_csv(path):
        # read_text's own errors (no such file, not UTF-8) come first.
        read_csv(path, ())
        raise DessinError(
            f"{path} has the columns {', '.join(columns) or 'none'}.",
            allowed=f"A CSV of images has {' or '.join(COLUMNS)}.",
            do="Rename its columns.",
        )
    rows = read_csv(path, ("image_path",))[1]
    label_column = "label" if "label" in columns else "class_name"
    labels: dict[str, str] = {}
    groups: dict[str, str] = {}
    skipped: dict[str, list[str]] = {}
    targets: dict[str, set[str]] = {}
    paths = [prefix + check_spelling(path, number, row["image_path"]) for number, row in enumerate(rows, 1)]
    refuse_repeated(path, paths)
    for image_id, row in zip(paths, rows, strict=True):
        rule = path_rule(image_id)
        if rule:
            skipped.setdefault(rule, []).append(image_id)
            continue
        labels[image_id] = nfc(row[label_column].strip())
        if group_column and row[group_column].strip():
            groups[image_id] = nfc(row[group_column].strip())
        if label_column == "class_name":
            targets.setdefault(labels[image_id], set()).add(row["target"].strip())
    _check_labels(path, labels)
    checked = _check_targets(path, targets) if targets else {}
    return LabelTable(labels, checked, groups, {rule: tuple(names) for rule, names in skipped.items()})


def _check_labels(path: Path, labels: Mapping[str, str]) -> None:
    if not labels:
        raise DessinError(
            f"{path} lists no image.", allowed="It needs one row an image.", do="Check the file."
        )
    empty = [image_id for image_id, label in labels.items() if not label]
    if empty:
        raise DessinError(
            f"{path} has {len(empty):,} rows without a label: {listing(empty)}.",
            do="Give each a label, or remove the rows.",
        )


def _check_targets(path: Path, targets: Mapping[str, set[str]]) -> dict[str, int]:
    """label → target: one each way, and exactly 0..C-1."""
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
        if not (text.isascii() and text.isdigit()):
            raise DessinError(
                f'{path}: the target "{text}" of class {label} is not a whole number.', do="Correct the rows."
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
    if set(by_target) != set(range(len(numbers))):
        raise DessinError(
            f"{path} has {len(numbers):,} classes and targets from {min(by_target)} to {max(by_target)}.",
            allowed=f"Targets are 0 to {len(numbers) - 1}, each used.",
            do="Correct the targets, or use the columns image_path,label.",
        )
    return numbers
