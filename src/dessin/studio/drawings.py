"""A collection of the workspace with the audits and curations that are about it, and its drawings small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import streamlit as st

from dessin.answers.committee import AUTO_FILE
from dessin.collection.checks.base import Issue
from dessin.collection.curation import Change, read_curation
from dessin.collection.issues import read_issues
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.names import class_names
from dessin.collection.readers.collection import Collection, Item
from dessin.collection.readers.detect import read_collection
from dessin.collection.readers.folders import ClassFolders
from dessin.collection.readers.table import head_of
from dessin.collection.readers.walk import walk_images
from dessin.errors import DessinError
from dessin.images.decode import decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.shrink import shrunk
from dessin.language import language, tr
from dessin.page.numbers import number
from dessin.page.pictures import image_data_uri
from dessin.progress import quiet
from dessin.studio.plain import Figure, free_name
from dessin.studio.workspace import DRAWINGS, Workspace


@dataclass(frozen=True)
class Drawings:
    """A collection by image_id: `labels` as they lie on disk, `members` of each class in order.

    A collection that was made here has classes without any drawing too.
    """

    collection: Collection
    labels: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]

    def name(self, label: str) -> str:
        """A class's name for people."""
        return self.collection.names.get(label, label)

    def figure(self, image_id: str, note: str = "") -> Figure:
        """A drawing with its file's name under it."""
        return Figure(thumbnail(self.collection.root, image_id), image_id.rpartition("/")[2], note)

    @cached_property
    def manifest(self) -> Manifest:
        """For it every file is read once."""
        with quiet():
            return build_manifest(self.collection)

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def spread(self) -> str:
        """How many drawings a class has, as `12` or `3–25`."""
        counts = [len(ids) for ids in self.members.values()]
        return "–".join(number(count) for count in sorted({min(counts), max(counts)})) if counts else "0"


def read_drawings(workspace: Workspace, name: str) -> Drawings:
    """The collection of that name, remembered until a folder of it changes.

    Raises:
        DessinError: what its reader refuses; one outside of the workspace that is not, or no longer, what a
            result in it was made of.
    """
    path, outside = workspace.path(name), workspace.elsewhere.get(name)
    found = _drawings(str(path), folder_stamp(path), name in workspace.made)
    if outside and found.digest not in outside.digests:
        raise DessinError(
            f"The drawings in {path} have changed since the results here were made of them.",
            do="Open the studio on a folder that holds them.",
        )
    return found


@dataclass(frozen=True)
class Matching:
    """The audits of exactly these drawings with their issues, and the curation files that are about them.

    The last curation file is there to begin with. `problems` are sentences about files that are damaged, or
    may be about other drawings.
    """

    audits: Mapping[str, tuple[Issue, ...]]
    curations: tuple[str, ...]
    problems: tuple[str, ...]


def matching(workspace: Workspace, name: str) -> Matching:
    """What the workspace holds about a collection: audits and curations by the digest of the drawings; those
    curations that have none, or one of no collection here, by what they name, where no other has that too."""
    drawings = read_drawings(workspace, name)
    audits: dict[str, tuple[Issue, ...]] = {}
    problems = []
    for audit in workspace.audits:
        path = workspace.path(audit)
        digest = _digest_of_audit(path)
        try:
            if digest and digest == drawings.digest:
                audits[audit] = _issues(str(path), file_stamp(path / "issues.csv"))
        except DessinError as error:
            problems.append(str(error))
    begun, curations = curation_of(workspace, name), []
    # A collection that was made here has one of its own.
    for file in workspace.curations if name not in workspace.made else ():
        try:
            curation = read_curation(workspace.path(file))
        except DessinError as error:
            problems.append(str(error))
            continue
        if not _names_only(curation.changes, drawings) or _is_of_a_made_one(workspace, file):
            continue
        alike = [other for other in _others(workspace, name) if _names_only(curation.changes, other[1])]
        this = bool(alike and curation.drawings) and curation.drawings == drawings.digest
        others = [other for other in alike if curation.drawings == other[1].digest]
        if others and not this:
            continue
        if others or (alike and not this):
            problems.append(
                tr(
                    "{file} may be about {this} or {other}, so it is not used here.",
                    file=file,
                    this=workspace.called(name),
                    other=workspace.called((others or alike)[0][0]),
                )
            )
        else:
            curations.append(file)
    return Matching(audits, (*(file for file in curations if file != begun), begun), tuple(problems))


def curation_of(workspace: Workspace, name: str) -> str:
    """The curation file that a collection has in the studio, which need not be there yet."""
    if name in workspace.made:
        return name.removesuffix(DRAWINGS) + CURATION
    drawings, shares = read_drawings(workspace, name), bool(_others(workspace, name))
    stem = f"curation of {workspace.called(name).replace('/', ' ').strip(' .')}" if shares else "curation"
    return free_name(workspace, stem, ".csv", lambda file: _may_begin(file, drawings)).name


CURATION = "curation.csv"


def _is_of_a_made_one(workspace: Workspace, file: str) -> bool:
    """Whether a file lies in the folder of a collection that was made here."""
    return any(file.startswith(made.removesuffix(DRAWINGS)) for made in workspace.made)


def _others(workspace: Workspace, name: str) -> list[tuple[str, Drawings]]:
    """The other collections of the workspace that were not made here, and can be read."""
    found = []
    for other in workspace.collections:
        if other in (*workspace.made, name):
            continue
        with suppress(DessinError):
            found.append((other, read_drawings(workspace, other)))
    return found


def _digest_of_audit(folder: Path) -> str:
    """The digest of the drawings that an audit was made of, as the first line of its manifest has it."""
    head = head_of(folder / "manifest.csv")
    return head.comment.removeprefix("dessin manifest 1 ") if head else ""


def _names_only(changes: Iterable[Change], drawings: Drawings) -> bool:
    """Whether all the changes are of these drawings; of none at all nobody can tell, so it is so."""
    return all(change.image_id in drawings.labels for change in changes)


def _may_begin(file: Path, drawings: Drawings) -> bool:
    try:
        # The files of a result are its own.
        return not (file.parent / AUTO_FILE).exists() and _names_only(read_curation(file).changes, drawings)
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
def _drawings(path: str, stamp: str, made: bool) -> Drawings:  # noqa: ARG001 (a changed folder is read anew)
    collection = read_made(Path(path)) if made else read_collection(path)
    members: dict[str, list[str]] = {label: [] for label in collection.classes}
    for item in collection.items:
        members[item.label].append(item.image_id)
    return Drawings(
        collection,
        {item.image_id: item.label for item in collection.items},
        {label: tuple(ids) for label, ids in members.items()},
    )


def read_made(root: Path) -> Collection:
    """A collection that was made here: each folder is a class, one without drawings too."""
    walk = walk_images(root)
    classes = tuple(folder for folder in walk.folders if "/" not in folder)
    items = tuple(Item(each, each.partition("/")[0]) for each in sorted(walk.images) if "/" in each)
    return Collection(root, ClassFolders.name, items, classes, class_names(classes))


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
