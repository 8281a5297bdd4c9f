"""Exported models that need no training: each logit is a weighted sum of all pixels, so none may be amiss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from dessin.answers.committee import Committee, write_committee
from dessin.answers.tree import Ballot, ModelNode, RoutedNode, VoteNode
from dessin.models.bundle import write_onnx_bundle
from dessin.models.card import BundleCard, BundleImage, Rejection
from dessin.models.network import describe
from dessin.training.views import VIEWS

# The second would end a script, or be taken for what every object of JavaScript has.
CLASSES = ("cat", "</script><b>", "constructor", "나무")
FAMILIES = {"cat": "alive", "</script><b>": "other", "constructor": "other", "나무": "alive"}


def write_linear(folder: Path, *, classes: Sequence[str] = CLASSES, seed: int = 0, **image: object) -> Path:
    """A bundle of random weights; on blank paper every class is as likely. `image` is the card's."""
    given = {"size": 48, "interpolation": "bicubic", "fit": "letterbox", "colour": "rgb"} | image
    card = BundleCard(
        classes=tuple(classes),
        names={"cat": "a cat", "</script><b>": "<i>tag</i>"} if "cat" in classes else {},
        backbone="test_resnet",
        image=BundleImage.model_validate({"mean": (0.5,) * 3, "std": (0.5,) * 3} | given),
        licence="none",
        file="model.onnx",
        temperature=1.4,
        threshold=0.3,
    )
    folder.mkdir(parents=True)
    write_onnx_bundle(folder, _linear(card, seed), card)
    return folder


def _linear(card: BundleCard, seed: int) -> bytes:
    shape = (card.image.spec.channels, card.image.size, card.image.size)
    weight = np.random.default_rng(seed).normal(size=(len(card.classes), int(np.prod(shape))))
    weight -= weight.mean(axis=1, keepdims=True)
    weight *= 3 / (255 * np.sqrt(0.05 * weight.shape[1]))
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Flatten", ["pixels"], ["flat"]),
                helper.make_node("Gemm", ["flat", "weight"], ["logits"], transB=1),
            ],
            "linear",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ("n", *shape))],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("n", len(weight)))],
            [numpy_helper.from_array(weight.astype(np.float32), "weight")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, describe(card))
    data: bytes = model.SerializeToString()
    return data


def write_every_kind(folder: Path) -> Path:
    """A committee with every kind of node, every rule, every view, every fit, both colours and filters."""
    trim: dict[str, object] = {"fit": "trim", "interpolation": "bilinear", "size": 40, "colour": "gray"}
    write_linear(folder / "letterbox", seed=1)
    write_linear(folder / "trim", seed=2, **trim)
    write_linear(folder / "crop", seed=3, fit="crop", interpolation="bilinear")
    write_linear(folder / "squash", seed=4, fit="squash", size=33, colour="gray")
    write_linear(folder / "router", seed=5, classes=("other", "alive"))
    write_linear(folder / "expert", seed=6, classes=("constructor", "</script><b>"))
    soft = VoteNode(ballots=(_ballot("letterbox", weight=2.0, temperature=1.5), _ballot("trim")))
    hard = VoteNode(rule="hard", ballots=(_ballot("crop"), _ballot("squash"), _ballot("trim")))
    routed = RoutedNode(
        generalist=ModelNode(bundle="squash"),
        router=ModelNode(bundle="router"),
        families=FAMILIES,
        experts={"other": ModelNode(bundle="expert")},
    )
    parts = (Ballot(node=soft), Ballot(node=hard, weight=0.5), Ballot(node=routed))
    committee = Committee(
        name="every kind",
        classes=CLASSES,
        names={"cat": "a cat", "</script><b>": "<i>tag</i>"},
        root=VoteNode(rule="geometric", ballots=parts),
        views=tuple(VIEWS),
        temperature=0.8,
        threshold=0.3,
        rejection=Rejection(score="energy", threshold=-100.0),
        licence="none",
    )
    write_committee(folder, committee)
    return folder


def _ballot(name: str, *, weight: float = 1.0, temperature: float = 1.0) -> Ballot:
    return Ballot(node=ModelNode(bundle=name), weight=weight, temperature=temperature)
