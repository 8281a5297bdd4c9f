"""What lies in a folder that dessin works in: found within bounds, following no link, and the only way
from a name to a path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.answers.committee import COMMITTEE_FILE
from dessin.collection.curation import COLUMNS as CURATION_COLUMNS
from dessin.collection.readers.csv_file import is_label_csv
from dessin.collection.readers.table import head_of
from dessin.collection.readers.walk import file_rule, folder_rule
from dessin.errors import DessinError
from dessin.models.card import CARD_FILE
from dessin.page.numbers import number
from dessin.runs.listing.find import find_records
from dessin.runs.record import FILE, STUDY_FILE
from dessin.trust.mistakes.result import Atlas


@dataclass(frozen=True)
class Workspace:
    """What `root` holds, each as a POSIX path below it, sorted; "." is the root itself.

    `collections` are folders or CSVs of labelled drawings, `splits` and `curations` are files. `bundles` are
    those outside of runs and committees. `notes` are lines about what was not looked into.
    """

    root: Path
    collections: tuple[str, ...] = ()
    audits: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    curations: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    committees: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    atlases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Everything that can answer: committees, bundles, and runs that have one."""
        finished = tuple(run for run in self.runs if (self.path(run) / "bundle" / CARD_FILE).is_file())
        return (*self.committees, *self.bundles, *finished)

    def path(self, name: str) -> Path:
        """The file or folder of a name, links resolved first; an error where it leads out of here."""
        path = self.root if "\0" in name else (self.root / name).resolve()
        if "\0" in name or not path.is_relative_to(self.root):
            raise DessinError(
                f'"{name}" does not lie inside {self.root}.', do="Choose something inside the workspace."
            )
        return path


DEPTH = 8
FOLDERS = 5_000
# The file that makes a folder one of these; nothing of its own lies below any but a study, which holds runs.
_MARKS = {
    FILE: "",
    COMMITTEE_FILE: "committees",
    CARD_FILE: "bundles",
    STUDY_FILE: "studies",
    Atlas.FILE: "atlases",
    "issues.csv": "audits",
}
_FEWEST_CLASSES = 2


def scan_workspace(root: Path) -> Workspace:
    """What lies below a folder.

    Hidden folders and links are not looked into, nor what lies deeper than `DEPTH` or beyond the first
    `FOLDERS` of them, which a note says.

    Raises:
        DessinError: no such folder, a file, or a folder that may not be read.
    """
    root = root.resolve()
    seen = find_records(root)
    walk = _Walk(root)
    walk.go()
    kinds = {kind: tuple(sorted(names)) for kind, names in walk.found.items()}
    return Workspace(
        root, runs=tuple(run.path for run in seen.found), notes=(*seen.notes, *walk.notes), **kinds
    )


class _Walk:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.found: dict[str, list[str]] = {}
        self.notes: list[str] = []

    def go(self) -> None:
        """Breadth first, so that the bound leaves out what lies deepest."""
        level, seen = ["."], 0
        for _ in range(DEPTH):
            seen += len(level)
            level = [inner for name in level[: FOLDERS - seen + len(level)] for inner in self._look(name)]
            if seen > FOLDERS:
                break
        if level:
            self.notes.append(f"Only {number(FOLDERS)} folders, {DEPTH} deep, were looked into.")

    def _look(self, name: str) -> list[str]:
        """File what the folder is; the folders in it that are to be looked into."""
        folders, files = _entries(self._root / name)
        marks = [_MARKS[file] for file in files if file in _MARKS]
        for kind in filter(None, marks):
            self._add(kind, name)
        if marks and STUDY_FILE not in files:
            return []
        labelled = self._csvs(name, files)
        if labelled:
            return []
        classes = [folder for folder in folders if _holds_image(self._root / name / folder)]
        if len(classes) >= _FEWEST_CLASSES:
            self._add("collections", name)
            folders = [folder for folder in folders if folder not in classes]
        return [_joined(name, folder) for folder in folders]

    def _csvs(self, name: str, files: Sequence[str]) -> bool:
        """File a folder's splits, curations and label CSVs; whether its drawings are labelled by a CSV."""
        labelled = [
            file for file in files if file.endswith(".csv") and is_label_csv(self._root / name / file)
        ]
        for file in files:
            kind = _kind_of_csv(self._root / name / file) if file.endswith(".csv") else ""
            if kind:
                self._add(kind, _joined(name, file))
        if len(labelled) > 1:
            for file in labelled:
                self._add("collections", _joined(name, file))
        elif labelled:
            self._add("collections", name)
        return bool(labelled)

    def _add(self, kind: str, name: str) -> None:
        self.found.setdefault(kind, []).append(name)


def _kind_of_csv(path: Path) -> str:
    table = head_of(path)
    if table is None:
        return ""
    if table.columns == CURATION_COLUMNS:
        return "curations"
    return "splits" if table.comment.startswith("dessin split ") else ""


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the folders that may be looked into and of the files; none where it is closed."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    continue
                if entry.is_dir():
                    folders += [] if folder_rule(entry.name) else [entry.name]
                else:
                    files.append(entry.name)
    except OSError:
        return [], []
    return sorted(folders), sorted(files)


def _holds_image(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(file_rule(entry.name) is None and entry.is_file() for entry in entries)
    except OSError:
        return False


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
