from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from member_tables import make_table, plausible, spoiled, with_images, with_members

from dessin.answers.tree import Ballot, ModelNode, VoteNode, combine
from dessin.committees.rules.choice import RULES, Choice, apply_choice

TABLE = plausible(6, 160, 5)
EVERY = TABLE.every_row


def test_the_rules_by_name() -> None:
    names = ["best single", "all soft", "all hard", "accuracy", "diversity", "weighted soft", "greedy"]
    assert list(RULES) == names


@pytest.mark.parametrize("name", RULES)
def test_a_choice_has_weights_of_one_and_says_something(name: str) -> None:
    choice = RULES[name](TABLE, EVERY, 0)
    assert choice.weights.sum() == pytest.approx(1.0)
    assert choice.weights.min() >= 0
    assert choice.note


@pytest.mark.parametrize("rule", ["soft", "hard"])
def test_a_vote_is_that_of_a_committee(rule: str) -> None:
    weights = np.array([0.4, 0.0, 0.3, 0.1, 0.1, 0.1])
    ballots = tuple(
        Ballot(node=ModelNode(bundle=name), weight=weight)
        for name, weight in zip(TABLE.names, weights, strict=True)
    )
    answers = dict(zip(TABLE.names, TABLE.probabilities, strict=True))
    node = VoteNode.model_validate({"rule": rule, "ballots": ballots})
    expected, _classes = combine(node, answers, dict.fromkeys(TABLE.names, TABLE.classes))
    choice = Choice("soft" if rule == "soft" else "hard", weights, "")
    assert apply_choice(TABLE, EVERY, choice) == pytest.approx(expected, abs=1e-15)


def test_a_tie_of_votes_goes_to_the_higher_mean_probability() -> None:
    table = make_table([[[0.5, 0.4, 0.1]], [[0.1, 0.9, 0.0]]], [1])
    vote = apply_choice(table, table.every_row, Choice("hard", np.array([0.5, 0.5]), ""))
    assert vote.argmax() == 1


def test_a_vote_answers_the_rows_asked_for_in_their_order() -> None:
    choice = RULES["all soft"](TABLE, EVERY, 0)
    rows = np.array([7, 3, 100, 3])
    assert np.array_equal(apply_choice(TABLE, rows, choice), apply_choice(TABLE, EVERY, choice)[rows])
    assert apply_choice(TABLE, rows[:0], choice).shape == (0, 5)


@pytest.mark.parametrize("rule", ["soft", "hard"])
def test_a_member_without_weight_changes_nothing(rule: str) -> None:
    weights = np.array([0.5, 0.0, 0.5, 0.0, 0.0, 0.0])
    nonsense = TABLE.probabilities.copy()
    nonsense[1] = np.nan
    choice = Choice("soft" if rule == "soft" else "hard", weights, "")
    changed = replace(TABLE, probabilities=nonsense)
    assert np.array_equal(apply_choice(TABLE, EVERY, choice), apply_choice(changed, EVERY, choice))


@pytest.mark.parametrize("name", RULES)
def test_a_vote_of_clones_is_the_clone(name: str) -> None:
    clones = with_members(TABLE, [2, 2, 2, 2], list("abcd"))
    vote = apply_choice(clones, EVERY, RULES[name](clones, EVERY, 0))
    alone = TABLE.probabilities[2]
    if name == "all hard":
        assert np.array_equal(vote.argmax(axis=1), alone.argmax(axis=1))
    else:
        assert vote == pytest.approx(alone, abs=1e-7)


@pytest.mark.parametrize("name", RULES)
def test_permuted_members_have_permuted_weights(name: str) -> None:
    order = [3, 5, 0, 2, 4, 1]
    weights = RULES[name](TABLE, EVERY, 0).weights
    permuted = RULES[name](with_members(TABLE, order), EVERY, 0).weights
    assert permuted == pytest.approx(weights[order], abs=1e-9)


@pytest.mark.parametrize("name", RULES)
def test_permuted_images_change_nothing(name: str) -> None:
    order = np.random.default_rng(5).permutation(len(EVERY))
    first = RULES[name](TABLE, EVERY, 0)
    assert RULES[name](with_images(TABLE, order), EVERY, 0).weights == pytest.approx(first.weights, abs=1e-9)
    assert RULES[name](TABLE, order, 0).weights == pytest.approx(first.weights, abs=1e-9)


@pytest.mark.parametrize("name", ["all soft", "all hard"])
def test_every_member_twice_votes_as_once(name: str) -> None:
    twice = with_members(TABLE, [*range(6), *range(6)], [f"{copy}{m}" for copy in "ab" for m in range(6)])
    once, doubled = (apply_choice(table, EVERY, RULES[name](table, EVERY, 0)) for table in (TABLE, twice))
    assert doubled == pytest.approx(once, abs=1e-12)


@pytest.mark.parametrize("name", ["best single", "weighted soft"])
def test_a_clone_of_a_member_does_not_move_the_vote(name: str) -> None:
    more = with_members(TABLE, [*range(6), 0], [*TABLE.names, "clone"])
    plain, cloned = (apply_choice(table, EVERY, RULES[name](table, EVERY, 0)) for table in (TABLE, more))
    assert cloned == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("name", RULES)
def test_of_one_member_there_is_one_choice(name: str) -> None:
    alone = with_members(TABLE, [4])
    assert RULES[name](alone, EVERY, 0).weights.tolist() == [1.0]


def test_the_best_single_is_the_most_accurate() -> None:
    accuracies = (TABLE.probabilities.argmax(axis=2) == TABLE.targets).mean(axis=1)
    choice = RULES["best single"](TABLE, EVERY, 0)
    assert choice.weights.argmax() == accuracies.argmax()
    assert choice.note == TABLE.names[accuracies.argmax()]


def test_equally_accurate_members_are_told_apart_by_their_loss() -> None:
    answers = np.array([[[0.6, 0.4], [0.4, 0.6]], [[0.9, 0.1], [0.1, 0.9]], [[0.8, 0.2], [0.2, 0.8]]])
    table = make_table(answers, [0, 1])
    assert RULES["best single"](table, table.every_row, 0).weights.tolist() == [0.0, 1.0, 0.0]


def test_the_prefix_by_accuracy_is_the_best_of_all_prefixes() -> None:
    right = TABLE.probabilities.argmax(axis=2) == TABLE.targets
    order = np.argsort(-right.sum(axis=1), kind="stable")
    assert len(set(right.sum(axis=1))) == 6, "the planted members must not tie"
    sums = np.cumsum(TABLE.probabilities[order].astype(np.float64), axis=0)
    accuracies = (sums.argmax(axis=2) == TABLE.targets).sum(axis=1)
    chosen = RULES["accuracy"](TABLE, EVERY, 0).members()
    assert accuracies[len(chosen) - 1] == accuracies.max()
    assert set(chosen) == set(order[: len(chosen)])


def test_diversity_takes_the_member_that_errs_elsewhere_before_the_better_one() -> None:
    """Of three members the second errs where the best one does, the third elsewhere."""
    answers = np.tile([0.7, 0.2, 0.1], (3, 100, 1))
    answers[0, :20] = answers[2, 30:60] = [0.45, 0.55, 0.0]
    answers[1, :22] = [0.0, 1.0, 0.0]
    table = make_table(answers, np.zeros(100))
    assert RULES["accuracy"](table, table.every_row, 0).members().tolist() == [0]
    assert RULES["diversity"](table, table.every_row, 0).members().tolist() == [0, 2]


def test_the_weighted_vote_spares_members_of_next_to_no_weight() -> None:
    own = TABLE.probabilities.copy()
    own[3] = 0.2
    weights = RULES["weighted soft"](replace(TABLE, probabilities=own), EVERY, 0).weights
    assert not ((weights > 0) & (weights < 1e-4)).any()


@pytest.mark.parametrize("name", RULES)
def test_a_choice_looks_at_its_rows_alone(name: str) -> None:
    rows, others = EVERY[::2], EVERY[1::2]
    clean, nonsense = RULES[name](TABLE, rows, 0), RULES[name](spoiled(TABLE, others), rows, 0)
    assert clean.weights.tobytes() == nonsense.weights.tobytes()
    assert (clean.rule, clean.note) == (nonsense.rule, nonsense.note)
