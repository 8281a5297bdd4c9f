"""Routed probabilities with answers known beforehand: identities, bounds, temperatures and words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from family_kit import CLASSES, FAMILIES

from dessin.committees.answers import OutOfFold
from dessin.committees.families.measure import family_sums
from dessin.committees.families.result import make_families
from dessin.committees.route.measure import GENERALIST, RouteAnswers, expert_key, measure_route, scale_parts
from dessin.committees.route.result import BOTH, OWN_FAMILIES, ROUTER_ALONE, RouteResults
from dessin.committees.route.view import result_lines, told
from dessin.decisions import Decision
from dessin.statistics.temperature import tempered

MAP = make_families(FAMILIES, CLASSES)
N = 240


def made(seed: int = 0, *, folds: int = 1) -> RouteAnswers:
    """A generalist that is right now and then, with a perfect router and perfect experts."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, len(CLASSES), N)
    table = random.dirichlet(np.ones(len(CLASSES)), N)
    table[np.arange(N), targets] += 0.3
    generalist = OutOfFold(
        name="made",
        classes=CLASSES,
        probabilities=table / table.sum(axis=1, keepdims=True),
        targets=targets,
        groups=np.array([f"g{i // 2}" for i in range(N)]),
        folds=np.arange(N) // 2 % folds,
        names={label: label for label in CLASSES},
    )
    answers = RouteAnswers(generalist, MAP, None, {})
    experts = {}
    for family in MAP.names:
        labels = [CLASSES.index(label) for label in MAP.members(family)]
        sure = (targets[:, None] == np.array(labels)[None, :]).astype(np.float64)
        experts[family] = np.where(sure.any(axis=1, keepdims=True), sure, 1 / len(labels))
    return replace(answers, router=answers.perfect_router(), experts=experts)


def measured(answers: RouteAnswers) -> RouteResults:
    decisions = [Decision("experts", "all", "asked for")]
    return told(measure_route(answers.generalist, answers, split_folds=5, decisions=decisions))


def accuracy(answers: RouteAnswers, table: np.ndarray) -> float:
    return float((table.argmax(axis=1) == answers.generalist.targets).mean())


def test_without_router_and_experts_the_routed_model_is_the_generalist() -> None:
    answers = made()
    own = answers.generalist.probabilities
    assert answers.joined(router=None, experts=False) == pytest.approx(own, abs=1e-15)
    sums = family_sums(own, answers.family)
    assert answers.joined(router=sums, experts=False) == pytest.approx(own, abs=1e-15)


@pytest.mark.parametrize("experts", [False, True])
@pytest.mark.parametrize("router", [False, True])
def test_what_is_joined_is_a_distribution(router: bool, experts: bool) -> None:
    random = np.random.default_rng(1)
    answers = made()
    answers = replace(
        answers,
        experts={
            family: random.dirichlet(np.ones(len(MAP.members(family))), N) for family in answers.experts
        },
    )
    probabilities = random.dirichlet(np.ones(2), N) if router else None
    table = answers.joined(router=probabilities, experts=experts)
    assert table.sum(axis=1) == pytest.approx(np.ones(N))
    assert (table >= 0).all()


def test_perfect_parts_are_always_right_and_reach_their_bounds() -> None:
    answers = made()
    results = measured(answers)
    assert results.committee == BOTH
    assert results.named(BOTH).accuracy.value == 1.0
    own = answers.generalist.probabilities
    bounds = {bound.name: bound.accuracy.value for bound in results.bounds}
    assert results.named(ROUTER_ALONE).accuracy.value == bounds["perfect router alone"]
    assert bounds["this router and perfect experts"] == 1.0
    assert bounds["perfect router and these experts"] == 1.0
    found = family_sums(own, answers.family).argmax(axis=1) == answers.truth
    correct = own.argmax(axis=1) == answers.generalist.targets
    assert bounds["own families and perfect experts"] == pytest.approx((found | correct).mean())
    assert results.router is not None
    assert results.router.difference.value == pytest.approx(1 - found.mean())
    assert all(row.expert.value == 1.0 for row in results.experts)
    assert "It pays" in results.verdict
    assert "takes 4 models" in results.verdict


def test_experts_that_say_nothing_do_not_pay() -> None:
    answers = made()
    even = {family: np.full_like(table, 1 / table.shape[1]) for family, table in answers.experts.items()}
    results = measured(replace(answers, router=None, experts=even))
    assert results.committee == OWN_FAMILIES
    assert "It does not pay" in results.verdict
    assert results.comparisons[0].verdict == "worse"
    assert results.router is None


def test_parts_equal_to_the_generalist_change_nothing() -> None:
    answers = made()
    own = answers.generalist.probabilities
    same = replace(answers, router=family_sums(own, answers.family), experts={})
    results = measured(same)
    assert results.comparisons[0].difference.value == 0.0
    assert results.named(ROUTER_ALONE).loss.value == pytest.approx(results.named(GENERALIST).loss.value)
    assert "does not pay" in results.verdict or "cannot be seen to pay" in results.verdict


def test_a_variant_that_happened_to_be_better_is_not_taken_in_silence() -> None:
    answers = made()
    wrong = {family: table[::-1] for family, table in answers.experts.items()}
    results = measured(replace(answers, experts=wrong))
    assert any("one more choice by them" in caution for caution in results.cautions)
    assert any(ROUTER_ALONE in line for line in result_lines(results, None))


def test_a_difference_over_folds_counts_the_trainings() -> None:
    over_folds = measured(made(folds=5)).comparisons[0]
    assert (over_folds.cells, over_folds.scope) == (5, "recipes")
    for folds in (1, 2):
        few = measured(made(folds=folds))
        assert few.comparisons[0].scope == "these runs"
        assert any("luck of a training" in caution for caution in few.cautions)


def test_scaling_undoes_a_wrong_temperature() -> None:
    """An expert that is right but unsure loses to the others' guesses, until it has its temperature."""
    answers = made(3)
    random = np.random.default_rng(5)
    right = {}
    for family, table in answers.experts.items():
        astray = random.random(N) < 0.15
        named = np.where(astray[:, None], np.roll(table, 1, axis=1), table)
        right[family] = named * 0.7 + 0.3 * random.dirichlet(np.ones(table.shape[1]), N)
    good = replace(answers, router=None, experts=right)
    unsure = replace(good, experts={family: tempered(table, 30.0) for family, table in right.items()})
    before = accuracy(unsure, unsure.joined(router=None, experts=True))
    scaled = scale_parts(unsure)
    after = accuracy(unsure, scaled.answers.joined(router=None, experts=True))
    reference = accuracy(good, scale_parts(good).answers.joined(router=None, experts=True))
    assert after == pytest.approx(reference)
    assert after > before + 0.02
    assert all(scaled.temperatures[expert_key(family)] < 0.2 for family in right)


@pytest.mark.parametrize("folds", [1, 2])
def test_no_image_has_a_say_in_its_own_temperature(folds: int) -> None:
    """The labels of one part are turned over: its own scaled answers stay as they were."""
    answers = replace(made(folds=folds), experts={})
    own = answers.generalist
    part = own.folds if folds == 2 else np.unique(own.groups, return_inverse=True)[1] % 2
    turned = np.where(part == 0, (own.targets + 1) % len(CLASSES), own.targets)
    other = replace(answers, generalist=replace(own, targets=turned))
    before, after = scale_parts(answers).answers.generalist, scale_parts(other).answers.generalist
    assert (before.probabilities[part == 0] == after.probabilities[part == 0]).all()
    assert not np.allclose(before.probabilities[part == 1], after.probabilities[part == 1])
