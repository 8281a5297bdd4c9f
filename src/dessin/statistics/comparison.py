"""Contrasts judged: a verdict in a word, in a sentence and in a picture, and the record that files keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import ALPHA, points, signed, written_p
from dessin.schema import Section
from dessin.statistics.contrasts import Contrast
from dessin.statistics.intervals import Estimate
from dessin.statistics.paired_tests import holm

Verdict = Literal["better", "worse", "no difference", "cannot tell"]
_NEXT_TO_NOTHING = 0.5
LUCK = "this is about these trained models: with one run each, the luck of a training is not in it"


def judge(result: Contrast, p_holm: float, matters: float, *, comparisons: int = 1) -> tuple[Verdict, str]:
    """What a contrast says, with `p_holm` below 5% for a difference, and `matters` (0..1) for none.

    "No difference" needs the whole interval to lie within ±`matters`; else nothing can be told.
    """
    estimate, tail = result.difference, [LUCK] if result.scope == "these runs" else []
    size, interval = f"{100 * abs(estimate.value):.1f}", points(estimate)
    if p_holm < ALPHA:
        verdict: Verdict = "better" if estimate.value > 0 else "worse"
        p = written_p(p_holm) if p_holm < 0.001 else f"= {written_p(p_holm)}"
        said = f"better by {size} points ({interval}, p {p})"
        if verdict == "worse":
            said = f"worse by {size} points ({interval}, p {p})"
        return verdict, "; ".join([said, *tail])
    bound = max(abs(estimate.low), abs(estimate.high))
    if bound <= matters:
        return "no difference", "; ".join([f"no difference larger than {100 * bound:.1f} points", *tail])
    clauses = [f"cannot tell: {interval} points", what_is_seen(result.detectable(comparisons)), *tail]
    if result.p < ALPHA:
        # The interval leaves out 0, and the correction for asking several does not.
        alone, corrected = written_p(result.p), written_p(p_holm)
        clauses.insert(
            1,
            f"{comparisons} were compared, of which one would often look like this by chance alone "
            f"(p = {alone} alone, {corrected} after Holm)",
        )
    return "cannot tell", "; ".join(clauses)


def what_is_seen(detectable: float) -> str:
    """What a design can see, in words; a difference of half of everything is as good as nothing."""
    if detectable >= _NEXT_TO_NOTHING:
        return "with so few pairs of runs this design sees next to nothing"
    return f"this design finds {100 * detectable:.1f} points or more in 80 of 100 studies"


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
    finds in 80 of 100 studies. `verdict_text` says all of it in a sentence. In `untouched` of the cells both
    ended with the very same weights, so that what was varied took no part there. `asked` is how many were
    compared and corrected together.
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
    untouched: int = 0
    asked: int = 1

    @property
    def in_short(self) -> str:
        """The verdict, with the reason where its interval alone would say otherwise."""
        if self.verdict == "cannot tell" and self.p < ALPHA:
            return f"{self.verdict}, as one of {self.asked} compared"
        return self.verdict

    @property
    def untested(self) -> bool:
        """Whether what was varied took no part in any run."""
        return 0 < self.untouched == self.cells

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what has its default: what was written before has no such keys."""
        values: dict[str, Any] = whole(self)
        for key, usual in (("untouched", 0), ("asked", 1)):
            if values.get(key) == usual:
                del values[key]
        return values


# What a comparison keeps as the contrast has it.
_OF_THE_CONTRAST = (
    *("cells", "images", "difference", "by_image", "by_seed", "by_fold", "seed_differences"),
    *("sign_flip_p", "p", "scope"),
)


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
        verdict, text = judge(told, p_holm, matters, comparisons=len(contrasts))
        own = {field: getattr(found, field) for field in _OF_THE_CONTRAST}
        own |= {"p_holm": p_holm, "detectable": found.detectable(len(contrasts)), "asked": len(contrasts)}
        compared.append(Comparison(name=name, against=against, verdict=verdict, verdict_text=text, **own))
    return tuple(compared)


@dataclass(frozen=True)
class Forest:
    """The picture; `against` is what all rows are compared with, or empty where that differs."""

    plot: DotPlot
    against: str


def draw_forest(comparisons: Sequence[Comparison], matters: float) -> Forest | None:
    """The differences with the band of those too small to matter (±`matters`, 0..1); None without any."""
    if not comparisons:
        return None
    several = len({comparison.against for comparison in comparisons}) > 1
    plot = dot_plot(
        [_dot(comparison, several=several) for comparison in comparisons],
        signed,
        line=0.0,
        band=(-matters, matters),
        reach=(-1.2 * matters, 1.2 * matters, -0.005, 0.005),
    )
    return Forest(plot, "" if several else comparisons[0].against)


def _dot(comparison: Comparison, *, several: bool) -> Dot:
    difference, words = comparison.difference, points(comparison.difference)
    whole = f"{comparison.name} against {comparison.against}: {words} points, {comparison.in_short}"
    return Dot(
        name=comparison.name,
        words=words,
        label=whole,
        value=difference.value,
        low=difference.low,
        high=difference.high,
        tone=comparison.verdict.replace(" ", "-"),
        note=f"against {comparison.against}" if several else "",
    )
