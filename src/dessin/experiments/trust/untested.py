"""What a trust card must own up to: everything that its numbers do not cover."""

from __future__ import annotations

from collections.abc import Iterator

from dessin.experiments.confidence.outcome import ConfidenceOutcome
from dessin.experiments.robustness.outcome import RobustnessOutcome
from dessin.experiments.trust.leaks import LeakCheck
from dessin.experiments.trust.sources import TrustSources
from dessin.page.numbers import counted, listed

_FEW = 5


def untested(
    sources: TrustSources,
    robustness: RobustnessOutcome | None,
    confidence: ConfidenceOutcome | None,
    leaks: LeakCheck,
) -> Iterator[str]:
    """Sentences, from the most to the least particular."""
    yield from _final_test(sources)
    yield from _classes(sources)
    if not leaks.searched:
        yield "Whether copies of a drawing lie on two sides of the split."
    yield from _conditions(robustness)
    yield from _strangers(confidence)
    if sources.record:
        yield (
            "The luck of a training: this is one run with one seed. Whether its recipe is better than "
            "another is a question for dessin study."
        )
    yield (
        "Drawings from elsewhere: other people, other pens, scans or photographs of paper. All drawings here "
        "come from one collection."
    )


def _final_test(sources: TrustSources) -> Iterator[str]:
    if "holdout" not in sources.metrics:
        yield (
            "A set that took no part in any choice: the holdout is still locked."
            if sources.split.held_out()
            else "A set that took no part in any choice: there is no holdout."
        )


def _classes(sources: TrustSources) -> Iterator[str]:
    absent = sources.main.absent
    if absent:
        yield (
            f"{counted(len(absent), 'class', 'classes')} without a drawing in the {sources.measured_on} set: "
            f"{listed(absent, most=_FEW)}."
        )
    few = [row for row in sources.main.per_class if row.n and row.n < _FEW]
    if few:
        yield (
            f"{counted(len(few), 'class', 'classes')} with fewer than {_FEW} drawings in it: little can be "
            "said of each of them alone."
        )


def _conditions(found: RobustnessOutcome | None) -> Iterator[str]:
    if found is None:
        yield "Worn, faded, turned, blurred or noisy drawings: the robustness suite was not run."
    else:
        yield (
            f"Corruptions beyond the {len(found.corruptions)} of the suite, stronger ones, and several at "
            "once: the suite applies one at a time."
        )


def _strangers(found: ConfidenceOutcome | None) -> Iterator[str]:
    if found is None:
        yield "How sure it may be, and drawings of no class: it was not calibrated."
    elif found.rejection.folder is None:
        yield (
            "Really foreign drawings: rejection was measured on hidden classes of its own collection only, "
            "or not at all."
        )
