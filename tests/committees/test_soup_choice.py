"""Choosing a mixture: by the rows that it may see, by nothing else, and honestly measured on the others."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.committees.rules.nested import deal_groups
from dessin.committees.soup.measure import (
    STEPS,
    Answers,
    best_alone,
    between,
    choose_between,
    choose_greedily,
    cross_fit,
    together,
)
from dessin.committees.soup.weights import Shares, alone

CLASSES = 4


def parts_of(groups: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.int64]:
    return deal_groups(groups, [f"{number:04d}.png" for number in range(len(groups))], seed=seed)


def mixed_from(logits: NDArray[np.float64]) -> Answers:
    """Answers of a model whose logits are linear in its weights: logits (M, N, C)."""

    def answers(shares: Shares) -> NDArray[np.float64]:
        powers = np.exp(np.tensordot(np.array(shares), logits, axes=1))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    return answers


def noisy(members: int, images: int, *, skill: float, seed: int) -> tuple[Answers, NDArray[np.int64]]:
    draw = np.random.default_rng([seed, members, images])
    targets = draw.integers(0, CLASSES, images)
    logits = draw.normal(size=(members, images, CLASSES))
    logits[:, np.arange(images), targets] += skill
    return mixed_from(logits), targets


def sure(targets: NDArray[np.int64], right: NDArray[np.bool_], strength: float) -> NDArray[np.float64]:
    """Logits (N, C) of a member that is right on some images; on others it names the next class."""
    logits = np.zeros((len(targets), CLASSES))
    named = np.where(right, targets, (targets + 1) % CLASSES)
    logits[np.arange(len(targets)), named] = strength
    return logits


def right_on(answers: Answers, shares: Shares, targets: NDArray[np.int64], rows: NDArray[np.int64]) -> int:
    return int((answers(shares)[rows].argmax(axis=1) == targets[rows]).sum())


def test_the_greedy_soup_of_members_with_a_known_answer() -> None:
    # The second is sure where the first errs, so the two together are always right; the third is a poison.
    targets = np.arange(40) % CLASSES
    half = np.arange(40) < 24
    logits = np.stack(
        [
            sure(targets, half, 1.0) * np.where(half, 3.0, 1.0)[:, None],
            sure(targets, ~half, 1.0) * np.where(~half, 3.0, 1.0)[:, None],
            sure(targets, np.zeros(40, dtype=bool), 50.0),
        ]
    )
    rows = np.arange(40)
    assert choose_greedily(mixed_from(logits), targets, rows, 3) == (0.5, 0.5, 0.0)
    assert best_alone(mixed_from(logits), targets, rows, 3) == (1.0, 0.0, 0.0)


def test_a_member_that_changes_nothing_joins_and_one_that_harms_does_not() -> None:
    targets = np.arange(20) % CLASSES
    good = sure(targets, np.arange(20) < 15, 2.0)
    harm = sure(targets, np.zeros(20, dtype=bool), 9.0)
    rows = np.arange(20)
    assert choose_greedily(mixed_from(np.stack([good, good])), targets, rows, 2) == (0.5, 0.5)
    assert choose_greedily(mixed_from(np.stack([good, harm])), targets, rows, 2) == (1.0, 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_the_greedy_soup_is_never_worse_than_the_best_member_where_it_was_chosen(seed: int) -> None:
    answers, targets = noisy(5, 80, skill=1.0, seed=seed)
    rows = np.arange(0, 80, 2)
    soup = choose_greedily(answers, targets, rows, 5)
    best = best_alone(answers, targets, rows, 5)
    assert right_on(answers, soup, targets, rows) >= right_on(answers, best, targets, rows)
    assert sum(soup) == pytest.approx(1.0)
    assert len({share for share in soup if share}) == 1, "equal shares"


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_members_does_not_matter(seed: int) -> None:
    draw = np.random.default_rng(seed)
    targets = draw.integers(0, CLASSES, 60)
    logits = draw.normal(size=(4, 60, CLASSES))
    logits[:, np.arange(60), targets] += 1.0
    order = draw.permutation(4)
    rows = np.arange(60)
    for choose in (choose_greedily, best_alone):
        plain = choose(mixed_from(logits), targets, rows, 4)
        permuted = choose(mixed_from(logits[order]), targets, rows, 4)
        assert permuted == tuple(plain[member] for member in order)


def test_of_equally_right_members_the_one_with_the_smaller_loss_is_best() -> None:
    targets = np.arange(12) % CLASSES
    right = np.arange(12) < 9
    logits = np.stack([sure(targets, right, 8.0), sure(targets, right, 1.0)])
    assert best_alone(mixed_from(logits), targets, np.arange(12), 2) == alone(1, 2)


def test_between_two_ends_ties_go_to_the_smaller_loss_and_then_to_the_earlier_step() -> None:
    targets = np.arange(12) % CLASSES
    everything = np.ones(12, dtype=bool)
    surer = np.stack([sure(targets, everything, 1.0), sure(targets, everything, 5.0)])
    assert choose_between(mixed_from(surer), targets, np.arange(12)) == (0.0, 1.0)
    same = np.stack([sure(targets, everything, 2.0)] * 2)
    assert choose_between(lambda _: mixed_from(same)((1.0, 0.0)), targets, np.arange(12)) == (1.0, 0.0)


def test_between_two_ends_the_best_of_all_steps_is_chosen() -> None:
    answers, targets = noisy(2, 200, skill=0.7, seed=3)
    rows = np.arange(200)
    chosen = choose_between(answers, targets, rows)
    counts = [right_on(answers, between(step), targets, rows) for step in STEPS]
    assert right_on(answers, chosen, targets, rows) == max(counts)
    assert 0.0 < chosen[1] < 1.0, "a mean of two noisy members is better than either"


def test_no_choice_reads_a_target_of_the_part_that_is_held_out() -> None:
    answers, targets = noisy(5, 100, skill=0.4, seed=1)
    parts = parts_of(np.arange(100) // 2)
    rules = {
        "greedy": lambda t: lambda rows: choose_greedily(answers, t, rows, 5),
        "best": lambda t: lambda rows: best_alone(answers, t, rows, 5),
    }
    for rule in rules.values():
        honest = cross_fit(rule(targets), answers, parts)
        changed = 0
        for number in np.unique(parts):
            spoilt = np.where(parts == number, (targets + 1) % CLASSES, targets)
            found = cross_fit(rule(spoilt), answers, parts)
            assert found.choices[number] == honest.choices[number]
            changed += found.choices != honest.choices
        assert changed, "spoilt targets do matter where they may be read"


def test_a_choice_between_ends_reads_no_target_of_the_part_that_is_held_out() -> None:
    answers, targets = noisy(2, 100, skill=0.4, seed=2)
    parts = parts_of(np.arange(100))
    honest = cross_fit(partial(choose_between, answers, targets), answers, parts)
    for number in np.unique(parts):
        spoilt = np.where(parts == number, (targets + 1) % CLASSES, targets)
        found = cross_fit(partial(choose_between, answers, spoilt), answers, parts)
        assert found.choices[number] == honest.choices[number]


def test_the_joined_answers_of_a_part_are_those_of_its_own_choice() -> None:
    answers, targets = noisy(4, 90, skill=0.5, seed=7)
    parts = parts_of(np.arange(90) // 3)
    found = cross_fit(lambda rows: choose_greedily(answers, targets, rows, 4), answers, parts)
    for number, choice in enumerate(found.choices):
        inside = parts == number
        assert np.array_equal(found.answers[inside], answers(choice)[inside])
    everyone = cross_fit(lambda _: together(range(4), 4), answers, parts)
    assert np.array_equal(everyone.answers, answers((0.25,) * 4)), "what chooses nothing is the same twice"


def test_choosing_among_equals_flatters_and_cross_fitting_does_not() -> None:
    # All members guess alike well: the truth is one figure, and the naive one is above it nearly every time.
    naive, honest, truth = [], [], []
    for seed in range(60):
        answers, targets = noisy(12, 60, skill=0.0, seed=seed)
        rows = np.arange(60)

        def choose(
            seen: NDArray[np.int64], answers: Answers = answers, targets: NDArray[np.int64] = targets
        ) -> Shares:
            return best_alone(answers, targets, seen, 12)

        naive.append(right_on(answers, choose(rows), targets, rows) / 60)
        apart = cross_fit(choose, answers, parts_of(rows, seed=seed)).answers
        honest.append(float((apart.argmax(axis=1) == targets).mean()))
        truth.append(1 / CLASSES)
    assert np.mean(naive) - np.mean(truth) > 0.06
    assert abs(np.mean(honest) - np.mean(truth)) < 0.025
