"""What work costs on this machine, by speeds that were measured: pure, without a clock and torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dessin.errors import DessinError, quoted
from dessin.models.default_backbones import ROWS, side_of

VIEWS = 2
# Seconds on two processor cores; on another machine they are as many times as long as its work proves to be.
CALIBRATING, REPORTING, LOADING, BEGINNING, VOTING = 1.5, 3.0, 0.6, 1.5, 3.0
# A logistic fit takes so many passes over features, and principal axes; ridge takes a factor a penalty.
_PASSES, _AXES, _PENALTIES = 260, 25.0, 8
_SLOWEST, _FASTEST = 4.0, 0.5


@dataclass(frozen=True)
class Speed:
    """Images a second of one backbone at one size on this machine.

    Of answers, of training steps, and of a probe's features, which may be computed in fewer digits.
    """

    forward: float
    training: float
    features: float

    def slower(self, times: float, *, training: float | None = None) -> Speed:
        """Where all takes so many times as long, or training another number of times."""
        training = times if training is None else training
        return Speed(self.forward / times, self.training / training, self.features / times)


@dataclass(frozen=True)
class Part:
    """How many images each part of the split has: a fold, all folds, the holdout; and how many classes."""

    fold: int
    folds: int
    images: int
    held: int
    classes: int

    @property
    def trained(self) -> int:
        """Images that a run of one fold trains on."""
        return self.images - self.fold


@dataclass(frozen=True)
class Costs:
    """Seconds of each kind of work, from what was measured.

    `speeds`: (backbone, size) → speed, the newest measurement last; `widths`: features of each backbone.
    `flops` are those of a product of matrices, a second. `pace` is how many times as long as it was written
    down fixed work takes here; `fitting` is the same of a probe's fit.
    """

    part: Part
    decoding: float
    speeds: Mapping[tuple[str, int], Speed]
    widths: Mapping[str, int] = field(default_factory=dict)
    flops: float = 6e10
    pace: float = 1.0
    fitting: float = 1.0

    def speed(self, model: str, size: int) -> Speed:
        """Of a candidate at a size: as measured, else by its area from the newest measurement of it or,
        by what they compute, of another."""
        backbone = model.partition(":")[0]
        known = self.speeds.get((backbone, size))
        if known is not None:
            return known
        own = [(name, side) for name, side in self.speeds if name == backbone]
        name, side = (own or list(self.speeds))[-1]
        found = self.speeds[name, side]
        areas = (side_of(backbone, size) / side_of(name, side)) ** 2
        return found.slower(areas * _work(backbone) / _work(name))

    def features(self, models: Sequence[str], size: int) -> float:
        """Of all images outside the holdout and in it, for a store's features are computed whole."""
        seconds = sum(VIEWS * self.all_images / self.speed(model, size).features for model in models)
        return seconds + len(models) * LOADING * self.pace

    def store(self) -> float:
        """Of decoding every image to a size that it was not yet decoded to."""
        return self.all_images / self.decoding

    def fit(self, models: Sequence[str], *, kind: str = "logistic") -> float:
        """Of fitting a probe on the features of these bodies, joined: of all folds, and without each."""
        width = sum(self.widths.get(model.partition(":")[0], 2200) for model in models)
        samples = VIEWS * self.part.images
        rank = min(width, samples)
        work = 2.0 * samples * width * rank + 2.0 * _PENALTIES * rank**3 / 3
        if kind == "logistic":
            work += _AXES * rank**3 + 4.0 * samples * rank * self.part.classes * _PASSES
        return self.fitting * (self.part.folds + 1) * work / self.flops + BEGINNING * self.pace

    def epoch(self, model: str, size: int) -> float:
        """Of one epoch on one fold's training part, its validation included."""
        speed = self.speed(model, size)
        return self.part.trained / speed.training + self.part.fold / speed.forward

    def beginning(self, model: str) -> float:
        """Of a run before its first epoch, once features are there: a probe of its training part, loading."""
        return 0.6 * self.fit([model], kind="ridge") + BEGINNING * self.pace

    def closing(self, models: Sequence[tuple[str, int]], further: int = 0) -> float:
        """Of everything after the last step: calibration, the holdout, `further` images, the report."""
        asked = self.part.held + further
        looks = sum(asked / self.speed(model, size).forward + LOADING for model, size in models)
        return looks + (CALIBRATING + REPORTING) * self.pace

    @property
    def all_images(self) -> int:
        return self.part.images + self.part.held

    def learnt(self, speeds: Mapping[tuple[str, int], Speed], ratio: float, *, fit: bool = False) -> Costs:
        """With newer speeds, after work that took `ratio` times as long as was thought."""
        newer = {key: speed for key, speed in self.speeds.items() if key not in speeds}
        pace = min(_SLOWEST, max(_FASTEST, 0.5 * self.pace + 0.5 * self.pace * ratio))
        fitting = self.fitting * min(_SLOWEST, max(1 / _SLOWEST, ratio)) if fit else self.fitting
        return replace(self, speeds={**newer, **speeds}, pace=pace, fitting=fitting)


def _work(backbone: str) -> float:
    """Multiplications of an image at one size, relative; of a backbone that is not in the table as of one."""
    row = ROWS.get(backbone)
    return row.gmacs / row.size**2 if row else ROWS["tf_efficientnet_lite0"].gmacs / 224**2


def parse_rate(text: str) -> float:
    """Images a second from `20/s` or a plain number."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*s)?\s*", text)
    if match is None:
        raise DessinError(
            f'"{quoted(text)}" is no number of images a second.', allowed="It is written 20/s, or 20."
        )
    return float(match[1])
