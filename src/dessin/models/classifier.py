"""A backbone and a head that take raw pixels: normalisation is inside, so nobody can forget it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dessin.errors import DessinError
from dessin.models.backbones import BackboneInfo, create_body, describe_backbone, resize_body
from dessin.models.card import Features, HeadKind
from dessin.models.gray import fold_to_gray, gray_normalisation
from dessin.models.heads import HEADS, CosineHead
from dessin.models.layers import feature_count, read_features
from dessin.models.network import Network
from dessin.models.weights import Weights, load_state
from dessin.progress import say
from dessin.randomness import derive
from dessin.system import keep_freed_memory

_HEAD_STD = 0.01


class Classifier(Network):
    """`body` (timm, without its head), then `head` (D → C), one of the kinds in `HEADS`.

    The head `reads` the body's last features or those of several layers (`models/layers.py`).

    Takes (N, channels, S, S) pixels from 0 to 255, uint8 or float, and gives (N, C) logits; with 3 channels
    it takes (N, 1, S, S) too, as if repeated. Weights and images are kept channels-last: on a CPU
    convolutions run about twice as fast so.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        info: BackboneInfo,
        classes: int,
        *,
        drop_rate: float = 0.0,
        channels: int = 3,
        head: HeadKind = "linear",
        features: Features = "last",
    ) -> None:
        super().__init__()
        self.backbone = info.name
        self.channels = channels
        self.head_kind = head
        self.reads = features
        self.body = body
        self.dropout = nn.Dropout(drop_rate)
        self.head = HEADS[head](feature_count(info.name, features), classes)
        mean, std = (info.mean, info.std) if channels == 3 else gray_normalisation(info)
        # In units of pixel values; not in the state, because they are on the bundle's card.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1) * 255.0, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1) * 255.0, persistent=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def classes(self) -> int:
        return self.head.out_features

    @property
    def width(self) -> int:
        """D, the number of features that the head reads."""
        return self.head.in_features

    def forward(self, pixels: Tensor) -> Tensor:
        return self.classify(self.features(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """The features that the head reads: (N, channels, S, S) pixels → (N, D)."""
        return read_features(self.body, self.normalise(pixels), self.reads)

    def classify(self, features: Tensor) -> Tensor:
        """(N, D) features → (N, C) logits, with dropout between them in training."""
        return self.head(self.dropout(features))  # type: ignore[no-any-return]

    def normalise(self, pixels: Tensor) -> Tensor:
        """(N, channels, S, S) from 0 to 255 → float32, channels-last, as the backbone wants it."""
        images = pixels.to(torch.float32, memory_format=torch.channels_last)
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def start_head(self, weight: Tensor, bias: Tensor, features: Tensor | None = None) -> None:
        """Let the head begin as a fitted linear one: weight (C, D), bias (C,), features (n, D) that it reads.

        A linear and an MLP head then give the same logits; a cosine head comes as near as it can, nearer with
        features.
        """
        if weight.shape != (self.classes, self.width) or bias.shape != (self.classes,):
            raise DessinError(
                f"A head of shape {tuple(weight.shape)} does not fit a classifier of shape "
                f"{(self.classes, self.width)}."
            )
        if features is not None and isinstance(self.head, CosineHead):
            self.head.start_near(weight, bias, features)
        else:
            self.head.start(weight, bias)

    def plain_state(self) -> dict[str, Tensor]:
        """A copy of the state on the CPU, contiguous, so that equal weights are equal bytes in a file."""
        return {
            name: tensor.detach().to("cpu", copy=True).contiguous()
            for name, tensor in self.state_dict().items()
        }


def build_classifier(
    backbone: str,
    classes: int,
    weights: Weights,
    *,
    drop_rate: float = 0.0,
    drop_path: float = 0.0,
    drop_block: float = 0.0,
    seed: int = 0,
    image_size: int | None = None,
    channels: int = 3,
    head: HeadKind = "linear",
    features: Features = "last",
) -> Classifier:
    """A classifier with the given weights in its body and a new head drawn from the seed.

    A file that holds a head of this size too gives its head; another head is left out, and that is said.
    `image_size` matters for transformers with position tables (they are resampled); None is the backbone's
    own. With `channels` 1, weights for RGB are folded to read gray images.

    Raises:
        DessinError: weights that do not fit (the first mismatches are named), a size or an option that the
            backbone does not have.
    """
    classifier = empty_classifier(
        backbone,
        classes,
        drop_rate=drop_rate,
        drop_path=drop_path,
        drop_block=drop_block,
        seed=seed,
        channels=channels,
        head=head,
        features=features,
    )
    generator = torch.Generator().manual_seed(derive(seed, "head"))
    drawn = torch.empty(classes, classifier.width).normal_(std=_HEAD_STD, generator=generator)
    classifier.start_head(drawn, torch.zeros(classes))
    state = load_state(weights)
    if state:
        _load_body(classifier, state, weights)
    if image_size is not None:
        resize_body(classifier.body, describe_backbone(backbone), image_size)
    return classifier


def empty_classifier(
    backbone: str,
    classes: int,
    *,
    drop_rate: float = 0.0,
    drop_path: float = 0.0,
    drop_block: float = 0.0,
    seed: int = 0,
    channels: int = 3,
    head: HeadKind = "linear",
    features: Features = "last",
) -> Classifier:
    """A classifier whose weights are random, a function of the seed; no global generator is touched."""
    keep_freed_memory()
    info = describe_backbone(backbone)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "body"))
        body = create_body(backbone, drop_path=drop_path, drop_block=drop_block, channels=channels)
        return Classifier(
            body, info, classes, drop_rate=drop_rate, channels=channels, head=head, features=features
        )


def _load_body(classifier: Classifier, state: dict[str, Tensor], weights: Weights) -> None:
    body: Any = classifier.body
    if classifier.channels == 1:
        state = fold_to_gray(state, body, describe_backbone(classifier.backbone))
    heads = body.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{name}." for name in ([heads] if isinstance(heads, str) else heads))
    expected = body.state_dict()
    others = {name: tensor for name, tensor in state.items() if name not in expected}
    head = {name: tensor for name, tensor in others.items() if name.startswith(prefixes)}
    problems = [f"{name} is missing" for name in expected if name not in state]
    problems += [f"{name} is unknown" for name in others if name not in head]
    problems += [
        f"{name} is {tuple(state[name].shape)} and not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    problems += [
        f"{name} is of {state[name].dtype} and not {tensor.dtype}"
        for name, tensor in expected.items()
        if name in state and state[name].is_floating_point() != tensor.is_floating_point()
    ]
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DessinError(
            f"The weights of {weights.source} do not fit {weights.backbone}: "
            f"{'; '.join(problems[:3])}{more}.",
            do="Check model.backbone and model.weights.",
        )
    body.load_state_dict({name: state[name] for name in expected})
    if weights.source.startswith("file ") and head:
        _take_head(classifier, head, weights)


def _take_head(classifier: Classifier, head: dict[str, Tensor], weights: Weights) -> None:
    shapes = {tensor.ndim: tensor for tensor in head.values()}
    shape = (classifier.classes, classifier.width)
    fits = len(head) == len(shapes) == 2 and shapes.keys() == {1, 2} and shapes[2].shape == shape
    if fits:
        classifier.start_head(shapes[2], shapes[1])
    found = next(iter(head.values())).shape[0] if all(tensor.ndim for tensor in head.values()) else "no"
    outcome = "is used" if fits else f"is left out: this one has {classifier.classes}"
    if not fits and found == classifier.classes:
        outcome = f"is left out: it does not read the {classifier.width} features that this one reads"
    say(f"The head in {weights.source} has {found} classes and {outcome}.")
