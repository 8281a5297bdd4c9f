"""From what a table says of an image to its file: as written, without its extension, in another case."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from dessin.collection.readers.walk import IMAGE_SUFFIXES, file_rule, folder_rule, nfc
from dessin.errors import DessinError, quoted
from dessin.images.paths import image_path


@dataclass(frozen=True)
class Found:
    """An image id, and `how` the file was found where not as written; no id where none or `several` fit.

    `near` are the several, or those of a like name.
    """

    image_id: str | None
    how: str = ""
    near: tuple[str, ...] = ()
    several: bool = False


class Finder:
    """Finds the images of a table below `root`; `bases` (such as `train/`) go before each path, in turn.

    With `anywhere` a name alone is looked for in all folders below.
    """

    def __init__(self, root: Path, bases: Sequence[str] = ("",), *, anywhere: bool = False) -> None:
        self.root = root
        self.bases = tuple(bases)
        self._anywhere = anywhere

    def find(self, text: str) -> Found:
        """What a cell names; as it is written comes first, then nearly so."""
        for base in self.bases:
            for path in self._spellings(text):
                if not fault(base + path) and is_file(self.root, nfc(base + path)):
                    return Found(nfc(base + path))
        for base in self.bases:
            for path in self._spellings(text):
                found = self._nearly(nfc(base + path))
                if found:
                    return found
        name = nfc(PurePosixPath(text.strip().replace("\\", "/")).name).casefold()
        if self._anywhere and name == nfc(text.strip()).casefold():
            bare = PurePosixPath(name).suffix not in IMAGE_SUFFIXES
            ids = self._index["name"].get(name if bare else _stem(name), [])
            ids = [path for path in ids if bare or PurePosixPath(path).name.casefold() == name]
            if ids:
                return Found(ids[0], "in a folder below") if len(ids) == 1 else _several(ids)
        return Found(None, near=tuple(self._index["name"].get(_stem(name), ())))

    def _nearly(self, path: str) -> Found | None:
        """By case, then by the name without its extension where the table leaves it away."""
        bare = PurePosixPath(path).suffix.lower() not in IMAGE_SUFFIXES
        for kind, how in (("case", "in another case"), ("stem", "without its extension")):
            if kind == "stem" and not bare:
                break
            ids = self._index[kind].get(path.casefold(), [])
            if len(ids) == 1:
                return Found(ids[0], how)
            if ids:
                return _several(ids)
        return None

    def _spellings(self, text: str) -> Iterator[str]:
        """The ways to read a cell as a path below the root, the most literal first."""
        yield text
        path = text.strip()
        if "\\" in path:
            path = path.replace("\\", "/")
        for root in self._roots:
            path = path.removeprefix(root)
        absolute = path.startswith("/") or path[1:2] == ":" or "://" in path
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if parts and not absolute:
            yield "/".join(parts)
            if parts[0] == self.root.name and len(parts) > 1:
                yield "/".join(parts[1:])

    def rebased(self, texts: Sequence[str]) -> Finder:
        """This one, or where it finds none of the paths, one that looks in the folder below that holds most
        of them, or else in all folders below.

        Raises:
            DessinError: two folders hold all of them.
        """
        if not texts or any(self.find(text).image_id for text in texts):
            return self
        tops = sorted({f"{path.partition('/')[0]}/" for path in self._paths if "/" in path})
        held = {base: sum(self._holds(base, text) for text in texts) for base in tops}
        best = [base for base in tops if 2 * held[base] > len(texts) and held[base] == max(held.values())]
        if len(best) > 1:
            raise DessinError(
                f"{quoted(texts[0])} is in {' and in '.join(best[:5])}, and the table does not say where.",
                do="Write the folder in the table's paths, or move the table into the folder.",
            )
        if best:
            return Finder(self.root, best)
        anywhere = Finder(self.root, self.bases, anywhere=True)
        return anywhere if any(anywhere.find(text).image_id for text in texts) else self

    def _holds(self, base: str, text: str) -> bool:
        return any(self._nearly(nfc(base + path)) for path in self._spellings(text))

    @cached_property
    def _roots(self) -> tuple[str, str]:
        return f"{self.root.as_posix()}/", f"{self.root.resolve().as_posix()}/"

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        return tuple(path for paths in self._index["case"].values() for path in paths)

    @cached_property
    def _index(self) -> dict[str, dict[str, list[str]]]:
        """The images below the root by their path in one case, by that without extension, and by stem."""
        index: dict[str, dict[str, list[str]]] = {"case": {}, "stem": {}, "name": {}}
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not folder_rule(name))
            above = Path(folder).relative_to(self.root).as_posix()
            for name in sorted(names):
                if file_rule(name):
                    continue
                path = nfc(name if above == "." else f"{above}/{name}")
                key = path.casefold()
                index["case"].setdefault(key, []).append(path)
                index["stem"].setdefault(_stem(key), []).append(path)
                index["name"].setdefault(_stem(nfc(name).casefold()), []).append(path)
        return index


def _several(ids: Sequence[str]) -> Found:
    return Found(None, near=tuple(ids), several=True)


def fault(path: str) -> str | None:
    """What is wrong with a path as such, or None."""
    parts = path.split("/")
    faults = {
        "is empty": not path.strip(),
        "is an address of the web": "://" in path,
        "is absolute": path.startswith("/") or path[1:2] == ":",
        "contains a backslash": "\\" in path,
        "contains a control character": not path.isprintable()
        and any(unicodedata.category(c) == "Cc" for c in path),
        "contains ..": ".." in parts,
        "contains an empty part or .": "" in parts or "." in parts,
    }
    return next((fault for fault, found in faults.items() if found), None)


def check_spelling(csv: Path, number: int, path: str) -> str:
    """The path in NFC; a refused one names its row (numbered from 1, without the header)."""
    wrong = fault(path)
    if wrong:
        raise DessinError(
            f'{csv}, row {number}: the path "{quoted(path)}" {wrong}.',
            allowed="A path is relative to the images' folder and written with /, such as cat/1.png.",
            do="Download the images, and write their paths."
            if wrong == "is an address of the web"
            else "Correct the row.",
        )
    return nfc(path)


def is_file(root: Path, image_id: str) -> bool:
    """Whether the image is a file inside the root, once its folder is known to be inside."""
    try:
        if stat.S_ISREG(os.lstat(f"{root}/{image_id}").st_mode):
            return True
    except OSError:
        if image_id.isascii():  # no disk spells such a name otherwise
            return False
    try:
        # A link, or a name that the disk spells otherwise.
        return image_path(root, image_id).is_file()
    except OSError:  # a name that no disk can hold
        return False


def _stem(path: str) -> str:
    return path.removesuffix(PurePosixPath(path).suffix)
