"""A contrast and its verdict as the record that results files keep."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.runs.record import Result
from dessin.statistics.contrasts import Contrast
from dessin.statistics.intervals import Estimate
from dessin.studies.records import Comparison, McNemar, Verdict


def recorded(estimate: Estimate) -> Result:
    """An estimate as records keep it."""
    return Result(**estimate.__dict__)


def comparison_of(
    name: str,
    against: str,
    contrast: Contrast,
    judged: tuple[Verdict, str],
    *,
    p_holm: float,
    comparisons: int,
    mcnemar: Sequence[McNemar] = (),
) -> Comparison:
    """`name` minus `against`, as one of so many `comparisons`; `judged` is the verdict and its sentence."""
    verdict, text = judged
    return Comparison(
        name=name,
        against=against,
        cells=contrast.cells,
        images=contrast.images,
        difference=recorded(contrast.difference),
        by_image=recorded(contrast.by_image),
        by_seed=recorded(contrast.by_seed) if contrast.by_seed else None,
        by_fold=recorded(contrast.by_fold) if contrast.by_fold else None,
        seed_differences=contrast.seed_differences,
        sign_flip_p=contrast.sign_flip_p,
        mcnemar=tuple(mcnemar),
        p=contrast.p,
        p_holm=p_holm,
        detectable=contrast.detectable(comparisons),
        scope=contrast.scope,
        verdict=verdict,
        verdict_text=text,
    )
