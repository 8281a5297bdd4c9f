"""Where and how training computes: device, precision and batch size, each with its reason."""

from __future__ import annotations

import torch

from dessin.decisions import Decision
from dessin.errors import DessinError

_CPU_BATCH = 32
_GPU_BATCH = 256
_MINIMUM_STEPS = 8
# Activations and their gradients of a mid-size network, measured in multiples of the input's float32 bytes.
_ACTIVATION_FACTOR = 400


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
    device: str, images: int, size: int, asked: int | str = "auto", *, free_bytes: int | None = None
) -> Decision:
    """A power of two: what the device computes well, less if an epoch would have too few steps.

    Args:
        device: as `choose_device` names it.
        images: how many are trained on.
        size: side of the images in pixels.
        asked: the recipe's `train.batch_size`.
        free_bytes: memory of the GPU; read from it when not given.
    """
    if asked != "auto":
        return Decision("batch_size", int(asked), "asked for in the recipe")
    if device == "cuda":
        free = torch.cuda.mem_get_info()[0] if free_bytes is None else free_bytes
        wanted = _GPU_BATCH
        need = 3 * size * size * 4 * _ACTIVATION_FACTOR
        while wanted > 8 and wanted * need > free:
            wanted //= 2
        reason = f"fits in {free / 2**30:.1f} GiB of free GPU memory"
    else:
        wanted, reason = _CPU_BATCH, f"a {device} gains nothing from larger batches"
    chosen = wanted
    while chosen > 4 and images / chosen < _MINIMUM_STEPS:
        chosen //= 2
    if chosen < wanted:
        reason = f"with {images} images, {wanted} would give fewer than {_MINIMUM_STEPS} steps an epoch"
    return Decision("batch_size", chosen, reason)
