"""Collections with planted wrong labels, and the out-of-fold answers of probes that were trained on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.collection.checks.base import Context
from dessin.collection.curation import apply_curation, propose_curation
from dessin.collection.duplicates import find_duplicates, group_images
from dessin.collection.issues import default_kinds, run_checks
from dessin.collection.manifest import build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.collection.scan import scan_images
from dessin.collection.split.plan import make_split
from dessin.images.spec import ImageSpec
from dessin.images.store import open_store
from dessin.images.store_build import StoredImage
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import build_classifier
from dessin.models.weights import resolve_weights
from dessin.progress import quiet
from dessin.randomness import image_keys, permutation, uniform
from dessin.training.device import choose_device
from dessin.training.features import extract_features
from dessin.training.probe import fit_probe

Noise = Literal["uniform", "confusable"]
NOISES: tuple[Noise, ...] = get_args(Noise)
Floats = NDArray[np.float32]
FOLDS, VIEWS = 5, ("identity", "hflip")
# A confusable wrong label is one of so many classes that the clean probe gives most probability.
_NEAREST = 3


@dataclass(frozen=True, eq=False)
class Drawings:
    """N drawings: features (V, N, D), true classes (N,), groups (N,)."""

    name: str
    image_ids: tuple[str, ...]
    features: Floats
    truth: NDArray[np.int64]
    groups: tuple[str, ...]
    classes: int


@dataclass(frozen=True, eq=False)
class World:
    """Out-of-fold answers (N, C) of probes that were trained on the given labels, some of which are wrong."""

    probabilities: Floats
    given: NDArray[np.int64]
    truth: NDArray[np.int64]
    groups: tuple[str, ...]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        return np.not_equal(self.given, self.truth)


def read_drawings(name: str, data: Path, group: str | None, backbone: str, size: int) -> Drawings:
    """A collection without its unreadable files, copies and conflicts, seen by a frozen backbone."""
    with quiet():
        manifest = build_manifest(read_collection(data, group=group))
        scan = scan_images(manifest)
        pairs = find_duplicates(manifest, scan)
        issues = run_checks(Context(manifest, scan, pairs))
        kept = apply_curation(propose_curation(issues, manifest, default_kinds()), manifest)
        groups = group_images(
            [row.image_id for row in manifest.rows], {row.image_id: row.group for row in manifest.rows}, pairs
        )
        info, weights = describe_backbone(backbone), resolve_weights(backbone)
        images = [StoredImage(row.image_id, row.sha256) for row in kept.rows]
        store = open_store(images, manifest.root, ImageSpec(size=size), info.interpolation)
        classifier = build_classifier(backbone, 2, weights, image_size=size)
        device = torch.device(str(choose_device().value))
        image_ids = tuple(row.image_id for row in kept.rows)
        features = extract_features(
            classifier, (weights.sha256,), store, store.rows(image_ids), VIEWS, device=device
        )
    number = {label: i for i, label in enumerate(kept.classes)}
    return Drawings(
        name=name,
        image_ids=image_ids,
        features=features,
        truth=np.array([number[row.label] for row in kept.rows], dtype=np.int64),
        groups=tuple(groups[image_id] for image_id in image_ids),
        classes=len(kept.classes),
    )


def plant(drawings: Drawings, noise: Noise, share: float, seed: int, keep: Path) -> World:
    """The world of a seed; kept in `keep`, since a table takes some seconds."""
    name = f"{drawings.name}-{noise}-{share}-{seed}"
    given = _wrong_labels(drawings, noise, share, seed, keep)
    table = _kept(keep / f"{name}.npy", drawings, given, seed)
    return World(table, given, drawings.truth, drawings.groups)


def _wrong_labels(drawings: Drawings, noise: Noise, share: float, seed: int, keep: Path) -> NDArray[np.int64]:
    keys = image_keys(drawings.image_ids)
    chosen = permutation(seed, "wrong labels", 0, keys)[: round(share * len(keys))]
    draws = uniform(seed, "which label", 0, keys[chosen], 1)[:, 0]
    truth = drawings.truth[chosen]
    given = drawings.truth.copy()
    if noise == "uniform":
        given[chosen] = (truth + 1 + (draws * (drawings.classes - 1)).astype(np.int64)) % drawings.classes
    else:
        nearest = _nearest_classes(drawings, keep)
        given[chosen] = nearest[truth, (draws * _NEAREST).astype(np.int64)]
    return given


def _nearest_classes(drawings: Drawings, keep: Path) -> NDArray[np.int64]:
    """The classes that each class is confused with most by the probe of the clean labels, (C, 3)."""
    clean = _kept(keep / f"{drawings.name}-clean.npy", drawings, drawings.truth, 0)
    mean = np.zeros((drawings.classes, drawings.classes))
    np.add.at(mean, drawings.truth, clean)
    np.fill_diagonal(mean, -1.0)
    return np.argsort(-mean, axis=1, kind="stable")[:, :_NEAREST].astype(np.int64)


def _kept(path: Path, drawings: Drawings, given: NDArray[np.int64], seed: int) -> Floats:
    digest = hashlib.sha256(given.tobytes() + drawings.features[0, :, 0].tobytes()).hexdigest()[:12]
    path = path.with_name(f"{path.stem}-{digest}.npy")
    if path.is_file():
        table: Floats = np.load(path, allow_pickle=False)
        return table
    with quiet():
        table = _out_of_fold(drawings, given, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, table, allow_pickle=False)
    return table


def _out_of_fold(drawings: Drawings, given: NDArray[np.int64], seed: int) -> Floats:
    """Each image answered by the probe of the other folds; the folds are dealt by the given labels."""
    labels = {i: f"{label:04d}" for i, label in zip(drawings.image_ids, given.tolist(), strict=True)}
    groups = dict(zip(drawings.image_ids, drawings.groups, strict=True))
    split = make_split(labels, groups, folds=FOLDS, holdout=0.0, seed=seed)
    fold_of = {row.image_id: row.fold for row in split.rows}
    folds = np.array([fold_of[image_id] for image_id in drawings.image_ids])
    names = np.array(drawings.groups)
    table = np.empty((len(given), drawings.classes), dtype=np.float32)
    for fold in range(FOLDS):
        seen = folds != fold
        probe = fit_probe(
            drawings.features[:, seen],
            given[seen],
            names[seen].tolist(),
            drawings.classes,
            kind="ridge",
            seed=seed,
        )
        table[~seen] = probe.probabilities(drawings.features[0, ~seen])
    return table
