"""`robustness.json`: what a model keeps of its accuracy on corrupted drawings, and the answers behind it.

Beside it lie `robustness.npy`, which of the corruptions of each drawing was named right, and
`robustness_images.csv`, whose rows name the drawings.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dessin.errors import DessinError
from dessin.files import write_bytes, write_csv
from dessin.page.tables import spread, write_table
from dessin.reading import read_csv
from dessin.reading_arrays import read_npy
from dessin.results import Result
from dessin.runs.record import SetName
from dessin.schema import Section
from dessin.statistics.intervals import Estimate

ANSWERS_FILE = "robustness.npy"
IMAGES_FILE = "robustness_images.csv"
_IMAGE_COLUMNS = ("image_id", "label", "fold", "group", "clean")


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


class Summary(Section):
    """What the answers say.

    `robust` is the mean accuracy over all corruptions and strengths of the suite, `cost` that minus `clean`,
    paired; `relative` is `robust` divided by `clean`, None for a model that has no clean drawing right.
    `worst` names the corruption of the lowest mean. `extra` are corruptions that the suite does not have.
    """

    clean: Estimate
    robust: Estimate
    cost: Estimate
    relative: Estimate | None
    worst: str
    corruptions: tuple[CorruptionResult, ...]
    extra: tuple[CorruptionResult, ...] = Field(default=(), exclude_if=lambda rows: not rows)

    @property
    def rows(self) -> tuple[CorruptionResult, ...]:
        """All corruptions, in the order of the answers."""
        return self.corruptions + self.extra

    def corruption(self, name: str) -> CorruptionResult:
        return next(row for row in self.rows if row.name == name)


class RobustnessResult(Summary, Result):
    """The suite's result on one set of drawings; `suite` is the digest of the suite's table."""

    FILE = "robustness.json"
    WHAT = "a result of robustness"

    version: int
    suite: str
    seed: int
    opencv: str
    set_name: SetName
    n: int
    groups: int
    size: tuple[int, ...]
    views: tuple[str, ...]
    split: str
    seconds: float


@dataclass(frozen=True, eq=False)
class RobustAnswers:
    """Which of N drawings were named right, 1 for right.

    `correct` (corruptions, 5, N) uint8, those of the suite first, and `clean` (N,) uint8.
    """

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    folds: tuple[str, ...]
    groups: tuple[str, ...]
    clean: NDArray[np.uint8]
    correct: NDArray[np.uint8]


def write_robustness(folder: Path, result: RobustnessResult, answers: RobustAnswers) -> None:
    """Write the answers, `robustness.csv`, and last `robustness.json`: where it is, the others are."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(answers.correct, dtype=np.uint8), allow_pickle=False)
    write_bytes(folder / ANSWERS_FILE, buffer.getvalue())
    columns = (answers.image_ids, answers.labels, answers.folds, answers.groups, map(int, answers.clean))
    write_csv(folder / IMAGES_FILE, _IMAGE_COLUMNS, zip(*columns, strict=True))
    write_table(folder / "robustness.csv", (cells for row in result.rows for cells in _curve(row)))
    result.write(folder)


def _curve(row: CorruptionResult) -> Iterator[dict[str, object]]:
    """The cells of each strength, and those of their mean."""
    parts = [(str(place), *pair) for place, pair in enumerate(zip(row.strengths, row.costs, strict=True), 1)]
    for strength, accuracy, cost in [*parts, ("mean", row.mean, row.cost)]:
        yield {
            "corruption": row.name,
            "strength": strength,
            **spread("accuracy", accuracy, digits=4),
            "n": accuracy.n,
            **spread("cost", cost, ends="cost_", digits=4),
        }


def read_answers(folder: Path) -> RobustAnswers:
    """The answers behind a folder's result.

    Raises:
        DessinError: missing files, or files that do not belong together.
    """
    rows = read_csv(folder / IMAGES_FILE, _IMAGE_COLUMNS)[1]
    path, again = folder / ANSWERS_FILE, "Run dessin evaluate --robustness again."
    try:
        correct = read_npy(path)
    except DessinError as error:
        raise DessinError(error.seen, do=again) from None
    if correct.dtype != np.uint8 or correct.ndim != 3 or correct.shape[2] != len(rows):
        raise DessinError(
            f"{path} holds {correct.dtype} of shape {correct.shape}, and {IMAGES_FILE} names {len(rows)} "
            "drawings.",
            do=again,
        )
    image_ids, labels, folds, groups, clean = (tuple(row[name] for row in rows) for name in _IMAGE_COLUMNS)
    right = np.array([text == "1" for text in clean], dtype=np.uint8)
    return RobustAnswers(image_ids, labels, folds, groups, right, correct)
