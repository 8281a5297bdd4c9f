"""The contest layout: train.csv over train/, test.csv over test/, optional sample_submission.csv."""

from __future__ import annotations

from pathlib import Path

from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Reader, listing
from dessin.collection.readers.finder import check_spelling
from dessin.collection.readers.labels import check_files, items_of, read_labels, refuse_repeated
from dessin.collection.readers.table import columns_of
from dessin.collection.readers.walk import walk_images
from dessin.errors import DessinError
from dessin.files import read_csv


def contest_root(folder: Path) -> Path | None:
    """The folder that holds train.csv and train/: the given one, or `data/` in it.

    A train.csv with a column `label` is an ordinary CSV, whose paths are relative to itself.
    """
    for root in (folder, folder / "data"):
        csv = root / "train.csv"
        if csv.is_file() and (root / "train").is_dir() and "label" not in columns_of(csv):
            return root
    return None


class ContestFolder(Reader):
    """A contest's labelled images (ids `train/…`) and its test images (`test/…`, in the contest's order)."""

    name = "contest"

    def matches(self, path: Path) -> bool:
        return contest_root(path) is not None

    def columns(self, path: Path) -> tuple[str, ...]:
        return columns_of((contest_root(path) or path) / "train.csv")

    def read(self, path: Path, group_column: str | None) -> Collection:
        """Refuses what `read_labels` does, targets that are not the rank of the sorted class names, missing
        test images, and a sample submission in another order."""
        root = contest_root(path) or path
        csv = root / "train.csv"
        table = read_labels(csv, prefix="train/", group_column=group_column)
        classes = tuple(sorted(set(table.labels.values())))
        wrong = [name for rank, name in enumerate(classes) if table.targets.get(name, rank) != rank]
        if wrong:
            raise DessinError(
                f"{csv}: the targets of {len(wrong):,} classes are not their sorted rank: {listing(wrong)}.",
                allowed="A contest numbers its classes 0..C-1 in the order of their sorted names.",
                do="Correct the targets, or give the data as a CSV with image_path,label.",
            )
        test_ids = _read_test(root)
        check_files(root / "test.csv", root, test_ids)
        walk = walk_images(root, "train")
        skipped = {rule: list(paths) for rule, paths in table.skipped.items()}
        for rule, paths in walk.skipped.items():
            skipped[rule] = sorted({*skipped.get(rule, []), *paths})
        unlisted = [image_id for image_id in walk.images if image_id not in table.labels]
        if unlisted:
            skipped["not listed in train.csv"] = unlisted
        return Collection(
            root=root,
            layout=ContestFolder.name,
            items=items_of(table),
            classes=classes,
            names=class_names(classes),
            test_ids=tuple(test_ids),
            skipped={rule: tuple(paths) for rule, paths in skipped.items()},
            notes=() if test_ids else ("no test.csv: there is nothing to submit",),
        )


def _read_test(root: Path) -> list[str]:
    csv = root / "test.csv"
    if not csv.is_file():
        return []
    paths = [row["image_path"] for row in read_csv(csv, ("image_path",))[1]]
    if not paths:
        raise DessinError(f"{csv} lists no image.", do="Restore the contest's file, or remove it.")
    test_ids = ["test/" + check_spelling(csv, number, path) for number, path in enumerate(paths, 1)]
    refuse_repeated(csv, test_ids)
    sample = root / "sample_submission.csv"
    if sample.is_file() and [row["image_path"] for row in read_csv(sample, ("image_path",))[1]] != paths:
        raise DessinError(
            f"{sample} and {csv} do not list the same images in the same order.",
            do="Restore both from the contest.",
        )
    return test_ids
