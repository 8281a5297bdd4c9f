"""Where and how training computes: device, precision and batch size, each with its reason."""

from __future__ import annotations

import torch

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.recipe import Recipe
from dessin.training.memory import Footprint, fits, free_memory, measure_footprint

_CPU_BATCH = 32
_GPU_BATCH = 256
_SMALLEST = 2
_MINIMUM_STEPS = 8
# The rest is for whatever else there is, and for blocks that do not fit into each other's gaps.
_USABLE_SHARE = 0.8


def choose_device() -> Decision:
    """`cuda`, `mps` or `cpu`: the fastest that this machine has and this torch can use."""
    if torch.cuda.is_available():
        return Decision("device", "cuda", f"a GPU is here: {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Decision("device", "mps", "the GPU of an Apple processor is here")
    return Decision(
        "device", "cpu", f"no GPU that torch {torch.__version__} can use; {torch.get_num_threads()} threads"
    )


def choose_precision(device: str, asked: str = "auto") -> Decision:
    """`float32` or `bfloat16` (autocast; weights and optimiser stay float32).

    Raises:
        DessinError: bfloat16 was asked for on a device without it.
    """
    supported = device == "cpu" or (device == "cuda" and torch.cuda.is_bf16_supported())
    if asked == "bfloat16" and not supported:
        raise DessinError(
            f"The recipe asks for bfloat16, which the device {device} does not have.",
            allowed="train.precision is auto, float32 or bfloat16.",
            do="Use train.precision: auto.",
        )
    if asked != "auto":
        return Decision("precision", asked, "asked for in the recipe")
    if device == "cuda" and supported:
        return Decision("precision", "bfloat16", "the GPU computes it natively, with half the memory traffic")
    if device == "cpu":
        return Decision("precision", "float32", "on a CPU, training in bfloat16 was measured slower")
    return Decision("precision", "float32", f"the device {device} has no bfloat16")


def choose_batch_size(
    classifier: Classifier, recipe: Recipe, images: int, *, device: str, precision: str
) -> Decision:
    """The batch size for so many training images: measured on the classifier, and on a GPU tried out.

    The classifier is moved to the device, and otherwise left as it was. Raises like `bound_batch_size`.
    """
    train, where = recipe.train, torch.device(device)
    if train.batch_size != "auto":
        return Decision("batch_size", train.batch_size, "asked for in the recipe")
    footprint = measure_footprint(classifier, recipe, device=where, precision=precision)
    decision = bound_batch_size(
        device, images * recipe.pipeline.factor, footprint, accumulate=train.accumulate
    )
    chosen = tried = int(str(decision.value))
    if device == "cuda":
        while not fits(classifier, recipe, chosen, device=where, precision=precision):
            if chosen <= _SMALLEST:
                raise _no_room(f"{_SMALLEST} images were tried on {torch.cuda.get_device_name()}")
            chosen //= 2
    if chosen < tried:
        return Decision("batch_size", chosen, f"{2 * chosen} ran out of GPU memory when tried")
    return decision


def bound_batch_size(
    device: str,
    samples: int,
    footprint: Footprint,
    *,
    accumulate: int = 1,
    free_bytes: int | None = None,
) -> Decision:
    """The largest power of two that fits, if that many help; the reason says what set the bound.

    Args:
        device: as `choose_device` names it.
        samples: images an epoch, copies included.
        footprint: what `measure_footprint` found.
        accumulate: the recipe's `train.accumulate`: a step has as many batches.
        free_bytes: memory that may be used; read from the machine when not given.

    Raises:
        DessinError: not even 2 images fit.
    """
    free = free_memory(torch.device(device)) if free_bytes is None else free_bytes
    fitting = _largest_fitting(footprint, int(_USABLE_SHARE * free))
    where = f"{free / 2**30:.1f} GiB of free {'GPU ' if device == 'cuda' else ''}memory"
    needed = f"{footprint.fixed / 2**20:.0f} MiB and {footprint.per_image / 2**20:.1f} MiB an image"
    if fitting < _SMALLEST:
        raise _no_room(f"it needs {needed}, and there are {where}")
    useful = _GPU_BATCH if device == "cuda" else _CPU_BATCH
    helps = "which keeps the GPU busy" if device == "cuda" else f"a {device} gains nothing from more"
    enough = useful
    while enough > 4 and samples / (enough * accumulate) < _MINIMUM_STEPS:
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


def _largest_fitting(footprint: Footprint, free: int) -> int:
    """The largest power of two of images that fit, 0 if not even one does."""
    images = (free - footprint.fixed) // max(1, footprint.per_image)
    return 0 if images < 1 else 2 ** (int(images).bit_length() - 1)
