"""A folder of drawings of no class of the model, read and put to it as its own ones are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dessin.answers.inference import OpenStore
from dessin.collection.readers.collection import listing
from dessin.collection.readers.walk import walk_images
from dessin.errors import DessinError
from dessin.experiments.confidence.evidence import Answers, answers_by_fold, answers_of, single_model
from dessin.files import sha256_file
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.spec import ImageSpec, Interpolation
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.progress import track, warn
from dessin.runs.subject import Subject

_FEWEST = 2


@dataclass(frozen=True, eq=False)
class UnknownImages:
    """Images of no class: `groups` (n,) are their folders, or themselves where they lie in one folder."""

    root: Path
    images: tuple[StoredImage, ...]

    @property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(image.image_id for image in self.images)

    @property
    def folders(self) -> NDArray[np.str_]:
        return np.array([_folder(image_id) for image_id in self.image_ids])

    @property
    def groups(self) -> NDArray[np.str_]:
        folders = self.folders
        return folders if len(np.unique(folders)) > 1 else np.array(self.image_ids)

    def opener(self) -> OpenStore:
        """What opens the pixels that a model looks at."""

        @cache
        def store(spec: ImageSpec, interpolation: Interpolation) -> PixelStore:
            return open_store(self.images, self.root, spec, interpolation)

        return lambda image: store(image.spec, image.interpolation)


def read_unknown(folder: Path, subject: Subject) -> UnknownImages:
    """The readable images below `folder`, without those that the model does know.

    Left out, and said, are folders with the name of one of the model's classes, files of its own collection,
    and what cannot be read.

    Raises:
        DessinError: no such folder, or fewer than two images left.
    """
    if not folder.is_dir():
        raise DessinError(f"There is no folder {folder}.", do="Check --unknown.")
    images = walk_images(folder).images
    images = _without(images, _known_names(images, subject), "have the name of a class of the model")
    sha256 = {image_id: sha256_file(image_path(folder, image_id)) for image_id in images}
    own = {row.sha256 for row in subject.inputs.manifest.rows}
    images = _without(
        images, {name for name in images if sha256[name] in own}, "are files of its own collection"
    )
    images = _without(images, _unreadable(folder, images), "cannot be read")
    if len(images) < _FEWEST:
        raise DessinError(
            f"{folder} holds {len(images) or 'no'} usable image{'s' if len(images) != 1 else ''}.",
            allowed="It takes two or more PNG, JPEG, WebP, BMP or GIF of things that are no class of it.",
            do="Check --unknown.",
        )
    return UnknownImages(folder, tuple(StoredImage(name, sha256[name]) for name in sorted(images)))


def unknown_answers(subject: Subject, unknown: UnknownImages, *, seed: int) -> Answers:
    """What the model says of them."""
    bundle = single_model(subject.loaded)
    if bundle is None:
        return answers_by_fold(subject, unknown.opener(), unknown.image_ids, seed=seed)
    store = unknown.opener()(bundle.card.image)
    return answers_of(bundle, store, unknown.image_ids, label="unknown drawings")


def _folder(image_id: str) -> str:
    return PurePosixPath(image_id).parent.as_posix()


def _known_names(images: Sequence[str], subject: Subject) -> set[str]:
    committee = subject.loaded.committee
    known = {_spelt(name) for name in (*committee.classes, *committee.names.values())}
    return {name for name in images if _spelt(PurePosixPath(name).parent.name) in known}


def _spelt(name: str) -> str:
    """A class name without what people spell in several ways."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _unreadable(folder: Path, images: Sequence[str]) -> set[str]:
    bad = set()
    for name in track(images, len(images), "unknown drawings, reading"):
        try:
            decode(read_image_bytes(image_path(folder, name)))
        except Unreadable:
            bad.add(name)
    return bad


def _without(images: Sequence[str], left_out: set[str], why: str) -> list[str]:
    if left_out:
        warn(
            f"Of the unknown drawings {len(left_out):,} {why} and are left out: {listing(sorted(left_out))}."
        )
    return [name for name in images if name not in left_out]
