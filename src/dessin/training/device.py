"""Where and how training computes: device, precision and batch size, each with its reason, from memory
that was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from torch import Tensor

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.page.numbers import counted
from dessin.training.seeding import reproducible

if TYPE_CHECKING:
    from dessin.recipe import Recipe

# Tensors as large as the weights, per trained weight: the gradient and what the optimiser keeps.
_STATES = {"adamw": 3, "adam": 3, "sgd": 2}
# Where Linux says what this process's group may use, and uses now (control groups, version 2 and 1).
_GROUPS = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


@dataclass(frozen=True)
class Computing:
    """Where and how a training computes: `precision` is `float32` or `bfloat16` (autocast).

    A step has `train.accumulate` times `batch_size` images. `workers` threads prepare batches ahead; they
    change no result.
    """

    device: torch.device
    precision: str = "float32"
    batch_size: int = 32
    workers: int = 0

    @property
    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")


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
    every: int = sum(tensor.nbytes for tensor in classifier.state_dict().values())
    trained: int = sum(p.nbytes for p in classifier.parameters() if p.requires_grad)
    averages = (recipe.train.ema > 0) + (recipe.train.average_last > 0)
    states = _STATES[recipe.optimizer.name] + (2 if recipe.optimizer.sam else 0)
    fixed = every * (1 + averages) + trained * states + max(0, two - 2 * per_image)
    pixels = 4 * recipe.image.size**2 * recipe.image.channels
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
    size = recipe.image.size
    pixels = torch.full((images, recipe.image.channels, size, size), 255.0, device=device)
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


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """How long something takes on a device, until its last result is there."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def free_memory(device: torch.device) -> int:
    """Bytes that may still be used: of the GPU, or of the machine and of this process's group."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return int(free)
    available = int(psutil.virtual_memory().available)
    for limit, used in _LIMITS:
        try:
            available = min(available, int((_GROUPS / limit).read_text()) - int((_GROUPS / used).read_text()))
        except (OSError, ValueError):
            # No such group, or no limit ("max").
            continue
    return max(0, available)


# The decision on how features are computed.
FEATURES = "feature precision"
_CPU_BATCH = 32
_GPU_BATCH = 256
_SMALLEST = 2
_MINIMUM_STEPS = 8
# The rest is for whatever else there is, and for blocks that do not fit into each other's gaps.
_USABLE_SHARE = 0.8


def choose_device() -> Decision[str]:
    """`cuda`, `mps` or `cpu`: the fastest that this machine has and this torch can use."""
    if torch.cuda.is_available():
        return Decision("device", "cuda", f"a GPU is here: {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Decision("device", "mps", "the GPU of an Apple processor is here")
    without = f"no GPU that torch {torch.__version__} can use"
    return Decision("device", "cpu", f"{without}; {counted(torch.get_num_threads(), 'thread')}")


def choose_precision(device: str, asked: str = "auto") -> Decision[str]:
    """`float32` or `bfloat16` (autocast; weights and optimiser stay float32)."""
    supported = device == "cpu" or (device == "cuda" and torch.cuda.is_bf16_supported())
    if asked == "bfloat16" and not supported:
        raise DessinError(
            f"The recipe asks for bfloat16, which the device {device} does not have.",
            allowed="train.precision is auto, float32 or bfloat16.",
            do="Use train.precision: auto.",
        )
    chosen, reason = "float32", f"the device {device} does not multiply bfloat16 itself"
    if asked != "auto":
        chosen, reason = asked, "asked for in the recipe"
    elif _multiplies_bfloat16(device):
        chosen, reason = "bfloat16", "the GPU computes it natively, with half the memory traffic"
    elif device == "cpu":
        reason = "on a CPU, training in bfloat16 was measured slower"
    return Decision("precision", chosen, reason)


def choose_feature_precision(device: str, asked: str = "auto") -> Decision[str]:
    """`float32` or `bfloat16`, in which a frozen body computes features: a function of the machine.

    `asked` as in a recipe; raises like `choose_precision`.
    """
    if asked != "auto":
        return replace(choose_precision(device, asked), name=FEATURES)
    if _multiplies_bfloat16(device):
        reason = (
            "the GPU multiplies it itself; where that is too far from float32, a body computes in float32"
        )
        return Decision(FEATURES, "bfloat16", reason)
    if device != "cpu":
        return Decision(FEATURES, "float32", f"the device {device} does not multiply bfloat16 itself")
    # A function of torch 2.12; of an older one the processor is not known.
    can: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if can.get("avx512_bf16") or can.get("amx_bf16"):
        reason = "the processor multiplies it itself: measured 1.5 times as fast, with the same accuracy"
        return Decision(FEATURES, "bfloat16", reason)
    return Decision(FEATURES, "float32", "the processor would have to emulate bfloat16")


def _multiplies_bfloat16(device: str) -> bool:
    """Whether it is a GPU that has it; others of NVIDIA's emulate it, slowly."""
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def choose_batch_size(
    classifier: Classifier, recipe: Recipe, images: int, *, device: str, precision: str
) -> Decision[int]:
    """The batch size for so many training images: measured on the classifier, and on a GPU tried out.

    The classifier is moved to the device, and otherwise left as it was. Raises like `bound_batch_size`.
    """
    train, where = recipe.train, torch.device(device)
    if isinstance(train.batch_size, int):
        return Decision("batch_size", train.batch_size, "asked for in the recipe")
    footprint = measure_footprint(classifier, recipe, device=where, precision=precision)
    samples = images * recipe.pipeline.factor
    decision = bound_batch_size(device, samples, footprint, accumulate=train.accumulate)
    chosen = tried = decision.value
    if device == "cuda":
        while not fits(classifier, recipe, chosen, device=where, precision=precision):
            if chosen <= _SMALLEST:
                raise _no_room(f"{_SMALLEST} images were tried on {torch.cuda.get_device_name()}")
            chosen //= 2
    if chosen < tried:
        return Decision("batch_size", chosen, f"{2 * chosen} ran out of GPU memory when tried")
    return decision


def bound_batch_size(
    device: str, samples: int, footprint: Footprint, *, accumulate: int = 1, free_bytes: int | None = None
) -> Decision[int]:
    """The largest power of two that fits, if that many help; the reason says what set the bound.

    `samples` are the images of an epoch, copies included; a step has `accumulate` batches. `free_bytes` may
    be used: read from the machine when not given.

    Raises:
        DessinError: not even 2 images fit.
    """
    free = free_memory(torch.device(device)) if free_bytes is None else free_bytes
    images = (int(_USABLE_SHARE * free) - footprint.fixed) // max(1, footprint.per_image)
    fitting = 0 if images < 1 else 2 ** (images.bit_length() - 1)
    where = f"{free / 2**30:.1f} GiB of free {'GPU ' if device == 'cuda' else ''}memory"
    needed = f"{footprint.fixed / 2**20:.0f} MiB and {footprint.per_image / 2**20:.1f} MiB an image"
    if fitting < _SMALLEST:
        raise _no_room(f"it needs {needed}, and there are {where}")
    useful = _GPU_BATCH if device == "cuda" else _CPU_BATCH
    helps = "which keeps the GPU busy" if device == "cuda" else f"a {device} gains nothing from more"
    enough = useful
    while enough > 4 and samples < _MINIMUM_STEPS * enough * accumulate:
        enough //= 2
    chosen = min(fitting, enough)
    if chosen < enough:
        reason = f"the largest power of two that fits: it needs {needed}, of {where}"
    elif chosen < useful:
        steps = f"{useful} would give fewer than {_MINIMUM_STEPS} steps an epoch"
        reason = f"with {samples} images an epoch, {steps} (up to {fitting} would fit in {where})"
    else:
        reason = f"{helps}; up to {fitting} would fit in {where}"
    return Decision("batch_size", chosen, reason)


def _no_room(detail: str) -> DessinError:
    return DessinError(
        f"Not even {_SMALLEST} images at a time fit into memory: {detail}.",
        do="Use a smaller image.size, a smaller backbone, or a machine with more memory.",
    )
