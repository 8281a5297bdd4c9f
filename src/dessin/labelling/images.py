"""The drawings of a folder without classes, and their features by a frozen backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dessin.collection.readers.walk import walk_images
from dessin.errors import DessinError, listing
from dessin.files import sha256_file
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.paths import image_path
from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore, open_store
from dessin.images.store_build import StoredImage
from dessin.labelling.choose import Floats
from dessin.language import tr
from dessin.models.backbones import candidates, describe_backbone
from dessin.models.classifier import build_classifier
from dessin.models.weights import resolve_weights
from dessin.page.numbers import number
from dessin.progress import say
from dessin.training.device import choose_device
from dessin.training.features import extract_features

_SIZE = 128


@dataclass(frozen=True)
class Unlabelled:
    """N drawings by image id, with their features (N, D); the `unreadable` ones have none."""

    root: Path
    image_ids: tuple[str, ...]
    features: Floats
    unreadable: tuple[str, ...] = ()


def read_unlabelled(folder: Path, model: str, image_ids: Sequence[str] | None = None) -> Unlabelled:
    """Some drawings of a folder, or all below it whatever its folders are called, seen by a frozen backbone.

    Raises:
        DessinError: fewer than two that can be read, or an unknown backbone.
    """
    found = _walked(folder) if image_ids is None else sorted(image_ids)
    images = [StoredImage(name, sha256_file(image_path(folder, name))) for name in found]
    first, *beside = (resolve_weights(*body) for body in candidates(model))
    classifier = build_classifier(
        first.backbone, 2, first, image_size=_SIZE, features="several", beside=beside
    )
    store, unreadable = _opened(images, folder, first.backbone)
    readable = tuple(image_id for image_id in found if image_id not in unreadable)
    device = torch.device(str(choose_device().value))
    digests = tuple(weights.sha256 for weights in (first, *beside))
    (features,) = extract_features(classifier, digests, store, store.rows(readable), device=device)
    return Unlabelled(folder, readable, features, unreadable)


def _walked(folder: Path) -> list[str]:
    walk = walk_images(folder)
    for rule, skipped in walk.skipped.items():
        values = {"folder": folder, "n": number(len(skipped)), "rule": rule, "paths": listing(skipped)}
        say(tr("{folder}: skipped {n} ({rule}): {paths}", **values))
    return walk.images


def _opened(images: list[StoredImage], folder: Path, backbone: str) -> tuple[PixelStore, tuple[str, ...]]:
    """The store of those that can be read, and the ids of the others."""
    spec, interpolation = ImageSpec(size=_SIZE), describe_backbone(backbone).interpolation
    _check_several(folder, len(images))
    try:
        return open_store(images, folder, spec, interpolation), ()
    except DessinError:
        unreadable = tuple(image.image_id for image in images if not _is_readable(folder, image.image_id))
        if not unreadable:
            raise
    values = {"folder": folder, "n": number(len(unreadable)), "paths": listing(unreadable)}
    say(tr("{folder}: {n} cannot be read and are left out: {paths}", **values))
    left = [image for image in images if image.image_id not in unreadable]
    _check_several(folder, len(left))
    return open_store(left, folder, spec, interpolation), unreadable


def _check_several(folder: Path, count: int) -> None:
    if count < 2:
        raise DessinError(f"{folder} holds {count} drawings.", do="Name a folder of drawings.")


def _is_readable(folder: Path, image_id: str) -> bool:
    try:
        decode(read_image_bytes(image_path(folder, image_id)))
    except Unreadable:
        return False
    return True
