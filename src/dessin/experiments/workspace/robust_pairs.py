"""The robustness of compared runs against the base, where the suite has measured both."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.errors import DessinError
from dessin.runs.joined import Measured
from dessin.trust.robustness.compare import RobustComparison, compare_robustness
from dessin.trust.robustness.result import read_robustness


def robust_pairs(runs: Sequence[Measured]) -> tuple[tuple[RobustComparison, ...], tuple[str, ...]]:
    """Each other run minus the first, and sentences on those that cannot be compared.

    Nothing is said of runs that the suite has not measured: their trust cards say so.
    """
    base = runs[0]
    pairs, cautions = [], []
    first = read_robustness(base.folder)
    for run in runs[1:]:
        other = read_robustness(run.folder)
        if first is None or other is None:
            continue
        if first.opencv != other.opencv:
            cautions.append(
                f"The corrupted drawings of {base.name} were made by OpenCV {first.opencv} and those of "
                f"{run.name} by {other.opencv}: they may differ in a few pixels."
            )
        try:
            pair = compare_robustness(run.folder, base.folder)
        except DessinError as error:
            cautions.append(f"Their robustness cannot be compared: {error.seen}")
        else:
            pairs.append(pair.model_copy(update={"first": run.name, "second": base.name}))
    return tuple(pairs), tuple(cautions)
