"""What a backbone costs on a machine: seconds and memory of features and tuning; planned, not measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dessin.models.default_backbones import Backbone

# All weights are trained, low-rank updates beside them (`models/lora.py`), or none: a probe on its features.
Way = Literal["tuned", "lora", "frozen"]
WAYS: Final[tuple[Way, ...]] = ("tuned", "lora", "frozen")

# Passes over an image for a step: forward, the gradients of activations, those of the weights.
_STEP: Final[dict[Way, float]] = {"tuned": 3.0, "lora": 2.0, "frozen": 0.0}
# Features of an image and its mirror image.
VIEWS: Final = 2
# What a core and GPUs of so many GiB compute, in billions of multiplications a second, in numbers that are
# met rather than the best. Of GPUs: a resnet50 was trained at 42,000 and a resnet152 at 58,000 on an H100 of
# 80 GB (docs/log.md, 2026-11-26); timm's results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv has 17,000
# to 22,000 for large ViT and ConvNeXt on 24 GB, and its newer cards 37,000 to 71,000 forward. Of 48 GB
# nothing was found, and there are cards of either speed: the slower one is taken.
_CORE_GMACS_S: Final = 12.0
_GPU_GMACS_S: Final = ((70.0, 50_000.0), (20.0, 20_000.0), (0.0, 7_000.0))


def gmacs_a_second(device: str, memory_gib: float, cores: int) -> float:
    """Billions of multiplications that a machine is planned to do in a second."""
    if device == "cpu":
        return _CORE_GMACS_S * cores
    return next(gmacs for least, gmacs in _GPU_GMACS_S if memory_gib >= least)


@dataclass(frozen=True)
class Price:
    """Seconds of the features and of the training that follows, and the GiB that it takes."""

    features: float
    training: float
    gib: float

    @property
    def seconds(self) -> float:
        return self.features + self.training


def gib_of(row: Backbone, way: Way) -> float | None:
    """What it takes at the least, at the side that it was trained at; None where the way is not offered."""
    return {"tuned": row.tuning_gib, "lora": row.lora_gib, "frozen": row.features_gib}[way]


def price(
    row: Backbone,
    way: Way,
    gmacs_s: float,
    *,
    images: int,
    trained_on: float,
) -> Price:
    """Features of all images in `VIEWS`, then steps of so many, all epochs together, as `trained_on`."""
    seconds = row.gmacs / gmacs_s
    training = _STEP[way] * trained_on * seconds
    return Price(VIEWS * images * seconds, training, gib_of(row, way) or 0.0)
