"""A body cut in two before one of its stages: what comes first can be kept, and what follows trained.

Both halves are the body itself, with the parts of the other half passed over: they share its weights.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.models.layers import read_features
from dessin.models.stages import parts_of

_RELATIVE_ERROR = 1e-4


@dataclass(frozen=True)
class Halves:
    """`first` takes pixels to activations, `then` these to the features that the head reads."""

    classifier: Classifier
    first_body: Any
    then_body: Any

    def first(self, pixels: Tensor) -> Tensor:
        """(n, channels, S, S) pixels from 0 to 255 → activations (n, ..)."""
        return self.first_body.forward_features(self.classifier.normalise(pixels))  # type: ignore[no-any-return]

    def then(self, activations: Tensor) -> Tensor:
        """(n, ..) activations → (n, D) features."""
        return read_features(self.then_body, activations, self.classifier.reads)


def cut_before(classifier: Classifier, stage: int) -> Halves:
    """The halves of a classifier's body before a stage from 1 to 4; raises like `parts_of`.

    Not every body can be cut: see `check_cut`.
    """
    body = classifier.body
    parts = parts_of(body)
    # Loose parameters of a module that is divided further stay with both halves.
    whole = [part for part in parts if not any(_within(part.name, other.name) for other in parts)]
    before = {id(body.get_submodule(part.name)) for part in whole if part.stage < stage}
    after = {id(body.get_submodule(part.name)) for part in whole if part.stage >= stage}
    return Halves(classifier, _without(body, after), _without(body, before))


def check_cut(halves: Halves, pixels: Tensor) -> tuple[int, ...]:
    """The shape of an image's activations, once the halves together are the body on `pixels` (n, ..).

    Raises:
        DessinError: they are not, as in a transformer that adds its table of positions between its parts.
    """
    classifier = halves.classifier
    was_training = classifier.training
    classifier.eval()
    try:
        with torch.no_grad():
            expected = classifier.features(pixels)
            activations = halves.first(pixels)
            found = halves.then(activations)
        same = bool((found - expected).abs().max() <= _RELATIVE_ERROR * expected.abs().max())
    # Each family of timm fails in its own way.
    except (AttributeError, TypeError, ValueError, RuntimeError, AssertionError, IndexError):
        same = False
    finally:
        classifier.train(was_training)
    if not same:
        raise DessinError(
            f'The backbone "{classifier.backbone}" cannot be cut in two between its stages.',
            allowed="finetune.cached_views needs stages that follow one another, as in EfficientNets.",
            do="Leave out finetune.cached_views, or choose another backbone.",
        )
    return tuple(activations.shape[1:])


def _within(name: str, other: str) -> bool:
    """Whether `other` is a part of the module `name`."""
    return name != other and (not name or other.startswith(f"{name}."))


def _without(body: nn.Module, passed_over: set[int]) -> nn.Module:
    """The body with some modules passed over; all others and the weights are the same objects."""
    memo: dict[int, Any] = {id(p): p for p in (*body.parameters(), *body.buffers())}
    for module in body.modules():
        if id(module) in passed_over:
            memo[id(module)] = nn.Identity()
    containers = {id(m) for m in body.modules() if _holds(m, passed_over)}
    memo |= {id(m): m for m in body.modules() if id(m) not in containers and id(m) not in memo}
    return copy.deepcopy(body, memo)


def _holds(module: nn.Module, passed_over: set[int]) -> bool:
    return any(id(inner) in passed_over for inner in module.modules())
