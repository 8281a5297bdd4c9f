"""A distillation in words and as a page: what the student pays, what it gains, and what these numbers
cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dessin.committees.distill.measure import BATCH
from dessin.committees.distill.result import COMMITTEE, STUDENT, WHOLE, DistillResults
from dessin.committees.gains import verdict_text
from dessin.committees.part_runs import part_row
from dessin.page.numbers import counted, listed, points
from dessin.page.render import render_page
from dessin.statistics.comparison import draw_forest

# A first choice with less than this share of what it should have tells little.
_FLAT = 0.5


def told(results: DistillResults, untaught: Sequence[int], provenance: Mapping[str, str]) -> DistillResults:
    """The results with their words; `untaught` are folds where no training was kept."""
    words = {
        "verdict": _verdict(results),
        "warnings": _warnings(results, untaught),
        "cautions": _cautions(results, provenance),
    }
    return results.model_copy(update=words)


def _verdict(results: DistillResults) -> tuple[str, ...]:
    """The price, what is had for it, and whether the teacher was needed: a sentence each."""
    whole, part = (results.speed.gain(name, BATCH) for name in (WHOLE, COMMITTEE))
    speed = (
        f"In batches of {BATCH} it answers {times(whole.value)} as many drawings a second as the whole "
        f"committee, {times(part.value)} as many as the part of it that was measured."
    )
    paid, gained = results.paid, results.gained
    price = {
        "worse": f"The student pays: it is {paid.verdict_text} than the committee.",
        "better": f"The student pays nothing: it is {paid.verdict_text} than the committee.",
        "no difference": f"The student pays nothing that matters: {paid.verdict_text} to the committee.",
        "cannot tell": f"What the student pays against the committee cannot be told: {verdict_text(paid)}.",
    }
    found, alone = gained.verdict_text, "trained alone"
    teacher = {
        "better": f"The teacher helps: the student is {found} than the same one {alone}.",
        "worse": f"The teacher harms: the student is {found} than the same one {alone}.",
        "no difference": f"The teacher was not needed: {found} to the same student {alone}.",
        "cannot tell": f"Whether the teacher helped cannot be told: {verdict_text(gained)}.",
    }
    return (price[paid.verdict], speed, teacher[gained.verdict])


def times(factor: float) -> str:
    """`3.21` → `3.2 times`; from 10 on without decimals."""
    return f"{factor:.0f} times" if factor >= 10 else f"{factor:.1f} times"


def _warnings(results: DistillResults, untaught: Sequence[int]) -> tuple[str, ...]:
    """What went amiss, so that the figures say little."""
    lines = []
    if untaught:
        folds = f"fold {untaught[0]}" if len(untaught) == 1 else f"folds {listed([*map(str, untaught)])}"
        lines.append(
            f"On {folds} the student and the one alone have the same weights: neither became better than the "
            "probe that both began from, so the teacher had no say there. Train longer, or with a lower "
            "rate."
        )
    right, _, soft = _of_measured(results)
    if soft < _FLAT * right:
        lines.append(
            f"At temperature {results.temperature:g} the labels are nearly flat: the first choice has "
            f"{soft:.0%}, and is the label of {right:.0%}. A lower temperature would say more."
        )
    return tuple(lines)


def _cautions(results: DistillResults, provenance: Mapping[str, str]) -> tuple[str, ...]:
    """What a reader must know of how the labels and the figures came about."""
    lines = [_no_leak(results)]
    models = results.named(COMMITTEE).size.models
    if models < results.whole.models:
        lines.append(
            f"Here “{COMMITTEE}” means the {counted(models, 'model')} that did not see a drawing’s fold. All "
            f"{results.whole.models} together cannot be measured on these drawings, for the others learnt "
            "from them."
        )
    if provenance.get("made_by") == "ensemble":
        lines.append(
            "The committee’s members and weights were chosen on drawings among these, so its own figure is a "
            "little too good and the price a little too high; its page has the figure on drawings that the "
            "choice did not see."
        )
    if results.paid.scope == "these runs":
        lines.append(
            "This is about these trained models: with so few trainings, the luck of a training is not in the "
            "intervals. Three folds or more put it there."
        )
    lines.append(
        "Student, lone student and the committee’s models each kept the epoch that did best on the very "
        "drawings that they are measured on, if their recipe says so; all figures are a little too good, "
        "for all of them alike."
    )
    if results.final:
        lines.append(
            "The student in bundle/ was trained on every fold, with labels of the whole committee. It has no "
            "figure of its own here; that of the measured students, trained on fewer drawings, stands for "
            "it. The holdout, which none of these models saw, can measure it once."
        )
    return tuple(lines)


def _no_leak(results: DistillResults) -> str:
    """Whose labels a measured student learns from, and what they are like."""
    right, largest, soft = _of_measured(results)
    views = "in one view" if len(results.views) == 1 else f"as means over {len(results.views)} views"
    at = f" and at temperature {results.temperature:g}, where the first choice has {soft:.0%}"
    tempered = "" if results.temperature == 1.0 else at
    return (
        "No leak: a student that is measured on a fold learns from labels of models that were trained "
        "without that fold. But those models have learnt the very drawings that they label, true labels "
        "included, so their labels are surer than their answers to new drawings: their first choice is the "
        f"label of {right:.1%}, and has a share of {largest:.0%} on average. That is why they are taken "
        f"{views}{tempered}."
    )


def _of_measured(results: DistillResults) -> tuple[float, float, float]:
    """How right the measured folds' labels are, and the share of their first choice as it is and softened."""
    measured = [row for row in results.labels if row.fold != "none"]
    images = sum(row.images for row in measured)
    right, largest, soft = (
        sum(getattr(row, key) * row.images for row in measured) / images
        for key in ("right", "largest", "largest_tempered")
    )
    return right, largest, soft


def distill_page(results: DistillResults, runs: Mapping[str, Path]) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    return render_page(
        "dessin.committees.distill",
        "distill.html",
        title=f"{results.committee}, distilled into {results.student}",
        results=results,
        forest=draw_forest((results.paid, results.gained), results.matters),
        differences={row.against: row for row in (results.paid, results.gained)},
        batches=results.speed.batches,
        speeds=(WHOLE, COMMITTEE, STUDENT),
        gains={(gain.against, gain.batch): gain for gain in results.speed.gains},
        sizes={
            WHOLE: results.whole,
            COMMITTEE: results.named(COMMITTEE).size,
            STUDENT: results.named(STUDENT).size,
        },
        runs=[part_row(folder, what) for what, folder in runs.items()],
        pace=pace,
    )


def pace(rate: float) -> str:
    """Images a second: `8.24` → `8.2`, `431.6` → `432`."""
    return f"{rate:.1f}" if rate < 100 else f"{rate:,.0f}".replace(",", "\u202f")


def result_lines(results: DistillResults) -> list[str]:
    """Accuracies, differences, speeds and the verdict, as lines for a terminal."""
    lines = [
        f"{row.name}: {row.accuracy}; {counted(row.size.models, 'model')}, "
        f"{row.size.parameters / 1e6:.1f} M parameters"
        for row in results.answerers
    ]
    lines += [
        f"{row.name} against {row.against}: {points(row.difference)} points"
        for row in (results.paid, results.gained)
    ]
    lines += [
        f"speed, {'single images' if gain.batch == 1 else f'batches of {gain.batch}'}: "
        f"{gain.value:.1f} times the {gain.against} [{gain.low:.1f}, {gain.high:.1f}]"
        for gain in results.speed.gains
    ]
    notes = (*results.warnings, *results.cautions)
    return [*lines, *results.verdict, *(f"Note: {text}" for text in notes)]
