from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from member_tables import make_table, plausible, spoiled, with_images, with_members

from dessin.answers.table import MemberTable, Rows
from dessin.committees.rules.choice import RULES, Choice, apply_choice
from dessin.committees.rules.nested import compare_rules, outer_parts
from dessin.errors import DessinError

pytestmark = pytest.mark.slow

TABLE = plausible(5, 200, 5)
RESULTS = {result.name: result for result in compare_rules(TABLE)}


def test_every_rule_is_measured_in_order() -> None:
    assert list(RESULTS) == list(RULES)


@pytest.mark.parametrize("part", range(5))
def test_a_choice_never_reads_the_part_that_it_answers(part: int) -> None:
    """With nonsense in the held-out part, what is chosen for it stays the same to the byte."""
    inside, outside = np.flatnonzero(TABLE.folds == part), np.flatnonzero(TABLE.folds != part)
    nonsense = spoiled(TABLE, inside)
    for name, rule in RULES.items():
        used = RESULTS[name].fold_choices[part]
        assert rule(nonsense, outside, 0).weights.tobytes() == used.weights.tobytes(), name
        assert np.array_equal(
            RESULTS[name].nested_probabilities[inside],
            apply_choice(TABLE, inside, used).astype(np.float32),
        )


def test_labels_of_a_part_do_not_reach_its_own_answers() -> None:
    """Other labels inside one part change the choices for the other parts only."""
    inside = np.flatnonzero(TABLE.folds == 2)
    targets = TABLE.targets.copy()
    targets[inside] = (targets[inside] + 1) % 5
    for result in compare_rules(replace(TABLE, targets=targets)):
        assert np.array_equal(
            result.nested_probabilities[inside], RESULTS[result.name].nested_probabilities[inside]
        )


def test_figures_are_those_of_the_answers() -> None:
    for result in RESULTS.values():
        right = result.nested_probabilities.argmax(axis=1) == TABLE.targets
        chosen = apply_choice(TABLE, TABLE.every_row, result.choice).argmax(axis=1) == TABLE.targets
        assert result.nested.value == pytest.approx(right.mean())
        assert result.naive.value == pytest.approx(chosen.mean())
        assert result.optimism.value == pytest.approx(chosen.mean() - right.mean())
        base = RESULTS["best single"].nested.value
        assert result.gain.difference.value == pytest.approx(right.mean() - base)
        assert result.nested.n == 200
        assert "100 groups" in result.nested.method


def test_what_learns_nothing_is_not_optimistic() -> None:
    for name in ("all soft", "all hard"):
        optimism = RESULTS[name].optimism
        assert (optimism.low, optimism.value, optimism.high) == (0.0, 0.0, 0.0)
        assert optimism.method == "nothing is chosen"
    assert RESULTS["best single"].optimism.low < 0 < RESULTS["best single"].optimism.high


def test_choosing_among_noise_is_found_out() -> None:
    """Sixty members that know nothing: the best of them look good on the images they were chosen by."""
    draw = np.random.default_rng(0)
    table = make_table(draw.dirichlet(np.ones(10), (60, 300)), draw.integers(0, 10, 300))
    results = {result.name: result for result in compare_rules(table)}
    for name in ("best single", "accuracy", "greedy"):
        result = results[name]
        assert result.naive.value > 0.13, name
        assert result.nested.low < 0.1 < result.nested.high, name
        assert result.optimism.value > 0, name
    assert results["greedy"].naive.low > 0.1
    assert results["greedy"].optimism.low > 0


def test_clones_gain_nothing() -> None:
    clones = with_members(TABLE, [1, 1, 1], list("abc"))
    for result in compare_rules(clones):
        assert result.gain.difference.value == 0.0
        assert result.gain.p == 1.0


@pytest.mark.parametrize("folds", [1, 5])
def test_permuted_images_change_nothing(folds: int) -> None:
    table = replace(TABLE, folds=TABLE.folds % folds)
    order = np.random.default_rng(3).permutation(200)
    for first, second in zip(compare_rules(table), compare_rules(with_images(table, order)), strict=True):
        assert second.nested.value == first.nested.value
        assert second.nested_probabilities == pytest.approx(first.nested_probabilities[order], abs=1e-6)


@pytest.mark.parametrize("folds", [1, 2])
def test_few_folds_are_dealt_anew_in_whole_groups(folds: int) -> None:
    table = replace(TABLE, folds=TABLE.folds % folds)
    parts = outer_parts(table, 1)
    assert [len(part) for part in parts] == [40] * 5
    assert sorted(np.concatenate(parts)) == list(range(200))
    for group in np.unique(table.groups):
        assert sum(bool((table.groups[part] == group).any()) for part in parts) == 1
    assert all(np.array_equal(*pair) for pair in zip(parts, outer_parts(table, 1), strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(parts, outer_parts(table, 2), strict=True))


def test_parts_of_uneven_groups_are_about_even() -> None:
    names = ["whole"] * 30 + [""] * 70 + [f"pair{i // 2}" for i in range(100)]
    parts = outer_parts(replace(TABLE, groups=np.array(names), folds=np.zeros(200, dtype=np.int64)))
    assert sum(bool((part < 30).any()) for part in parts) == 1
    assert {len(part) for part in parts} == {40}


def test_one_group_cannot_be_parted() -> None:
    table = replace(TABLE, groups=np.array(["all"] * 200), folds=np.zeros(200, dtype=np.int64))
    with pytest.raises(DessinError, match="one group"):
        compare_rules(table)


def test_gains_need_their_baseline() -> None:
    with pytest.raises(ValueError, match="best single"):
        compare_rules(TABLE, rules={"all soft": RULES["all soft"]})


def test_three_folds_are_the_parts() -> None:
    table = replace(TABLE, folds=TABLE.folds % 3)
    assert [np.unique(table.folds[part]).tolist() for part in outer_parts(table)] == [[0], [1], [2]]


def test_a_plain_function_is_a_rule() -> None:
    asked: list[int] = []

    def first_member(table: MemberTable, rows: Rows, seed: int) -> Choice:
        asked.append(len(rows))
        return Choice("soft", np.eye(table.members)[0], f"seed {seed}")

    rules = {"best single": RULES["best single"], "first": first_member}
    result = compare_rules(TABLE, rules=rules, seed=4)[1]
    assert asked == [200, *[160] * 5]
    assert result.choice.note == "seed 4"
    assert np.array_equal(result.nested_probabilities, TABLE.probabilities[0])
    assert result.optimism.high > result.optimism.value == 0.0
