"""Walking a folder: every image in it under its portable name, and what was skipped by which rule."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dessin.errors import DessinError, listing
from dessin.images.containers.base import FORMATS
from dessin.images.paths import image_path
from dessin.language import tr
from dessin.page.numbers import number
from dessin.progress import say

HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
IMAGE_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".avif", *HEIC_SUFFIXES,
})  # fmt: skip
OTHER_IMAGE_SUFFIXES = frozenset({
    ".svg", ".jxl", ".jp2", ".psd", ".eps", ".ico", ".tga", ".pdf"
})  # fmt: skip
# What systems and programs make beside people's pictures: previews, wastebaskets, caches.
_MACHINE_FOLDERS = frozenset({
    "__macosx", "__pycache__", "@eadir", "@recycle", "#recycle", "$recycle.bin", "recycler", "lost+found",
    "system volume information", "found.000", "thumbs", "thumbnails", "_thumbnails",
})  # fmt: skip
# Files that dessin writes into the folder of a result; a folder that has one is not a class.
_RESULT_FILES = frozenset({
    "record.json", "folds.json", "study.json", "committee.json", "bundle.json", "export.json",
    "metrics.json", "comparison.json", "robustness.json", "faithfulness.json", "confidence.json",
    "mistakes.json", "scout.csv", "issues.csv", "audit/issues.csv",
})  # fmt: skip
NO_EXTENSION = "no image extension"
_STARTS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")


def folder_rule(name: str) -> str | None:
    """The rule that skips a folder of this name, or None where it is to be read."""
    if name.lower() in _MACHINE_FOLDERS:
        return f"{name} folder"
    if name.startswith("."):
        return "hidden folder"
    return _unusable_name(name)


def is_result(folder: Path) -> bool:
    """Whether dessin wrote the folder: a run, an audit, a committee, all that auto makes."""
    return any((folder / name).is_file() for name in _RESULT_FILES)


def file_rule(name: str) -> str | None:
    """The rule that skips a file of this name, or None where it is taken for an image."""
    if name.startswith("._"):
        return "AppleDouble file ._*"
    if name in (".DS_Store", "Thumbs.db"):
        return name
    if name.lower() in ("desktop.ini", "ehthumbs.db") or name.startswith("~$") or ":zone." in name.lower():
        return "file of the system or an open program"
    if name.startswith("."):
        return "hidden file"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in OTHER_IMAGE_SUFFIXES:
        return f"image format {suffix}, which dessin does not read"
    if suffix not in IMAGE_SUFFIXES:
        return NO_EXTENSION
    return _unusable_name(name)


def path_rule(path: str) -> str | None:
    """The rule that skips a relative POSIX path because of its file or any folder above it."""
    *folders, name = path.split("/")
    return next((rule for rule in map(folder_rule, folders) if rule), None) or file_rule(name)


def _unusable_name(name: str) -> str | None:
    # Such names cannot be written to a portable CSV and read back as the same name.
    if "\\" in name or any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        return "name with a backslash or characters that are not text"
    return None


def printable(path: str) -> str:
    """A path as it can be shown and written: bytes that are no text become escapes."""
    return path.encode("unicode_escape").decode("ascii") if _unusable_name(path) else path


def nfc(text: str) -> str:
    """The composed form, in which every image_id and label is written."""
    return unicodedata.normalize("NFC", text)


@dataclass
class Walk:
    """What was found below a root, as relative POSIX paths in NFC, and what was skipped."""

    images: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, rule: str, path: str) -> None:
        self.skipped.setdefault(rule, []).append(printable(path))


def walk_images(root: Path, start: str = "") -> Walk:
    """Every image below `root / start`, in sorted order.

    Raises:
        DessinError: a link leaves the root or runs in a circle, two names coincide, a folder is closed.
    """
    walk = Walk()
    _walk(walk, root, start, ())
    return walk


def images_of(path: Path) -> list[tuple[Path, Path]]:
    """(the path as it is named, the file itself) of a file, whatever its name, or of each image of a folder.

    What is skipped is said.
    """
    if path.is_file():
        return [(path, path)]
    walk = walk_images(path)
    for rule, skipped in walk.skipped.items():
        values = {"folder": path, "n": number(len(skipped)), "rule": rule, "paths": listing(skipped)}
        say(tr("{folder}: skipped {n} ({rule}): {paths}", **values))
    return [(path / image_id, image_path(path, image_id)) for image_id in walk.images]


def find_images(
    paths: Sequence[Path], named: Callable[[Path], list[tuple[Path, Path]]] = images_of
) -> dict[str, Path]:
    """Every image that the paths name, once each, in the order given: its file by its image id.

    Ids are relative to the folder that all the paths share; `named` has what stands for one path.

    Raises:
        DessinError: a path that does not exist, or no image at all.
    """
    for path in paths:
        if not path.exists():
            raise DessinError(f"There is no file or folder {path}.", do="Check the path.")
    whole = [path.absolute() for path in paths]
    found = [pair for path in whole for pair in named(path)]
    if not found:
        raise DessinError(
            f"No image was found in {listing([str(path) for path in paths])}.",
            allowed=f"Images are {FORMATS}.",
            do="Check the path.",
        )
    base = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in whole]))
    files: dict[str, Path] = {}
    for name, file in found:
        files.setdefault(nfc(name.relative_to(base).as_posix()), file)
    return files


def _walk(walk: Walk, root: Path, folder: str, above: tuple[str, ...]) -> None:
    real_folder = os.path.realpath(root / folder)
    if real_folder in above:
        raise DessinError(f"The link {folder} leads back to a folder above it.", do="Remove the link.")
    if folder and is_result(root / folder):
        walk.skip("a result of dessin", f"{folder}/")
        return
    if folder:
        walk.folders.append(nfc(folder))
    names: dict[str, str] = {}
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}" if folder else entry.name
        is_folder = _is_folder(entry)
        rule = folder_rule(entry.name) if is_folder else file_rule(entry.name)
        if not rule and entry.name not in (nfc(entry.name), unicodedata.normalize("NFD", entry.name)):
            rule = "name that mixes two Unicode forms"
        if rule == NO_EXTENSION and _starts_as_image(entry):
            rule = "image without an image's extension: rename it"
        if rule:
            walk.skip(rule, path + "/" if is_folder else path)
            continue
        if entry.is_symlink():
            image_path(root, path)
        twin = names.setdefault(nfc(entry.name), path)
        if twin != path:
            raise DessinError(
                f"{root / folder} holds {nfc(entry.name)} twice, in two Unicode forms of the name.",
                do="Rename one of them.",
            )
        if is_folder:
            _walk(walk, root, path, (*above, real_folder))
        elif entry.is_symlink() or entry.is_file():
            walk.images.append(nfc(path))
        else:
            walk.skip("not a regular file", path)


def _starts_as_image(entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_file(follow_symlinks=False):
            return False
        with Path(entry.path).open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_STARTS) or start[:4] + start[8:] == b"RIFFWEBP"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: nfc(entry.name))
    except OSError as error:
        raise DessinError(
            f"The folder {folder} cannot be read: {error.strerror or error}.", do="Check its permissions."
        ) from None
