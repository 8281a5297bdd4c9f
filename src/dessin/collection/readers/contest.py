"""The contest layout: a table of labels, test images without labels, maybe a sample submission."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Reader
from dessin.collection.readers.columns import (
    columns_of,
    label_columns,
    one_to_one,
    path_column,
    whole,
    with_header,
)
from dessin.collection.readers.finder import Finder
from dessin.collection.readers.joined import naming_column
from dessin.collection.readers.labels import (
    LabelTable,
    check_folders,
    find_all,
    items_of,
    read_labels,
    refuse_repeated,
)
from dessin.collection.readers.table import read_table
from dessin.collection.readers.walk import Walk, folder_rule, nfc, walk_images
from dessin.errors import DessinError, listing
from dessin.page.numbers import counted

# Names of tables without what is no letter: trainLabels.csv, train_set.csv, sample_submission_v2.csv.
_TRAIN = re.compile(r"train(ing)?(labels?|set|data|images?)?|labels?train(ing)?|labels?")
_TEST = re.compile(r"test(ing)?(set|data|images?|ids?)?")
_SAMPLE = re.compile(
    r"(sample|example|dummy|baseline)sub.*|sub(mit|mission)?s?(sample|example|dummy|baseline|format|template)"
)
# Where the images lie, below the contest's folder; the paths of a table may name the folder themselves.
_TRAIN_FOLDERS = (
    *("train", "train_images", "training", "train/train", "train/images", "images/train", "data/train"),
    "images",
)
_TEST_FOLDERS = (
    *("test", "test_images", "testing", "test/test", "test/images", "images/test", "data/test"),
    "images",
)


@dataclass(frozen=True)
class Contest:
    """A contest's collection, and what its tables say about the answers that it wants.

    `written` is label → how its table of labels spells it, `targets` label → number as it has them, empty
    where it has none. `test` is the list of test images, column → cells, in the order of
    `collection.test_ids`, which lie in `test_folder`.
    """

    collection: Collection
    label_column: str = ""
    target_column: str = ""
    written: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    test: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    test_folder: str = "test/"
    samples: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Parts:
    """Where the parts of a contest lie; folders are relative to the root, with a slash at their end."""

    root: Path
    train: Path
    train_folders: tuple[str, ...]
    test: Path | None
    test_folders: tuple[str, ...]
    samples: tuple[Path, ...]


def find_contest(folder: Path) -> Parts | None:
    """The parts of a contest in a folder, or in the only folder or `data/` in it; None where it is none.

    A table whose paths are relative to itself is a contest's only where there are test images beside it.
    """
    inside = [name for name in _subfolders(folder) if not folder_rule(name)]
    roots = (folder, *(folder / name for name in inside if name.lower() == "data" or len(inside) == 1))
    return next((parts for root in roots if (parts := _parts(root))), None)


def find_samples(root: Path) -> tuple[Path, ...]:
    """The sample submissions in a folder, by their names."""
    return _named(_tables(root), _SAMPLE)


def _tables(root: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(root) if name.lower().endswith((".csv", ".tsv"))]
    except OSError:
        return []
    return [root / name for name in sorted(names) if not name.startswith(".")]


def _named(tables: Sequence[Path], kind: re.Pattern[str]) -> tuple[Path, ...]:
    return tuple(path for path in tables if kind.fullmatch(_letters(path.stem)) and path.is_file())


def _parts(root: Path) -> Parts | None:
    tables = _tables(root)
    trains, tests, samples = (_named(tables, kind) for kind in (_TRAIN, _TEST, _SAMPLE))
    train_folders = _folders(root, _TRAIN_FOLDERS) if trains else ()
    if not train_folders:
        return None
    test_folders = _folders(root, _TEST_FOLDERS)
    train = max(trains, key=lambda path: _letters(path.stem).startswith("train"))
    if not tests and not samples:
        # A table called labels.csv may hold the labels of all images, and one whose paths are relative to
        # itself is an ordinary table.
        named = columns_of(train, Finder(root))
        plain = "label" not in named and any(name.lower() == "train/" for name in train_folders)
        certain = plain or any(name.lower() != "images/" for name in test_folders)
        if not (_letters(train.stem).startswith("train") and certain):
            return None
    return Parts(root, train, train_folders, next(iter(tests), None), test_folders, samples)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _folders(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the folders that are there, in any case, the deepest first: train/images/ before train/."""
    ordered = sorted(names, key=lambda name: -name.count("/"))
    return tuple(found for name in ordered if (found := _folder(root, name)))


def _folder(root: Path, name: str) -> str:
    """A folder as the disk spells it, with a slash at its end; empty where it is not there."""
    path = ""
    for part in name.split("/"):
        spelt = next((one for one in _subfolders(root / path) if one.lower() == part), None)
        if spelt is None:
            return ""
        path += f"{spelt}/"
    return path


def _subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


class ContestFolder(Reader):
    """A contest's labelled images (ids `train/…`) and its test images (`test/…`, in the contest's order)."""

    name = "contest"

    def matches(self, path: Path) -> bool:
        return find_contest(path) is not None

    def columns(self, path: Path) -> tuple[str, ...]:
        parts = find_contest(path)
        return columns_of(parts.train, Finder(parts.root, (*parts.train_folders, ""))) if parts else ()

    def read(self, path: Path, group_column: str | None) -> Collection:
        """Refuses what `read_labels` does, and missing test images."""
        return read_contest(path, group_column).collection


def read_contest(path: Path, group_column: str | None = None) -> Contest:
    """A contest as it lies on disk.

    Raises:
        DessinError: no contest, what `read_labels` refuses, or missing test images.
    """
    parts = find_contest(path)
    if parts is None:
        raise DessinError(f"{path} is no contest.", do="Name the folder that holds train.csv and train/.")
    table = read_labels(parts.train, bases=(*parts.train_folders, ""), group_column=group_column)
    tests = _read_test(parts, table)
    skipped = {rule: {*paths} for rule, paths in (*table.skipped.items(), *tests.skipped.items())}
    folder = _folder_of(parts.train_folders, table.labels)
    if folder:
        walk = walk_images(parts.root, folder.rstrip("/"))
        known = {*table.labels, *tests.image_ids}
        unlisted = [name for name in walk.images if name not in known]
        for rule, paths in (*walk.skipped.items(), (f"not listed in {parts.train.name}", unlisted)):
            skipped.setdefault(rule, set()).update(paths)
    classes = tuple(sorted(set(table.labels.values())))
    collection = Collection(
        root=parts.root,
        layout=ContestFolder.name,
        items=items_of(table),
        classes=classes,
        names=class_names(classes),
        test_ids=tests.image_ids,
        skipped={rule: tuple(sorted(paths)) for rule, paths in skipped.items() if paths},
        notes=(table.understood, tests.note),
    )
    column, targets = _targets(table)
    return Contest(
        collection=collection,
        label_column=table.roles.label,
        target_column=column,
        written={nfc(label): label for label in table.roles.table.column(table.roles.label)},
        targets=targets,
        test=tests.table,
        test_folder=_folder_of(parts.test_folders, tests.image_ids),
        samples=parts.samples,
    )


def _folder_of(folders: Sequence[str], image_ids: Iterable[str]) -> str:
    """The folder, with its slash, that holds most of the images; empty where none holds any."""
    counts = {folder: sum(name.startswith(folder) for name in image_ids) for folder in folders}
    best = max(counts, key=lambda folder: counts[folder], default="")
    return best if counts.get(best) else ""


def _targets(table: LabelTable) -> tuple[str, dict[str, int]]:
    """The column that numbers the labels, and label → number; nothing where there is none."""
    if table.targets:
        return table.roles.target, dict(table.targets)
    labels = table.roles.table.column(table.roles.label)
    for column in label_columns(table.roles.table.columns):
        if column != table.roles.label and one_to_one(labels, table.roles.table.column(column)):
            numbers = [whole(cell) for cell in table.roles.table.column(column)]
            found = {nfc(label): n for label, n in zip(labels, numbers, strict=True) if n is not None}
            if len(found) == len(set(labels)):
                return column, found
    return "", {}


@dataclass(frozen=True)
class _Tests:
    """The test images in the contest's order, their table, what was left out, and what was understood."""

    image_ids: tuple[str, ...]
    note: str
    table: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _read_test(parts: Parts, labelled: LabelTable) -> _Tests:
    """By the table of test images, else by the sample submission, else all images of the test folder."""
    if parts.test:
        return _listed(parts, parts.test)
    walk = Walk()
    for folder in parts.test_folders[:1]:
        walk = walk_images(parts.root, folder.rstrip("/"))
    image_ids = [name for name in walk.images if name not in labelled.labels]
    if not image_ids:
        return _Tests((), "no test images: there is nothing to submit")
    skipped = {rule: tuple(paths) for rule, paths in walk.skipped.items()}
    note = f"no table of test images: {counted(len(image_ids), 'image')} in {parts.test_folders[0]}"
    if len(parts.samples) == 1:
        sample = read_table(parts.samples[0])
        column, found = naming_column({name: sample.column(name) for name in sample.columns}, image_ids)
        if column and len(found) == len(sample.rows):
            named = [found[cell] for cell in sample.column(column)]
            others = tuple(sorted(set(image_ids) - set(named)))
            if others:
                skipped[f"not listed in {sample.path.name}"] = others
            listed = (
                f"{len(named):,} of which {sample.path.name} lists"
                if others
                else f"as {sample.path.name} lists them"
            )
            return _Tests(tuple(named), f"{note}, {listed}", {}, skipped)
    return _Tests(tuple(image_ids), note, {}, skipped)


def _listed(parts: Parts, csv: Path) -> _Tests:
    finder = Finder(parts.root, (*parts.test_folders, ""))
    table = with_header(read_table(csv), finder)
    if not table.rows:
        raise DessinError(f"{csv} lists no image.", do="Restore the contest's file, or remove it.")
    path = path_column(table, finder)
    if not path:
        raise DessinError(
            f"No column of {csv} names an image; its columns are {listing(table.columns)}.",
            allowed=f"A column has the names of the files in {listing(parts.test_folders) or 'test/'}.",
            do="Restore the contest's files.",
        )
    image_ids, hows = find_all(csv, finder, [row[table.columns.index(path)] for row in table.rows])
    refuse_repeated(csv, image_ids)
    check_folders(parts.root, image_ids)
    found = "".join(f", {count:,} found {how}" for how, count in hows.items())
    note = f"{csv.name}: {counted(len(image_ids), 'test image')} by column {path}{found}"
    labels = [name for name in label_columns(table.columns) if name != path and any(table.column(name))]
    if labels:
        note += f"; its {labels[0]} is not used, for a contest's test images have no labels"
    return _Tests(tuple(image_ids), note, {name: table.column(name) for name in table.columns})
