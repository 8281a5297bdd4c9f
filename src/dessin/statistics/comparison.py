"""A contrast and its verdict as the record that results files keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from dessin.schema import Section
from dessin.statistics.contrasts import Contrast
from dessin.statistics.intervals import Estimate
from dessin.statistics.paired_tests import holm
from dessin.statistics.verdicts import Verdict, judge


class McNemar(Section):
    """One seed's runs of two levels on the same images: how many each alone got right, and the exact p."""

    seed: int
    level_alone: int
    base_alone: int
    p: float


class Comparison(Section):
    """A level (or a factor's level over all of the other's) minus its base, in accuracy (-1..1).

    `difference` has the interval that the verdict rests on: it counts what images and what runs vary.
    `by_image` resamples groups of images alone; `by_seed` is Student's over seeds' differences (None with one
    seed); `by_fold` is Nadeau and Bengio's over folds (None with one). `p` is that of `difference`, `p_holm`
    the same after Holm's correction over the study. `detectable` is the smallest difference that this design
    finds in 80 of 100 studies. `verdict_text` says all of it in a sentence.
    """

    name: str
    against: str
    cells: int
    images: int
    difference: Estimate
    by_image: Estimate
    by_seed: Estimate | None = None
    by_fold: Estimate | None = None
    seed_differences: tuple[float, ...]
    sign_flip_p: float | None = None
    mcnemar: tuple[McNemar, ...] = ()
    p: float
    p_holm: float
    detectable: float
    scope: Literal["recipes", "these runs"]
    verdict: Verdict
    verdict_text: str


def compare(
    contrasts: Sequence[tuple[str, str, Contrast]], matters: float, *, luck: bool = True
) -> tuple[Comparison, ...]:
    """Each contrast (`name`, `against`, their difference) with its verdict, after Holm's correction over all.

    Without `luck` no sentence says that one run each leaves out how trainings vary: where that is said once
    for all of them.
    """
    adjusted = holm([found.p for _, _, found in contrasts])
    compared = []
    for (name, against, found), p_holm in zip(contrasts, adjusted, strict=True):
        told = found if luck else replace(found, scope="recipes")
        judged = judge(told, p_holm, matters, comparisons=len(contrasts))
        compared.append(
            comparison_of(name, against, found, judged, p_holm=p_holm, comparisons=len(contrasts))
        )
    return tuple(compared)


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
        difference=contrast.difference,
        by_image=contrast.by_image,
        by_seed=contrast.by_seed if contrast.by_seed else None,
        by_fold=contrast.by_fold if contrast.by_fold else None,
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
