"""A bundle small enough for tests: a network with random weights, and a head of class means over drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from dessin.images.decode import decode
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec
from dessin.models.backbones import describe_backbone
from dessin.models.bundle import save_bundle
from dessin.models.card import BundleCard, BundleImage
from dessin.models.classifier import empty_classifier

BACKBONE = "test_efficientnet"
SIZE = 32
SOFTNESS = 200.0


def make_bundle(
    folder: Path,
    examples: Mapping[str, Sequence[bytes]],
    *,
    temperature: float = 1.0,
    threshold: float = 0.0,
    names: Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    size: int = SIZE,
) -> Path:
    """A nearest-mean classifier of the example files: label → files; `classes` gives another column order."""
    info = describe_backbone(BACKBONE)
    labels = tuple(classes or sorted(examples))
    classifier = empty_classifier(BACKBONE, len(labels), seed=3).eval()
    images = [
        prepare(decode(data).pixels, ImageSpec(size=size), info.interpolation)
        for label in labels
        for data in examples[label]
    ]
    owner = torch.tensor([row for row, label in enumerate(labels) for _ in examples[label]])
    with torch.inference_mode():
        features = torch.cat(
            [classifier.features(part) for part in torch.from_numpy(np.stack(images)).split(64)]
        )
    centre, spread = features.mean(0), features.std(0) + 1e-6
    means = torch.stack([features[owner == row].mean(0) for row in range(len(labels))])
    # The nearest mean is the largest of 2 m.x - m.m; scaled by the spread and kept soft.
    scaled = (means - centre) / spread
    weight = 2 * scaled / spread / SOFTNESS
    bias = -((scaled**2).sum(1) / SOFTNESS) - (weight * centre).sum(1)
    classifier.start_head(weight, bias)
    image = BundleImage(
        size=size,
        mean=info.mean,
        std=info.std,
        interpolation=info.interpolation,
        fit="letterbox",
        colour="rgb",
    )
    card = BundleCard(
        classes=labels,
        names=dict(names or {}),
        backbone=BACKBONE,
        image=image,
        temperature=temperature,
        threshold=threshold,
        licence="none",
    )
    save_bundle(folder, classifier, card)
    return folder
