"""A trust card made of what was measured and lies in the run's or the committee's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dessin.page.numbers import counted
from dessin.statistics.intervals import Estimate
from dessin.trust.card.facts import (
    calibration_fact,
    foreign_fact,
    holdout_fact,
    leaks_fact,
    robust_fact,
    unsure_fact,
    untested,
    validation_fact,
    worst_class,
    worst_class_fact,
)
from dessin.trust.card.result import TrustCard
from dessin.trust.card.sources import LeakCheck, TrustSources, check_leaks
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.robustness.result import RobustnessResult


def trust_cards(models: Sequence[TrustSources]) -> tuple[TrustCard, ...]:
    """A card each; the drawings are searched for copies, where they are at hand, once for each split."""
    checks: dict[tuple[str, Path | None], LeakCheck] = {}
    cards = []
    for sources in models:
        key = sources.split.digest, sources.data
        if key not in checks:
            checks[key] = check_leaks(sources.split, sources.data)
        cards.append(_card(sources, checks[key]))
    return tuple(cards)


def _card(sources: TrustSources, leaks: LeakCheck) -> TrustCard:
    robustness, confidence = RobustnessResult.find(sources.home), ConfidenceResult.find(sources.home)
    record = sources.record
    return TrustCard(
        name=sources.name,
        kind="run" if record else "committee",
        backbone=record.recipe.model.backbone if record else counted(_models(sources), "model"),
        classes=len(sources.main.per_class),
        model=record.digests.model if record else "",
        measured_on=sources.measured_on,
        images=sources.main.n,
        facts=(
            validation_fact(sources),
            holdout_fact(sources),
            robust_fact(sources, robustness),
            worst_class_fact(sources),
            calibration_fact(sources, confidence),
            unsure_fact(sources, confidence),
            foreign_fact(sources, confidence),
            leaks_fact(leaks),
        ),
        numbers=_numbers(sources, robustness, confidence),
        leaks=leaks,
        untested=tuple(untested(sources, robustness, confidence, leaks)),
    )


def _models(sources: TrustSources) -> int:
    return len(sources.committee.bundles) if sources.committee else 1


def _numbers(
    sources: TrustSources, robustness: RobustnessResult | None, confidence: ConfidenceResult | None
) -> dict[str, Estimate]:
    numbers = {str(name): Estimate(**found.accuracy.__dict__) for name, found in sources.metrics.items()}
    if robustness:
        numbers["robust"] = robustness.robust
    if confidence:
        numbers["calibration"] = confidence.calibration.ece.after
        numbers["unsure"] = confidence.selection.coverage
        numbers["foreign"] = confidence.rejection.false_alarms
    worst = worst_class(sources)
    if worst.recall:
        numbers["worst_class"] = Estimate(**worst.recall.__dict__)
    return numbers
