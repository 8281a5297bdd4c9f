"""What the suite found, in sentences."""

from __future__ import annotations

from dessin.experiments.robustness.outcome import RobustnessOutcome
from dessin.page.numbers import counted, listed, points, share, size
from dessin.runs.record import Result

MATTERS = 0.02


def sentences(outcome: RobustnessOutcome) -> list[str]:
    """The findings, the most important one first."""
    worst = outcome.corruption(outcome.worst)
    found = [
        f"On {counted(outcome.n, 'drawing')} as they are the accuracy is {share(outcome.clean)}; over 16 "
        f"corruptions in five strengths it is {share(outcome.robust)} in the mean "
        f"({points(outcome.cost)} points).",
        f"Worst is {worst.title}: {share(worst.mean)} in the mean of its strengths, and "
        f"{worst.strengths[-1].value:.1%} in the strongest ({points(worst.cost)} points).",
        _costly(outcome),
    ]
    harmless = [row.title for row in outcome.corruptions if row.cost.low >= -MATTERS]
    if harmless:
        verb = "costs" if len(harmless) == 1 else "cost"
        most = f"no more than {size(MATTERS)} points in the mean"
        found.append(f"For certain {listed(harmless, most=16)} {verb} {most}.")
    return found


def _costly(outcome: RobustnessOutcome) -> str:
    rows = sorted((row for row in outcome.corruptions if is_costly(row.cost)), key=lambda row: row.cost.value)
    if not rows:
        return f"No corruption costs more than {size(MATTERS)} points for certain."
    named = listed([f"{row.title} ({points(row.cost)})" for row in rows])
    verb = "One corruption costs" if len(rows) == 1 else f"{len(rows)} corruptions cost"
    return f"{verb} more than {size(MATTERS)} points for certain: {named}."


def is_costly(cost: Result) -> bool:
    """Whether the whole interval of a cost lies beyond what matters."""
    return cost.high < -MATTERS
