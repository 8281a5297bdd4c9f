"""Two models in the suite, compared drawing by drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dessin.errors import DessinError
from dessin.schema import Section
from dessin.statistics.comparison import Comparison, compare
from dessin.statistics.contrasts import two_models
from dessin.trust.robustness.result import RobustnessResult, read_answers
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
    if len({(result.suite, result.seed) for result in results}) > 1:
        versions = " and ".join(
            f"{result.version} (seed {result.seed}, {result.suite[:12]})" for result in results
        )
        raise DessinError(
            f"{first} and {second} were measured by different suites: versions {versions}.",
            do="Run dessin evaluate --robustness on both again.",
        )
    one, other = (read_answers(folder) for folder in (first, second))
    place_of = {image_id: place for place, image_id in enumerate(other.image_ids)}
    a = [place for place, image_id in enumerate(one.image_ids) if image_id in place_of]
    b = [place_of[one.image_ids[place]] for place in a]
    if not a:
        raise DessinError(
            f"{first} and {second} were asked about different drawings, none in common.",
            allowed="Runs are compared on the same fold, or committees over all folds.",
            do="Name two that share validation drawings.",
        )
    groups = [one.groups[place] for place in a]
    rows = results[0].corruptions
    correct, others = (
        answers.correct[: len(rows), :, places].astype(np.float64)
        for answers, places in ((one, a), (other, b))
    )
    name, against = first.resolve().name, second.resolve().name
    pairs = [
        (row.name, against, two_models(ours.mean(axis=0), theirs.mean(axis=0), groups))
        for row, ours, theirs in zip(rows, correct, others, strict=True)
    ]
    (clean,) = compare([(name, against, two_models(one.clean[a], other.clean[b], groups))], MATTERS)
    whole = two_models(correct.mean(axis=(0, 1)), others.mean(axis=(0, 1)), groups)
    (robust,) = compare([(name, against, whole)], MATTERS)
    corruptions = compare(pairs, MATTERS)
    return RobustComparison(
        first=name, second=against, n=len(a), clean=clean, robust=robust, corruptions=corruptions
    )


def _result(folder: Path) -> RobustnessResult:
    found = RobustnessResult.find(folder)
    if found is None:
        raise DessinError(
            f"The robustness of {folder} has not been measured.",
            do=f"Run dessin evaluate {folder} --robustness --out DIR.",
        )
    return found
