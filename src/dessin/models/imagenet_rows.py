"""A head from the backbone's own: the rows of the ImageNet classes that the collection's classes are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dessin.collection.names import synset_table
from dessin.errors import DessinError
from dessin.models.backbones import describe_backbone, sketch_body
from dessin.models.torchvision_ops import import_timm
from dessin.models.weights import Weights, load_state


def imagenet_rows(
    weights: Weights, classes: Sequence[str], names: Mapping[str, str]
) -> tuple[Tensor, Tensor, Tensor]:
    """Weight (C, D), bias (C,) and which classes were matched (C,) bool, from the head of a pretrained file.

    A class is matched by its label or its name: a WordNet id, or an English name that belongs to a single
    class of the head. The others get the mean row.

    Raises:
        DessinError: the file has no head over ImageNet's classes that fits, or no class is one of them.
    """
    weight, bias = _head_of(weights)
    known = _rows_by_name(len(weight), weights)
    rows = [_row((label, names.get(label, label)), known) for label in classes]
    if all(row is None for row in rows):
        raise DessinError(
            f"None of the {len(classes)} classes ({', '.join(classes[:3])}, ...) is one of the "
            f"{len(weight):,} of ImageNet that {weights.backbone} knows.",
            allowed="A label or a name is a WordNet id such as n02084071, or an English name such as teapot.",
            do="Set finetune.head_start to probe or new.",
        )
    mean_row, mean_bias = weight.mean(dim=0), bias.mean()
    picked = torch.stack([mean_row if row is None else weight[row] for row in rows])
    offsets = torch.stack([mean_bias if row is None else bias[row] for row in rows])
    return picked, offsets, torch.tensor([row is not None for row in rows])


def _head_of(weights: Weights) -> tuple[Tensor, Tensor]:
    body = sketch_body(weights.backbone)
    name = body.pretrained_cfg.get("classifier")
    state = load_state(weights)
    weight = state.get(f"{name}.weight") if isinstance(name, str) else None
    width = describe_backbone(weights.backbone).features
    if weight is None or weight.ndim != 2 or weight.shape[1] != width:
        raise DessinError(
            f"The weights of {weights.backbone} ({weights.source}) hold no linear head for {width} features.",
            do="Set finetune.head_start to probe or new, or name weights with their head.",
        )
    return weight, state.get(f"{name}.bias", torch.zeros(len(weight)))


def _rows_by_name(count: int, weights: Weights) -> dict[str, set[int]]:
    """WordNet ids and English names → rows, for a head over a list of classes that pretrained models have."""
    timm = import_timm()
    subset = timm.data.infer_imagenet_subset({"num_classes": count})
    if subset is None:
        raise DessinError(
            f"The head of {weights.backbone} ({weights.source}) has {count} classes, not those of ImageNet.",
            do="Set finetune.head_start to probe or new.",
        )
    lemmas = synset_table("lemma")
    known: dict[str, set[int]] = {}
    for row, wnid in enumerate(timm.data.ImageNetInfo(subset).label_names()):
        for name in (wnid, *lemmas.get(wnid, "").split(",")):
            known.setdefault(_plain(name), set()).add(row)
    return known


def _row(names: Sequence[str], known: Mapping[str, set[int]]) -> int | None:
    """The row of the first name that belongs to just one."""
    for name in names:
        rows = known.get(_plain(name), set())
        if len(rows) == 1:
            return next(iter(rows))
    return None


def _plain(name: str) -> str:
    """`Race_car` and `race car` are the same name."""
    return re.sub(r"[\s_-]+", " ", name).strip().lower()
