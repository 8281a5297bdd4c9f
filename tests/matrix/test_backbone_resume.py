"""Every family of backbones, killed, goes on to the same bytes: the real loop, real checkpoints.

The largest members are left to their smaller siblings: a checkpoint of theirs is most of a gigabyte.
"""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dessin.images.spec import ImageSpec
from dessin.images.store import PixelStore
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights
from dessin.recipe import make_recipe
from dessin.training.checkpoint import Checkpoints
from dessin.training.data import Training, TrainingData
from dessin.training.device import Computing
from dessin.training.loop import fit

pytestmark = pytest.mark.matrix

BACKBONES = {
    "resnet18": 64,
    "resnetrs50": 64,
    "efficientnet_b3": 64,
    "mobilenetv2_100": 64,
    "tf_efficientnet_lite0": 64,
    "regnety_002": 64,
    "deit_small_patch16_224": 64,
    "vit_small_patch16_224": 64,
    "swin_tiny_patch4_window7_224": 64,
    "convnext_tiny": 64,
    "coatnet_0_rw_224": 224,
    "caformer_s18": 64,
    "eva02_tiny_patch14_224": 56,
}


def make_data(size: int) -> TrainingData:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 3, size, size), dtype=np.uint8)
    store = PixelStore(
        pixels=pixels,
        image_ids=tuple(f"{n}.png" for n in range(7)),
        spec=ImageSpec(size=size),
        interpolation="bilinear",
        background=np.full((7, 3), 255, dtype=np.uint8),
        digest="noise",
    )
    labels = np.arange(7) % 3
    return TrainingData(store, np.arange(4), labels[:4], np.arange(4, 7), labels[4:])


def trained(backbone: str, size: int, folder: Path, *, resume: bool = False) -> Classifier:
    weights = Weights(backbone, "none", None, "", "none")
    classifier = build_classifier(backbone, 3, weights, image_size=size, drop_rate=0.1)
    recipe = make_recipe(
        {
            "augment": ["hflip"],
            "finetune": {"mode": "full"},
            "optimizer": {"lr": 1e-3, "weight_decay": 0.01, "warmup_epochs": 0.0},
            "train": {"epochs": 2},
        }
    )
    computing = Computing(torch.device("cpu"), batch_size=4)
    fit(Training(classifier, recipe, make_data(size), computing), folder, resume=resume)
    return classifier


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_killed_backbone_ends_the_same(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    size = BACKBONES[backbone]
    original = Checkpoints.save

    def save(self: Checkpoints, state: Any, *rest: Any) -> None:
        original(self, state, *rest)
        if state.step == 1:
            # What a kill at this moment would have left.
            shutil.copytree(tmp_path / "whole", tmp_path / "killed")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save)
        whole = trained(backbone, size, tmp_path / "whole").plain_state()
    resumed = trained(backbone, size, tmp_path / "killed", resume=True).plain_state()
    assert whole.keys() == resumed.keys()
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []
    gc.collect()
