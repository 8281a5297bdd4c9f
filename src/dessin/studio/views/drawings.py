"""A collection of the workspace with the audits and curations that are about it, and its drawings small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dessin.collection.checks.base import Issue
from dessin.collection.curation import read_curation
from dessin.collection.issues import read_issues
from dessin.collection.manifest import read_manifest
from dessin.collection.readers.collection import Collection
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.images.decode import decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.shrink import shrunk
from dessin.language import language
from dessin.page.numbers import number
from dessin.page.pictures import image_data_uri
from dessin.studio.plain import Figure, free_name
from dessin.studio.workspace import Workspace


@dataclass(frozen=True)
class Drawings:
    """A collection by image_id: `labels` as they lie on disk, `members` of each class in order."""

    collection: Collection
    labels: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]

    def name(self, label: str) -> str:
        """A class's name for people."""
        return self.collection.names.get(label, label)

    def figure(self, image_id: str, note: str = "") -> Figure:
        """A drawing with its file's name under it."""
        return Figure(thumbnail(self.collection.root, image_id), image_id.rpartition("/")[2], note)

    @property
    def spread(self) -> str:
        """How many drawings a class has, as `12` or `3–25`."""
        counts = Counter(self.labels.values()).values()
        return "–".join(number(count) for count in sorted({min(counts), max(counts)}))


def read_drawings(workspace: Workspace, name: str) -> Drawings:
    """The collection of that name, remembered until a folder of it changes; refused as by its reader."""
    path = workspace.path(name)
    return _drawings(str(path), folder_stamp(path))


@dataclass(frozen=True)
class Matching:
    """The audits of exactly these drawings with their issues, and the curation files that name no others.

    The last curation file is there to begin with. `problems` are sentences about files that are damaged.
    """

    audits: Mapping[str, tuple[Issue, ...]]
    curations: tuple[str, ...]
    problems: tuple[str, ...]


def matching(workspace: Workspace, drawings: Drawings) -> Matching:
    """What the workspace holds about a collection."""
    audits: dict[str, tuple[Issue, ...]] = {}
    curations, problems = [], []
    for name in (*workspace.audits, *workspace.curations):
        try:
            path = workspace.path(name)
            if name in workspace.curations:
                curations += [name] if _is_about(path, drawings) else []
            elif _audited(str(path), file_stamp(path / "manifest.csv")) == drawings.labels:
                audits[name] = _issues(str(path), file_stamp(path / "issues.csv"))
        except DessinError as error:
            problems.append(str(error))
    begun = free_name(workspace, "curation", ".csv", lambda file: _may_begin(file, drawings)).name
    names = (*(name for name in curations if name != begun), begun)
    return Matching(audits, names, tuple(problems))


def _is_about(file: Path, drawings: Drawings) -> bool:
    return all(change.image_id in drawings.labels for change in read_curation(file).changes)


def _may_begin(file: Path, drawings: Drawings) -> bool:
    try:
        return _is_about(file, drawings)
    except DessinError:
        return False


def folder_stamp(path: Path) -> str:
    """Changes whenever a file comes into a folder or one of its subfolders, or goes."""
    if path.is_file():
        return file_stamp(path)
    folders = (path, *sorted(entry for entry in path.iterdir() if entry.is_dir()))
    return " ".join(str(folder.stat().st_mtime_ns) for folder in folders)


def file_stamp(path: Path) -> str:
    """Changes whenever a file is written, and with the language, in which things are made of it; empty where
    there is none."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{language()}:{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _drawings(path: str, stamp: str) -> Drawings:  # noqa: ARG001 (a changed folder is read anew)
    collection = read_collection(path)
    members: dict[str, list[str]] = {label: [] for label in collection.classes}
    for item in collection.items:
        members[item.label].append(item.image_id)
    return Drawings(
        collection,
        {item.image_id: item.label for item in collection.items},
        {label: tuple(ids) for label, ids in members.items()},
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _audited(folder: str, stamp: str) -> dict[str, str]:  # noqa: ARG001
    manifest = read_manifest(Path(folder) / "manifest.csv", Path(folder))
    return {row.image_id: row.label for row in manifest.rows}


@st.cache_resource(max_entries=16, show_spinner=False)
def _issues(folder: str, stamp: str) -> tuple[Issue, ...]:  # noqa: ARG001
    return read_issues(Path(folder) / "issues.csv")


_SIDE = 160


def thumbnail(root: Path, image_id: str) -> str:
    """The drawing as a `data:` address of at most 160 px; empty where it cannot be read."""
    try:
        path = image_path(root, image_id)
        return _thumbnail(str(path), file_stamp(path))
    except DessinError:
        return ""


@st.cache_data(max_entries=4000, show_spinner=False)
def _thumbnail(path: str, stamp: str) -> str:  # noqa: ARG001 (a changed file is another picture)
    pixels = decode(read_image_bytes(Path(path))).pixels
    return image_data_uri(shrunk(pixels, _SIDE), kind="webp", quality=70)
