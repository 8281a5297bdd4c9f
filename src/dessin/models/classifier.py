"""A backbone and a head that take raw pixels: normalisation is inside, so nobody can forget it.

Further bodies may stand beside the first. Each normalises the pixels as it wants, and the head reads the
features of all of them, joined in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dessin.errors import DessinError
from dessin.models.backbones import BackboneInfo, create_body, describe_backbone, resize_body
from dessin.models.card import Features, HeadKind
from dessin.models.gray import fold_to_gray
from dessin.models.heads import HEADS, CosineHead
from dessin.models.layers import Encoder, feature_count
from dessin.models.network import Network
from dessin.models.weights import Weights, load_state
from dessin.progress import say
from dessin.randomness import derive
from dessin.system import keep_freed_memory

_HEAD_STD = 0.01


class Classifier(Encoder, Network):
    """`body` (timm, without its head), then `head` (D → C), one of the kinds in `HEADS`.

    The head `reads` the body's last features or those of several layers (`models/layers.py`), and after them
    those of the encoders `beside` it. A `mirrored` one looks at an image and at its mirror image when it
    answers, and the mean of the logits counts; in training and for features it looks once.

    Takes (N, channels, S, S) pixels from 0 to 255, uint8 or float, and gives (N, C) logits; with 3 channels
    it takes (N, 1, S, S) too, as if repeated. Weights and images are kept channels-last: on a CPU
    convolutions run about twice as fast so.
    """

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
        beside: Sequence[Encoder] = (),
        mirrored: bool = False,
        width: int | None = None,
    ) -> None:
        super().__init__(body, info, channels=channels, features=features)
        self.head_kind = head
        self.mirrored = mirrored
        self.dropout = nn.Dropout(drop_rate)
        if width is None:
            width = feature_count(info.name, features) + sum(encoder.width for encoder in beside)
        self.head = HEADS[head](width, classes)
        self.beside = nn.ModuleList(beside)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def classes(self) -> int:
        return self.head.out_features

    @property
    def width(self) -> int:
        """D, the number of features that the head reads."""
        return self.head.in_features

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """Each body with its own normalisation, the first one first; they share the weights of this one."""
        if not self.beside:
            return (self,)
        info = describe_backbone(self.backbone)
        alone = Encoder(self.body, info, channels=self.channels, features=self.reads)
        return (alone.to(self.mean.device).train(self.training), *self._others())

    def _others(self) -> tuple[Encoder, ...]:
        return tuple(encoder for encoder in self.beside if isinstance(encoder, Encoder))

    def forward(self, pixels: Tensor) -> Tensor:
        logits = self.classify(self.features(pixels))
        if self.mirrored and not self.training:
            logits = (logits + self.classify(self.features(pixels.flip(3)))) / 2
        return logits

    def features(self, pixels: Tensor) -> Tensor:
        """The features that the head reads: (N, channels, S, S) pixels → (N, D)."""
        own = super().features(pixels)
        others = [encoder.features(pixels) for encoder in self._others()]
        return torch.cat([own, *others], dim=1) if others else own

    def classify(self, features: Tensor) -> Tensor:
        """(N, D) features → (N, C) logits, with dropout between them in training."""
        return self.head(self.dropout(features))  # type: ignore[no-any-return]

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
    beside: Sequence[Weights] = (),
    mirrored: bool = False,
) -> Classifier:
    """A classifier with the given weights in its bodies and a new head drawn from the seed.

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
        beside=[other.backbone for other in beside],
        mirrored=mirrored,
    )
    generator = torch.Generator().manual_seed(derive(seed, "head"))
    drawn = torch.empty(classes, classifier.width).normal_(std=_HEAD_STD, generator=generator)
    classifier.start_head(drawn, torch.zeros(classes))
    for encoder, given in zip(classifier.encoders, (weights, *beside), strict=True):
        state = load_state(given)
        found = _load_body(encoder, state, given) if state else {}
        if given is weights and weights.source.startswith("file ") and found:
            _take_head(classifier, found, weights)
    if image_size is not None:
        resize(classifier, image_size)
    return classifier


def resize(classifier: Classifier, size: int, *, tried: bool = True) -> None:
    """Make every body read images of `size` pixels; `tried` as of `resize_body`.

    Raises:
        DessinError: one of them cannot.
    """
    for encoder in classifier.encoders:
        resize_body(encoder.body, describe_backbone(encoder.backbone), size, tried=tried)


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
    beside: Sequence[str] = (),
    mirrored: bool = False,
    width: int | None = None,
) -> Classifier:
    """A classifier whose weights are random, a function of the seed; no global generator is touched.

    `beside` are the backbones of the further bodies; `width` is D, found out where not given.
    """
    keep_freed_memory()
    info = describe_backbone(backbone)
    others = []
    with torch.random.fork_rng(devices=[]):
        for number, name in enumerate(beside):
            torch.manual_seed(derive(seed, "beside", number))
            other = create_body(name, channels=channels)
            others.append(Encoder(other, describe_backbone(name), channels=channels, features=features))
        torch.manual_seed(derive(seed, "body"))
        body = create_body(backbone, drop_path=drop_path, drop_block=drop_block, channels=channels)
        return Classifier(
            body,
            info,
            classes,
            drop_rate=drop_rate,
            channels=channels,
            head=head,
            features=features,
            beside=others,
            mirrored=mirrored,
            width=width,
        )


def _load_body(encoder: Encoder, state: dict[str, Tensor], weights: Weights) -> dict[str, Tensor]:
    """Load a body; returns the head that came with it, which may be empty."""
    body: Any = encoder.body
    if encoder.channels == 1:
        state = fold_to_gray(state, body, describe_backbone(encoder.backbone))
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
            f"{', '.join(problems[:3])}{more}.",
            do="Check model.backbone and model.weights, or the entry of model.beside.",
        )
    body.load_state_dict({name: state[name] for name in expected})
    return head


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
