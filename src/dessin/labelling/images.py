"""The drawings of a folder without classes, and their features by a frozen backbone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from dessin.collection.readers.walk import walk_images
from dessin.errors import DessinError, listing
from dessin.files import sha256_file
from dessin.images.paths import image_path
from dessin.images.spec import ImageSpec
from dessin.images.store import open_store
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
    """N drawings by image id, with their features (N, D)."""

    root: Path
    image_ids: tuple[str, ...]
    features: Floats


def read_unlabelled(folder: Path, model: str) -> Unlabelled:
    """All drawings below a folder, whatever its folders are called, seen by a frozen backbone.

    Raises:
        DessinError: fewer than two drawings, one that cannot be read, or an unknown backbone.
    """
    walk = walk_images(folder)
    for rule, skipped in walk.skipped.items():
        values = {"folder": folder, "n": number(len(skipped)), "rule": rule, "paths": listing(skipped)}
        say(tr("{folder}: skipped {n} ({rule}): {paths}", **values))
    if len(walk.images) < 2:
        raise DessinError(f"{folder} holds {len(walk.images)} drawings.", do="Name a folder of drawings.")
    images = [StoredImage(name, sha256_file(image_path(folder, name))) for name in walk.images]
    first, *beside = (resolve_weights(*body) for body in candidates(model))
    classifier = build_classifier(
        first.backbone, 2, first, image_size=_SIZE, features="several", beside=beside
    )
    store = open_store(images, folder, ImageSpec(size=_SIZE), describe_backbone(first.backbone).interpolation)
    rows = store.rows([image.image_id for image in images])
    device = torch.device(str(choose_device().value))
    digests = tuple(weights.sha256 for weights in (first, *beside))
    (features,) = extract_features(classifier, digests, store, rows, device=device)
    return Unlabelled(folder, tuple(walk.images), features)
