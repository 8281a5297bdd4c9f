"""Class maps: how much each place of a drawing speaks for a class, by gradients or by covering each part.

For gradients a classifier is taken in two: from pixels to its last feature map, and from that map to the
logits. The second half is small, so a gradient of the logits at the map costs next to nothing, and no
gradient of a weight is ever computed. Of a network that pools by a class token the final tokens will not do:
one of them is read, and the others have no gradient. There the map is taken before the last attention. Of a
head that reads several layers the map is the earliest that it reads: all that it reads comes from there.
The logits of several bodies are the sum of what each says, so their maps add up, place by place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dessin.errors import DessinError
from dessin.images.ink import border_median
from dessin.models.backbones import describe_backbone
from dessin.models.classifier import Classifier
from dessin.models.layers import MAPS
from dessin.models.network import Network

Layout = Literal["channels first", "channels last", "tokens"]
Method = Literal["gradcam", "hirescam", "occlusion"]
Floats = NDArray[np.float32]

METHODS: tuple[Method, ...] = get_args(Method)
GRID = 7


@dataclass(frozen=True, eq=False)
class Split:
    """One forward pass: `logits` (N, C) as a function of `activations`, the last feature map, alone.

    It holds a graph of the second half of the network, which goes when it goes.
    """

    activations: Tensor
    logits: Tensor
    layout: Layout
    prefix: int = 0

    def as_map(self, values: Tensor) -> Tensor:
        """Activations, or what has their shape, as (N, D, h, w)."""
        if self.layout == "channels first":
            return values
        if self.layout == "channels last":
            return values.permute(0, 3, 1, 2)
        tokens = values[:, self.prefix :]
        side = math.isqrt(tokens.shape[1])
        return tokens.transpose(1, 2).reshape(len(tokens), tokens.shape[2], side, side)


def split_forward(classifier: Classifier, pixels: Tensor) -> tuple[Split, ...]:
    """Look at pixels (N, channels, S, S) in evaluation mode; the classifier is left as it was found.

    A pass for each body; the logits of all are those of the classifier.

    Raises:
        DessinError: a network whose last features do not lie on a grid.
    """
    return tuple(_split(part, pixels) for part in parts_alone(classifier))


def parts_alone(classifier: Classifier) -> tuple[Classifier, ...]:
    """A classifier for each body, with its columns of the linear head; their logits add up to the whole's.

    They share the bodies of the one given, which is returned where it has one body.
    """
    if not classifier.beside:
        return (classifier,)
    parts: list[Classifier] = []
    begin = 0
    weight, bias = (classifier.get_parameter(f"head.{name}").detach() for name in ("weight", "bias"))
    for encoder in classifier.encoders:
        # A new head is drawn, and nothing else shall notice.
        with torch.random.fork_rng(devices=[]):
            part = Classifier(
                encoder.body,
                describe_backbone(encoder.backbone),
                classifier.classes,
                channels=classifier.channels,
                features=encoder.reads,
            ).to(weight.device)
        part.start_head(weight[:, begin : begin + part.width], bias if not parts else torch.zeros_like(bias))
        begin += part.width
        parts.append(part.train(classifier.training))
    return tuple(parts)


def _split(classifier: Classifier, pixels: Tensor) -> Split:
    with _settled(classifier):
        body: Any = classifier.body
        if classifier.reads == "several":
            split = _after(_earliest_map(classifier), classifier, pixels)
            channels = split.as_map(split.activations).shape[1]
            if channels != body.feature_info[-MAPS]["num_chs"]:
                raise _no_grid(classifier)
            return split
        norm = norm_before_class_token(classifier)
        if norm is None:
            return _at_the_end(classifier, pixels)
        return _after(norm, classifier, pixels)


def _earliest_map(classifier: Classifier) -> nn.Module:
    """The module that gives the first of the feature maps that the head reads."""
    body: Any = classifier.body
    try:
        found: nn.Module = body.get_submodule(body.feature_info[-MAPS]["module"])
    # A description that is another one's, or that names what is no module.
    except (AttributeError, IndexError, KeyError, TypeError):
        raise _no_grid(classifier) from None
    return found


def norm_before_class_token(classifier: Classifier) -> nn.Module | None:
    """The normalisation that the last block begins with, of a network whose head reads class tokens only."""
    body: Any = classifier.body
    blocks = getattr(body, "blocks", None) if getattr(body, "global_pool", None) == "token" else None
    norm = getattr(blocks[-1], "norm1", None) if isinstance(blocks, nn.ModuleList | nn.Sequential) else None
    return norm if isinstance(norm, nn.Module) else None


def _at_the_end(classifier: Classifier, pixels: Tensor) -> Split:
    body: Any = classifier.body
    with torch.no_grad():
        final = body.forward_features(classifier.normalise(pixels))
    layout, prefix = _layout(classifier, final)
    with torch.enable_grad():
        activations = final.requires_grad_()
        logits = classifier.classify(body.forward_head(activations, pre_logits=True))
    return Split(activations, logits, layout, prefix)


def _after(norm: nn.Module, classifier: Classifier, pixels: Tensor) -> Split:
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise _no_grid(classifier)
        seen.append(output.detach().requires_grad_())
        return seen[-1]

    handle = norm.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            # One look, also of a classifier that answers from the mirror image too.
            logits = classifier.classify(classifier.features(pixels))
    finally:
        handle.remove()
    if len(seen) != 1:
        raise _no_grid(classifier)
    (activations,) = seen
    layout, prefix = _layout(classifier, activations)
    return Split(activations, logits, layout, prefix)


def _layout(classifier: Classifier, values: object) -> tuple[Layout, int]:
    """How the features lie, and how many tokens (class, register) come before those of the picture."""
    body: Any = classifier.body
    if isinstance(values, Tensor) and values.ndim == 4:
        last = getattr(body, "output_fmt", "NCHW") == "NHWC"
        return ("channels last" if last else "channels first"), 0
    if isinstance(values, Tensor) and values.ndim == 3:
        for prefix in (int(getattr(body, "num_prefix_tokens", 0)), 0):
            of_picture = values.shape[1] - prefix
            if of_picture > 0 and math.isqrt(of_picture) ** 2 == of_picture:
                return "tokens", prefix
    raise _no_grid(classifier)


def _no_grid(classifier: Classifier) -> DessinError:
    return DessinError(
        f'The last features of "{classifier.backbone}" do not lie on a grid, so they give no map.',
        do="Use --methods occlusion, which needs no look inside.",
    )


@contextmanager
def _settled(classifier: Network) -> Iterator[None]:
    """Evaluation mode and no gradient of any weight; both as before afterwards."""
    training = [module for module in classifier.modules() if module.training]
    wanted = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    try:
        classifier.eval()
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for module in training:
            module.training = True
        for parameter in wanted:
            parameter.requires_grad_(True)


def occlusion_drops(classifier: Network, pixels: Tensor, classes: Tensor, *, grid: int = GRID) -> Floats:
    """How far covering each cell lowers the log-probability of `classes` (N,): (N, grid, grid) float32.

    `pixels` (N, channels, S, S) uint8. The classifier is left as it was found; one forward pass a cell.
    """
    drops: Floats = np.empty((len(pixels), grid, grid), dtype=np.float32)
    edges = [round(int(pixels.shape[-1]) * number / grid) for number in range(grid + 1)]
    with _settled(classifier), torch.inference_mode():
        whole = _log_probability(classifier(pixels), classes)
        paper = papers(pixels)[:, :, None, None]
        for row, (top, bottom) in enumerate(pairwise(edges)):
            for column, (left, right) in enumerate(pairwise(edges)):
                covered = pixels.clone()
                covered[:, :, top:bottom, left:right] = paper
                drop = whole - _log_probability(classifier(covered), classes)
                drops[:, row, column] = drop.cpu().numpy()
    return drops


def papers(pixels: Tensor) -> Tensor:
    """The background colour of each drawing, (N, channels) uint8; pixels (N, channels, S, S) uint8."""
    colours = [border_median(one.transpose(1, 2, 0)) for one in pixels.cpu().numpy()]
    return torch.from_numpy(np.stack(colours)).to(pixels.device)


def _log_probability(logits: Tensor, classes: Tensor) -> Tensor:
    return torch.log_softmax(logits.float(), dim=1).gather(1, classes[:, None])[:, 0]


def gradient_cells(splits: Sequence[Split], classes: Tensor, method: str) -> Floats:
    """Maps (N, h, w) float32 in 0..1 of `classes` (N,) int64, by `gradcam` or `hirescam`.

    h and w are those of the finest map; the cells of a coarser one are shared out among its own.
    """
    maps = [_signed_cells(split, classes, method) for split in splits]
    finest = max(one.shape[1:] for one in maps)
    whole = torch.stack([_shared_out(one, finest) for one in maps]).sum(dim=0)
    return scaled(whole.float().cpu().numpy())


def _shared_out(cells: Tensor, shape: torch.Size) -> Tensor:
    """Cells (N, h, w) on a finer grid, with about the same sum."""
    if cells.shape[1:] == shape:
        return cells
    finer = interpolate(cells[:, None], size=shape, mode="bilinear", align_corners=False)[:, 0]
    return finer * (cells.shape[1:].numel() / shape.numel())


def _signed_cells(split: Split, classes: Tensor, method: str) -> Tensor:
    """What speaks for the class at each place, and what against it, (N, h, w)."""
    logits = split.logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(logits, split.activations, retain_graph=True)
    activations, gradient = split.as_map(split.activations.detach()), split.as_map(gradient)
    if method == "gradcam":
        gradient = gradient.mean(dim=(2, 3), keepdim=True)
    return (gradient * activations).sum(dim=1)


def scaled(cells: Floats) -> Floats:
    """Maps (N, h, w) without what speaks against the class, each divided by its largest value."""
    positive = np.maximum(cells, 0.0)
    largest = positive.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(positive, largest, out=np.zeros_like(positive), where=largest > 0))


def enlarged(cells: Floats, size: int) -> Floats:
    """Maps (N, h, w) in 0..1 as (N, size, size), bicubic: few cells would have creases otherwise."""
    full: Floats = np.zeros((len(cells), size, size), dtype=np.float32)
    for number, one in enumerate(cells):
        full[number] = np.clip(cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    return full
