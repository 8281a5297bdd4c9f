"""What `predict` is pointed at: files, folders, CSV lists and contests become images with portable names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dessin.collection.readers.collection import Collection, listing
from dessin.collection.readers.contest import contest_root
from dessin.collection.readers.csv_file import check_files, check_spelling, refuse_repeated
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.walk import nfc, walk_images
from dessin.errors import DessinError
from dessin.files import read_csv
from dessin.images.paths import image_path
from dessin.progress import say
from dessin.serving.runtime import ImageFile


def find_images(paths: Sequence[Path]) -> tuple[ImageFile, ...]:
    """Every image that the paths name, once each, in the order given (folders in sorted order).

    A folder is searched through and through, with the rules of the collection readers; a contest folder
    stands for its test images, and a CSV with a column `image_path` for the images that it lists. A single
    file is taken whatever its name. Image ids are relative to the folder that all the paths share.

    Raises:
        DessinError: a path that does not exist, a CSV without images, or nothing found at all.
    """
    if not paths:
        raise DessinError("No image was named.", allowed="Name files, folders, a CSV or a contest folder.")
    for path in paths:
        if not path.exists():
            raise DessinError(f"There is no file or folder {path}.", do="Check the path.")
    found = [file for path in paths for file in _files_of(path.absolute())]
    if not found:
        raise DessinError(
            f"No image was found in {listing([str(path) for path in paths])}.",
            allowed="Images are PNG, JPEG, WebP, BMP or GIF.",
            do="Check the path.",
        )
    base = _common_folder([path.absolute() for path in paths])
    files: dict[str, ImageFile] = {}
    for name, file in found:
        image_id = nfc(name.relative_to(base).as_posix())
        files.setdefault(image_id, ImageFile(image_id, file))
    return tuple(files.values())


def contest_images(contest: Collection) -> tuple[ImageFile, ...]:
    """The test images of a contest, in its order; image ids are below its root (`test/...`)."""
    return tuple(ImageFile(image_id, contest.path(image_id)) for image_id in contest.test_ids)


def _files_of(path: Path) -> list[tuple[Path, Path]]:
    """(the path as it is named, the file itself) of each image; the two differ in spelling or by a link."""
    if path.is_file():
        return _listed(path) if path.suffix.lower() == ".csv" else [(path, path)]
    if contest_root(path):
        contest = read_collection(path)
        say(f"{path}: a contest, {len(contest.test_ids):,} test images")
        return [(contest.root / file.image_id, file.path) for file in contest_images(contest)]
    walk = walk_images(path)
    for rule, skipped in walk.skipped.items():
        say(f"{path}: skipped {len(skipped):,} ({rule}): {listing(skipped)}")
    return [(path / image_id, image_path(path, image_id)) for image_id in walk.images]


def _listed(csv: Path) -> list[tuple[Path, Path]]:
    """The images of a CSV list, relative to its folder; those of a contest's test.csv lie in test/."""
    of_contest = csv.name == "test.csv" and contest_root(csv.parent) == csv.parent
    root = csv.parent / "test" if of_contest else csv.parent
    rows = read_csv(csv, ("image_path",))[1]
    image_ids = [check_spelling(csv, number, row["image_path"]) for number, row in enumerate(rows, 1)]
    refuse_repeated(csv, image_ids)
    check_files(csv, root, image_ids)
    return [(root / image_id, image_path(root, image_id)) for image_id in image_ids]


def _common_folder(paths: Sequence[Path]) -> Path:
    folders = [path if path.is_dir() else path.parent for path in paths]
    return Path(os.path.commonpath(folders))
