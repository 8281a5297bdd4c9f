"""`robustness.json`: what a model keeps of its accuracy on corrupted drawings, and the answers behind it.

Beside it lie `robustness.npy`, which of the 16 x 5 corruptions of each drawing was named right, and
`robustness_images.csv`, whose rows name the drawings.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.files import read_csv, read_json, write_bytes, write_csv, write_json
from dessin.runs.record import SetName
from dessin.schema import Section, versioned
from dessin.statistics.intervals import Estimate

FORMAT = 1
ROBUSTNESS_FILE = "robustness.json"
ANSWERS_FILE = "robustness.npy"
IMAGES_FILE = "robustness_images.csv"
_IMAGE_COLUMNS = ("image_id", "label", "fold", "group", "clean")
_CURVE_COLUMNS = (
    "corruption",
    "strength",
    "accuracy",
    "low",
    "high",
    "n",
    "cost",
    "cost_low",
    "cost_high",
)


class CorruptionResult(Section):
    """One corruption: the accuracy at each of the five strengths, weakest first, and their mean.

    `costs` and `cost` are the same minus the clean accuracy, paired by drawing, so a loss is below zero.
    `p_holm` is that of `cost`, corrected by Holm over the suite.
    """

    name: str
    title: str
    meaning: str
    levels: tuple[float, ...]
    strengths: tuple[Estimate, ...]
    mean: Estimate
    costs: tuple[Estimate, ...]
    cost: Estimate
    p_holm: float


class RobustnessOutcome(Section):
    """The suite's result on one set of drawings.

    `robust` is the mean accuracy over all corruptions and strengths, `cost` that minus `clean`, paired;
    `relative` is `robust` divided by `clean`, None for a model that has no clean drawing right. `worst` names
    the corruption of the lowest mean. `suite` is the digest of the suite's table.
    """

    format: int = FORMAT
    version: int
    suite: str
    seed: int
    opencv: str
    set_name: SetName
    n: int
    groups: int
    size: tuple[int, ...]
    views: tuple[str, ...]
    clean: Estimate
    robust: Estimate
    cost: Estimate
    relative: Estimate | None
    worst: str
    corruptions: tuple[CorruptionResult, ...]
    split: str
    seconds: float

    def corruption(self, name: str) -> CorruptionResult:
        return next(row for row in self.corruptions if row.name == name)


@dataclass(frozen=True, eq=False)
class RobustAnswers:
    """Which drawings were named right: `correct` (16, 5, N) uint8 and `clean` (N,) uint8, 1 for right."""

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    folds: tuple[str, ...]
    groups: tuple[str, ...]
    clean: NDArray[np.uint8]
    correct: NDArray[np.uint8]


def write_robustness(folder: Path, outcome: RobustnessOutcome, answers: RobustAnswers) -> None:
    """Write the answers, `robustness.csv`, and last `robustness.json`: where it is, the others are."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(answers.correct, dtype=np.uint8), allow_pickle=False)
    write_bytes(folder / ANSWERS_FILE, buffer.getvalue())
    columns = (answers.image_ids, answers.labels, answers.folds, answers.groups, map(int, answers.clean))
    write_csv(folder / IMAGES_FILE, _IMAGE_COLUMNS, zip(*columns, strict=True))
    write_csv(folder / "robustness.csv", _CURVE_COLUMNS, _curve_rows(outcome))
    write_json(folder / ROBUSTNESS_FILE, outcome.model_dump(mode="json"))


def _curve_rows(outcome: RobustnessOutcome) -> list[list[object]]:
    """A row for each strength, and one for the mean of each corruption."""
    rows = []
    for row in outcome.corruptions:
        parts = [
            (str(i), *pair) for i, pair in enumerate(zip(row.strengths, row.costs, strict=True), start=1)
        ]
        for strength, accuracy, cost in [*parts, ("mean", row.mean, row.cost)]:
            numbers = (accuracy.value, accuracy.low, accuracy.high)
            costs = (cost.value, cost.low, cost.high)
            written = ([f"{number:.4f}" for number in part] for part in (numbers, costs))
            first, second = written
            rows.append([row.name, strength, *first, accuracy.n, *second])
    return rows


def read_robustness(folder: Path) -> RobustnessOutcome | None:
    """The outcome in a run, a committee or an evaluation's folder; None where the suite has not been run.

    Raises:
        DessinError: a damaged file, or one of a newer format.
    """
    path = folder / ROBUSTNESS_FILE
    if not path.is_file():
        return None
    return versioned(RobustnessOutcome, read_json(path), str(path), FORMAT, what="a result of robustness")


def read_answers(folder: Path) -> RobustAnswers:
    """The answers behind a folder's outcome.

    Raises:
        DessinError: missing files, or files that do not belong together.
    """
    rows = read_csv(folder / IMAGES_FILE, _IMAGE_COLUMNS)[1]
    path = folder / ANSWERS_FILE
    try:
        correct = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DessinError(f"{path} is missing or no plain array.", do=_AGAIN) from None
    if correct.dtype != np.uint8 or correct.ndim != 3 or correct.shape[2] != len(rows):
        raise DessinError(
            f"{path} holds {correct.dtype} of shape {correct.shape}, and {IMAGES_FILE} names {len(rows)} "
            "drawings.",
            do=_AGAIN,
        )
    return RobustAnswers(
        image_ids=tuple(row["image_id"] for row in rows),
        labels=tuple(row["label"] for row in rows),
        folds=tuple(row["fold"] for row in rows),
        groups=tuple(row["group"] for row in rows),
        clean=np.array([row["clean"] == "1" for row in rows], dtype=np.uint8),
        correct=correct,
    )


_AGAIN = "Run dessin evaluate --robustness again."
