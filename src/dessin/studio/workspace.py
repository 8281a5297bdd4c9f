"""What lies in a folder that dessin works in: found within bounds, following no link, and the only way
from a name to a path."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from dessin.answers.committee import AUTO_BEST, AUTO_FILE, COMMITTEE_FILE
from dessin.auto.state import AutoState
from dessin.collection.curation import COLUMNS as CURATION_COLUMNS
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.columns import LABELLED
from dessin.collection.readers.csv_file import is_label_csv
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.table import head_of
from dessin.collection.readers.walk import file_rule, folder_rule, is_result, nfc
from dessin.errors import DessinError
from dessin.models.card import CARD_FILE
from dessin.page.numbers import number
from dessin.progress import quiet
from dessin.runs.listing.find import find_records
from dessin.runs.record import FILE, STUDY_FILE
from dessin.trust.mistakes.result import Atlas

# A folder with this file is a collection that was made here: its drawings lie in the folder below.
MADE_FILE, DRAWINGS = "studio.json", "drawings"


@dataclass(frozen=True)
class Elsewhere:
    """A collection outside of the workspace that results in it were made of: its `digests` are theirs."""

    path: Path
    digests: frozenset[str]


@dataclass(frozen=True)
class Workspace:
    """What `root` holds, each as a POSIX path below it, sorted; "." is the root itself.

    `collections` are folders or CSVs of labelled drawings, `splits` and `curations` are files. `unlabelled`
    are folders with drawings in them that are in no class, or have their labels in a `labels.csv`. `made` are
    those of the collections that the studio made, `results` the folders of `auto`. `bundles` are those
    outside of runs and committees. `elsewhere` are collections outside that results were made of, by their
    paths seen from here. `notes` are lines about what was not looked into.
    """

    root: Path
    collections: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    audits: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    curations: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    committees: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    atlases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """Everything that can answer: results of auto, committees, bundles, and runs that have one.

        What became the best of a result is named by the result alone.
        """
        best = {_joined(result, AUTO_BEST) for result in self.results}
        finished = (run for run in self.runs if (self.path(run) / "bundle" / CARD_FILE).is_file())
        others = (*self.committees, *self.bundles, *finished)
        return (*self.results, *(name for name in others if name not in best))

    def path(self, name: str) -> Path:
        """The file or folder of a name, links resolved first; an error where it leads out of here."""
        if name in self.elsewhere:
            return self.elsewhere[name].path
        path = self.root if "\0" in name else (self.root / name).resolve()
        if "\0" in name or not path.is_relative_to(self.root):
            raise DessinError(
                f'"{name}" does not lie inside {self.root}.', do="Choose something inside the workspace."
            )
        return path

    def called(self, name: str) -> str:
        """A name for people: the root is called by its own, and a collection that was made here by its
        folder's."""
        shown = name.removesuffix(f"/{DRAWINGS}") if name in self.made else name
        return self.root.name if shown == "." else shown


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
# The table in a folder that `dessin label` and the studio write.
LABELS = "labels.csv"
_FEWEST_UNLABELLED = 2
_PAGE = "index.html"


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
    # The newest first: that is the one to be asked.
    kinds["results"] = tuple(sorted(kinds.get("results", ()), key=lambda name: _age(root / name)))
    elsewhere = _elsewhere(root, kinds["results"])
    kinds["collections"] = (*kinds.get("collections", ()), *elsewhere)
    return Workspace(
        root,
        runs=tuple(run.path for run in seen.found),
        notes=(*seen.notes, *walk.notes),
        elsewhere=elsewhere,
        **kinds,
    )


def _age(result: Path) -> float:
    try:
        return -(result / AUTO_FILE).stat().st_mtime
    except OSError:
        return 0.0


def _elsewhere(root: Path, results: Sequence[str]) -> dict[str, Elsewhere]:
    """The collections outside that results say they were made of; the reader sees whether they still are."""
    found: dict[str, Elsewhere] = {}
    for result in results:
        place = _place(root / result)
        if place is None or place[0].is_relative_to(root):
            continue
        path, digest = place
        name = Path(os.path.relpath(path, root) if path.drive == root.drive else path).as_posix()
        before = found[name].digests if name in found else frozenset[str]()
        found[name] = Elsewhere(path, before | {digest})
    return found


def _place(result: Path) -> tuple[Path, str] | None:
    """Where the drawings of a result lie, and their digest; of several places the one that has it."""
    try:
        state = AutoState.read(result)
    except DessinError:
        return None
    digest = state.asked.manifest
    found = list(dict.fromkeys(place.resolve() for place in state.places(result) if place.exists()))
    if len(found) > 1:
        found.sort(key=lambda place: _digest_at(place, place.stat().st_mtime_ns) != digest)
    return (found[0], digest) if found else None


@lru_cache(maxsize=64)
def _digest_at(place: Path, stamp: int) -> str:  # noqa: ARG001 (a changed folder is read anew)
    try:
        with quiet():
            return build_manifest(read_collection(place)).digest
    except DessinError:
        return ""


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
        if AUTO_FILE in files:
            # Its curation and split are its own: to change them would contradict what was measured.
            if AUTO_BEST in folders:
                self._add("results", name)
            return [_joined(name, folder) for folder in folders]
        if MADE_FILE in files:
            self._add("made", _joined(name, DRAWINGS))
            self._add("collections", _joined(name, DRAWINGS))
            return [_joined(name, folder) for folder in folders if folder != DRAWINGS]
        loose = _has_loose(self._root / name, files)
        begun = loose and is_labelling(self._root / name / LABELS)
        # Beside folders the table is named itself, so that no reader takes these for classes.
        labelled = self._csvs(name, files, LABELS if begun and folders else "")
        if labelled and not begun:
            return []
        classes = [folder for folder in folders if _may_be_class(self._root / name / folder)]
        if len(classes) >= _FEWEST_CLASSES:
            if not labelled:
                self._add("collections", name)
            folders = [folder for folder in folders if folder not in classes]
        elif loose:
            self._add("unlabelled", name)
        return [_joined(name, folder) for folder in folders]

    def _csvs(self, name: str, files: Sequence[str], itself: str) -> bool:
        """File a folder's splits, curations and label CSVs; whether its drawings are labelled by a CSV.

        One CSV alone stands for its folder, but where it is `itself` to be named.
        """
        labelled = [
            file for file in files if file.endswith(".csv") and is_label_csv(self._root / name / file)
        ]
        for file in files:
            kind = _kind_of_csv(self._root / name / file) if file.endswith(".csv") else ""
            if kind:
                self._add(kind, _joined(name, file))
        if len(labelled) > 1 or labelled == [itself]:
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


def _may_be_class(folder: Path) -> bool:
    """Whether drawings lie in it, and no page and no table of their labels beside them."""
    try:
        with os.scandir(folder) as entries:
            files = {entry.name for entry in entries if entry.is_file()}
    except OSError:
        return False
    return files.isdisjoint({_PAGE, LABELS}) and any(file_rule(file) is None for file in files)


def _has_loose(folder: Path, files: Sequence[str]) -> bool:
    """Whether drawings lie in a folder itself, and not those of a page or a result."""
    drawings = sum(file_rule(file) is None for file in files)
    return drawings >= _FEWEST_UNLABELLED and _PAGE not in files and not is_result(folder)


def loose_drawings(folder: Path) -> tuple[str, ...]:
    """The image ids of the drawings that lie in a folder itself."""
    return tuple(sorted(nfc(file) for file in _entries(folder)[1] if file_rule(file) is None))


def is_labelling(path: Path) -> bool:
    """Whether a table has the columns of those that `dessin label` and the studio write."""
    table = head_of(path)
    return table is not None and table.columns == LABELLED


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
