"""Two models in the suite, compared drawing by drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.schema import Section
from dessin.statistics.comparison import Comparison, compare
from dessin.statistics.contrasts import two_models
from dessin.trust.robustness.result import RobustAnswers, RobustnessResult, read_answers
from dessin.trust.robustness.view import MATTERS


class RobustComparison(Section):
    """The first model minus the second on the `n` drawings that both were asked about.

    `clean` and `robust` (the mean over all corruptions and strengths) stand alone; the p values of
    `corruptions`, which are in the order of the suite and named by it, are corrected by Holm.
    """

    first: str
    second: str
    n: int
    clean: Comparison
    robust: Comparison
    corruptions: tuple[Comparison, ...]


def compare_robustness(first: Path, second: Path) -> RobustComparison:
    """Compare two folders with a `robustness.json`, paired by image; whole groups count as one.

    Raises:
        DessinError: a folder without results, results of two suites, or no drawing in common.
    """
    results = [_result(folder) for folder in (first, second)]
    _check_same(results, (first, second))
    one, other = (read_answers(folder) for folder in (first, second))
    a, b = _shared(one, other, (first, second))
    groups = [one.groups[place] for place in a]
    rows = results[0].corruptions
    correct, others = (
        answers.correct[: len(rows), :, places].astype(np.float64)
        for answers, places in ((one, a), (other, b))
    )
    contrasts = [
        two_models(ours.mean(axis=0), theirs.mean(axis=0), groups)
        for ours, theirs in zip(correct, others, strict=True)
    ]
    robust = two_models(correct.mean(axis=(0, 1)), others.mean(axis=(0, 1)), groups)
    name, against = first.resolve().name, second.resolve().name
    pairs = [(row.name, against, found) for row, found in zip(rows, contrasts, strict=True)]
    (clean,) = compare([(name, against, two_models(one.clean[a], other.clean[b], groups))], MATTERS)
    (mean,) = compare([(name, against, robust)], MATTERS)
    return RobustComparison(
        first=name,
        second=against,
        n=len(a),
        clean=clean,
        robust=mean,
        corruptions=compare(pairs, MATTERS),
    )


def _result(folder: Path) -> RobustnessResult:
    found = RobustnessResult.find(folder)
    if found is None:
        raise DessinError(
            f"The robustness of {folder} has not been measured.",
            do=f"Run dessin evaluate {folder} --robustness --out DIR.",
        )
    return found


def _check_same(results: list[RobustnessResult], folders: tuple[Path, Path]) -> None:
    suites = [(result.suite, result.seed) for result in results]
    if suites[0] != suites[1]:
        versions = " and ".join(
            f"{result.version} (seed {result.seed}, {result.suite[:12]})" for result in results
        )
        raise DessinError(
            f"{folders[0]} and {folders[1]} were measured by different suites: versions {versions}.",
            do="Run dessin evaluate --robustness on both again.",
        )


def _shared(
    first: RobustAnswers, second: RobustAnswers, folders: tuple[Path, Path]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the drawings that both have, in the order of the first."""
    places = {image_id: place for place, image_id in enumerate(second.image_ids)}
    pairs = [
        (place, places[image_id]) for place, image_id in enumerate(first.image_ids) if image_id in places
    ]
    if not pairs:
        raise DessinError(
            f"{folders[0]} and {folders[1]} were asked about different drawings, none in common.",
            allowed="Runs are compared on the same fold, or committees over all folds.",
            do="Name two that share validation drawings.",
        )
    a, b = np.array(pairs, dtype=np.int64).T
    return a, b
