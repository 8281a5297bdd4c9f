"""Which names are not images of the collection: the rules by which a reader skips files."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif"})
OTHER_IMAGE_SUFFIXES = frozenset(
    {
        ".tif",
        ".tiff",
        ".svg",
        ".heic",
        ".heif",
        ".avif",
        ".jxl",
        ".jp2",
        ".psd",
        ".eps",
        ".ico",
        ".tga",
        ".pdf",
    }
)


def folder_rule(name: str) -> str | None:
    """The rule that skips a folder of this name, or None where it is to be read."""
    if name == "__MACOSX":
        return "__MACOSX folder"
    if name.startswith("."):
        return "hidden folder"
    return _unusable_name(name)


def file_rule(name: str) -> str | None:
    """The rule that skips a file of this name, or None where it is taken for an image."""
    if name.startswith("._"):
        return "AppleDouble file ._*"
    if name in (".DS_Store", "Thumbs.db"):
        return name
    if name.startswith("."):
        return "hidden file"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in OTHER_IMAGE_SUFFIXES:
        return f"image format {suffix}, which dessin does not read"
    if suffix not in IMAGE_SUFFIXES:
        return "no image extension"
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
