"""`confidence.json`: how sure a model may be, when it should stay silent, and what it rejects."""

from __future__ import annotations

from typing import Literal

from dessin.models.card import Rejection
from dessin.results import Result
from dessin.schema import Section
from dessin.statistics.intervals import Estimate


class Change(Section):
    """A measure without the temperature and with it; `difference` is after minus before, paired."""

    before: Estimate
    after: Estimate
    difference: Estimate


class Bin(Section):
    """Answers of about the same confidence: the mean confidence claimed, and the share that was right."""

    low: float
    high: float
    confidence: float
    accuracy: Estimate


class Calibration(Section):
    """How well confidences keep what they say.

    `temperature` is fitted to all images; what is called `after` is cross-fitted: each part of the images is
    measured with the temperature of the others. `overconfidence` is the mean confidence minus the accuracy.
    `ece` is the expected calibration error, free of upward bias; `binned_ece` the usual one before and after,
    and `binned_ece_if_perfect` what that would be, on average, without any miscalibration.
    """

    temperature: float
    overconfidence: Change
    ece: Change
    brier: Change
    log_loss: Change
    binned_ece: tuple[float, float]
    binned_ece_if_perfect: tuple[float, float]
    bins_before: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]


class CurvePoint(Section):
    """What answering only above a threshold gives: the share answered, and the share right among them."""

    threshold: float
    coverage: float
    precision: float


class Selection(Section):
    """When the model should say that it is unsure.

    `threshold` is the lowest probability, after the temperature, at which an answer is right as often as
    `target`, with a confidence of 95%; None where no threshold can be trusted to. `precision` and `coverage`
    are cross-fitted: on images that neither temperature nor threshold was chosen on; `precision` is None
    where nothing was answered. `reachable` is the highest precision that can be vouched for, and
    `reachable_coverage` the share of images answered there. `always` is the precision of answering always.
    """

    target: float
    threshold: float | None
    precision: Estimate | None
    coverage: Estimate
    always: Estimate
    reachable: float
    reachable_coverage: float
    curve: tuple[CurvePoint, ...]


class ScoreResult(Section):
    """One score on one kind of unknown images: AUROC, and the share detected at the threshold."""

    score: str
    auroc: Estimate
    detection: Estimate


class UnknownResults(Section):
    """All scores, the best first, on `n` images of `classes` classes that the model should not name."""

    source: Literal["held-out classes", "folder"]
    place: str
    n: int
    classes: int
    scores: tuple[ScoreResult, ...]

    def of(self, score: str) -> ScoreResult:
        return next(result for result in self.scores if result.score == score)


class RejectionResults(Section):
    """How the model tells what is of no class.

    `chosen` is the score with the best AUROC among those that a card can hold, on the folder where there is
    one, else on held-out classes; an image whose score is below its threshold is rejected. `false_alarms` is
    the share of own images rejected, cross-fitted, where `target_false_alarms` is aimed at.
    `optimism` is the AUROC of the chosen score on held-out classes minus that on the folder.
    """

    chosen: Rejection
    target_false_alarms: float
    false_alarms: Estimate
    held_out: UnknownResults | None
    folder: UnknownResults | None
    optimism: float | None


class ConfidenceResult(Result):
    """`confidence.json`, whole. `measured_on` says in words what, `cautions` what the numbers cannot say.

    `written` tells whether temperature and thresholds were put into the model's card.
    """

    FILE = "confidence.json"
    WHAT = "a model's confidence"

    name: str
    subject: Literal["model", "committee"]
    measured_on: str
    n: int
    groups: int
    classes: int
    folds: tuple[int, ...]
    parts: int
    seed: int
    weights: dict[str, str]
    calibration: Calibration
    selection: Selection
    rejection: RejectionResults
    summary: tuple[str, ...]
    cautions: tuple[str, ...]
    written: bool
    seconds: float
