"""How much memory a training step needs, measured on the model itself, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch import Tensor

from dessin.models.classifier import Classifier
from dessin.recipe import Recipe
from dessin.training.seeding import reproducible

# Tensors as large as the weights, per trained weight: the gradient and what the optimiser keeps.
_STATES = {"adamw": 3, "adam": 3, "sgd": 2}
# Where Linux says what this process's group may use, and uses now (control groups, version 2 and 1).
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


@dataclass(frozen=True)
class Footprint:
    """Bytes that a training step needs: `fixed`, and as many again for each image computed at a time."""

    fixed: int
    per_image: int

    def of(self, batch_size: int) -> int:
        return self.fixed + batch_size * self.per_image


def measure_footprint(
    classifier: Classifier, recipe: Recipe, *, device: torch.device, precision: str
) -> Footprint:
    """Measure two forward passes, of two and of three images; the classifier is left as it was.

    The gradients of activations are as large as the largest layer or two: a quarter of all is allowed for
    them, and four times the pixels for augmentation.
    """
    two, three = (_saved_bytes(classifier, recipe, n, device, precision) for n in (2, 3))
    per_image = max(1, three - two)
    pixels = 4 * recipe.image.size**2 * (1 if recipe.image.colour == "gray" else 3)
    fixed = _fixed(classifier, recipe) + max(0, two - 2 * per_image)
    return Footprint(fixed, per_image * 5 // 4 + 4 * pixels)


def fits(
    classifier: Classifier, recipe: Recipe, batch_size: int, *, device: torch.device, precision: str
) -> bool:
    """Whether a real forward and backward pass of so many images finds room on a GPU."""
    try:
        with _left_as_it_was(classifier, device):
            _logits(classifier, recipe, batch_size, device, precision).sum().backward()  # type: ignore[no-untyped-call]
            classifier.zero_grad(set_to_none=True)
    except torch.OutOfMemoryError:
        classifier.zero_grad(set_to_none=True)
        return False
    finally:
        torch.cuda.empty_cache()
    return True


def _saved_bytes(
    classifier: Classifier, recipe: Recipe, images: int, device: torch.device, precision: str
) -> int:
    """What a forward pass sets aside for the backward pass, each block of memory counted once."""
    held: dict[int, int] = {}
    weights = {p.untyped_storage().data_ptr() for p in classifier.parameters()}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        _left_as_it_was(classifier, device),
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
    ):
        _logits(classifier, recipe, images, device, precision)
    return sum(held.values())


def _logits(
    classifier: Classifier, recipe: Recipe, images: int, device: torch.device, precision: str
) -> Tensor:
    size, channels = recipe.image.size, 1 if recipe.image.colour == "gray" else 3
    pixels = torch.full((images, channels, size, size), 255.0, device=device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        logits: Tensor = classifier(pixels)
    return logits


@contextmanager
def _left_as_it_was(classifier: Classifier, device: torch.device) -> Iterator[None]:
    """In training mode on the device within the block; weights, statistics and generators come back."""
    was_training = classifier.training
    state = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    classifier.to(device).train()
    try:
        # One thread: two images are little, and threads that wait for each other are slow on a busy machine.
        with reproducible(device, 1):
            yield
    finally:
        classifier.load_state_dict(state)
        classifier.train(was_training)


def _fixed(classifier: Classifier, recipe: Recipe) -> int:
    every: int = sum(tensor.nbytes for tensor in classifier.state_dict().values())
    trained: int = sum(p.nbytes for p in classifier.parameters() if p.requires_grad)
    averages = (recipe.train.ema > 0) + (recipe.train.average_last > 0)
    kept = _STATES[recipe.optimizer.name] + (2 if recipe.optimizer.sam else 0)
    return every * (1 + averages) + trained * kept


def free_memory(device: torch.device) -> int:
    """Bytes that may still be used: of the GPU, or of the machine and of this process's group."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return int(free)
    available = int(psutil.virtual_memory().available)
    for limit, used in _LIMITS:
        try:
            available = min(available, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):
            # No such group, or no limit ("max").
            continue
    return max(0, available)
