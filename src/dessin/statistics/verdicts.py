"""A comparison in words: better, worse, no difference larger than x, or cannot tell."""

from __future__ import annotations

from typing import Literal

from dessin.page.numbers import ALPHA, points, written_p
from dessin.statistics.contrasts import Contrast

Verdict = Literal["better", "worse", "no difference", "cannot tell"]
_NEXT_TO_NOTHING = 0.5
LUCK = "; this is about these trained models: with one run each, the luck of a training is not in it"


def judge(result: Contrast, p_holm: float, matters: float, *, comparisons: int = 1) -> tuple[Verdict, str]:
    """What a contrast says, with `p_holm` below 5% for a difference, and `matters` (0..1) for none.

    "No difference" needs the whole interval to lie within ±`matters`; else nothing can be told.
    """
    estimate, tail = result.difference, LUCK if result.scope == "these runs" else ""
    if p_holm < ALPHA:
        verdict: Verdict = "better" if estimate.value > 0 else "worse"
        size = f"{verdict} by {100 * abs(estimate.value):.1f} points"
        return verdict, f"{size} ({points(estimate)}, {_equation(p_holm)}){tail}"
    bound = max(abs(estimate.low), abs(estimate.high))
    if bound <= matters:
        return "no difference", f"no difference larger than {100 * bound:.1f} points{tail}"
    sees = what_is_seen(result.detectable(comparisons))
    return "cannot tell", f"cannot tell: {points(estimate)} points; {sees}{tail}"


def what_is_seen(detectable: float) -> str:
    """What a design can see, in words; a difference of half of everything is as good as nothing."""
    if detectable >= _NEXT_TO_NOTHING:
        return "with so few pairs of runs this design sees next to nothing"
    return f"this design finds {100 * detectable:.1f} points or more in 80 of 100 studies"


def _equation(p: float) -> str:
    text = written_p(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
