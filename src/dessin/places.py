"""Where a path leads: what is wrong with one that is to be read or written, said before any work."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from dessin.errors import DessinError, quoted

Kind = Literal["file", "folder", "file or folder"]

# What file systems take for a name, less what the temporary name of a file that is being written adds.
_LONGEST_NAME: Final = 255 - 31


def check_writable(path: Path, kind: Kind, *, given: str = "--out") -> None:
    """Refuse a place where a new file or folder cannot be written; whether it is taken is not asked here.

    It is tried, in the nearest folder that exists, and what was tried is removed at once: no other answer
    holds on every file system. `given` is how the argument is spelt.

    Raises:
        DessinError: no name (`.`, `..`, `/`), a name that is too long or holds characters that no table could
            show, a file where a folder is needed or the other way round, a device, a loop of links, a place
            below a file, without permission, or on a disk that is read-only or full.
    """
    _check_name(path, kind, given)
    try:
        found = _status(path)
        if found is None and path.is_symlink():
            raise _dangling(path)
        if found is not None:
            _check_kind(path, found, kind, given)
        home = path if found is not None and stat.S_ISDIR(found.st_mode) else _nearest(path)
        probe = home / f".dessin-{os.getpid()}-{os.urandom(4).hex()}.tmp"
        try:
            probe.mkdir()
        finally:
            with suppress(OSError):
                probe.rmdir()
    except OSError as error:
        raise DessinError(
            f"{quoted(path)} cannot be written: {reason(error)}.",
            allowed=f"It was given as {given}.",
            do="Choose another place, or make this one writable.",
        ) from None


def check_readable(path: Path) -> None:
    """Refuse a path that leads to nothing that can be read.

    Raises:
        DessinError: nothing there, no permission, a loop of links, a device, a pipe, a socket, or a name that
            is not UTF-8, which no file of dessin could hold.
    """
    try:
        found = _status(path)
    except OSError as error:
        raise DessinError(f"{quoted(path)} cannot be read: {reason(error)}.", do="Check the path.") from None
    if found is None and path.is_symlink():
        raise _dangling(path)
    if found is None:
        raise DessinError(f"There is no file or folder {quoted(path.absolute())}.", do="Check the path.")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise DessinError(
            f"{quoted(path)} is {_what(found)}, which is not read.",
            allowed="What is read is a file or a folder.",
            do="Save what it gives as a file, and name that.",
        )
    needed = os.R_OK | (os.X_OK if stat.S_ISDIR(found.st_mode) else 0)
    if not os.access(path, needed):
        raise DessinError(
            f"{quoted(path)} cannot be read: you have no permission.",
            do="Have its owner allow it, or copy it to a place of your own.",
        )
    if not _is_text(str(path)):
        raise DessinError(
            f"The name {quoted(path)} is not UTF-8.",
            allowed="A path is written into records and tables, which are UTF-8.",
            do="Rename it.",
        )


def reason(error: OSError) -> str:
    """Why the system refused, in words."""
    words = {
        errno.ELOOP: "its links lead in a circle",
        errno.ENAMETOOLONG: "the path is too long",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EACCES: "you have no permission",
        errno.EPERM: "you have no permission",
        errno.EROFS: "the disk is read-only",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your share of the disk is full",
    }
    return words.get(error.errno or 0, error.strerror or str(error))


def _check_name(path: Path, kind: Kind, given: str) -> None:
    if path.name in ("", ".."):
        raise DessinError(
            f"{given} {path} names no new {kind}.",
            do=f"Give it a name, such as {given} {path / ('result' if kind == 'folder' else 'result.csv')}.",
        )
    text = str(path)
    if not path.name.strip() or not _is_text(text) or any(unicodedata.category(c) == "Cc" for c in text):
        raise DessinError(
            f'The name "{quoted(path)}" is blank, is not UTF-8, or holds a line break or another character '
            "that cannot be seen.",
            allowed=f"It was given as {given}.",
            do=f"Choose another {given}.",
        )
    if path.parts[0].startswith("~") and not Path(path.parts[0]).exists():
        raise DessinError(
            f"The shell did not put a folder in the place of {path.parts[0]} in {quoted(path)}.",
            do=f"Write {given} {quoted(path)} with a space and without quotes, or the whole path.",
        )
    long = max(path.parts, key=lambda part: len(os.fsencode(part)))
    if len(os.fsencode(long)) > _LONGEST_NAME:
        raise DessinError(
            f"The name {quoted(long)} has {len(os.fsencode(long)):,} bytes.",
            allowed=f"A name has at most {_LONGEST_NAME}.",
            do=f"Choose a shorter {given}.",
        )


def _check_kind(path: Path, found: os.stat_result, kind: Kind, given: str) -> None:
    is_file, is_folder = stat.S_ISREG(found.st_mode), stat.S_ISDIR(found.st_mode)
    if (is_file and "file" in kind) or (is_folder and "folder" in kind):
        return
    raise DessinError(
        f"{quoted(path)} is {_what(found)}, and a {kind} is needed.", do=f"Choose another {given}."
    )


def _dangling(path: Path) -> DessinError:
    return DessinError(
        f"{quoted(path)} is a link to {quoted(path.readlink())}, which is not there.",
        do="Correct or remove the link, or choose another path.",
    )


def _what(found: os.stat_result) -> str:
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(found.st_mode), "something else")


def _status(path: Path) -> os.stat_result | None:
    """What the system says of a path; None where nothing is there."""
    try:
        return path.stat()
    except (FileNotFoundError, ValueError):  # ValueError: a NUL, which no name holds
        return None


def _nearest(path: Path) -> Path:
    """The nearest place above a path that is there."""
    for above in path.absolute().parents:
        if _status(above) is not None:
            return above
        if above.is_symlink():
            raise _dangling(above)
    return Path()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
