"""Temperatures of members: fitted on what a rule may look at, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ensemble_kit import LABELS, cast_split, cast_table, guesses

from dessin.answers.table import MemberTable
from dessin.committees.answers import Scaler, scaled_rules
from dessin.committees.rules.choice import RULES
from dessin.committees.rules.nested import compare_rules, outer_parts
from dessin.statistics.temperature import fit_temperature, tempered

pytestmark = pytest.mark.slow


def a_table() -> MemberTable:
    split = cast_split(folds=4)
    return cast_table(split, {name: guesses(split, i, skill=1.2 - 0.2 * i) for i, name in enumerate("abcd")})


def spoilt(table: MemberTable, rows: np.ndarray) -> MemberTable:
    """Nonsense in some rows: other probabilities and other labels."""
    probabilities, targets = table.probabilities.copy(), table.targets.copy()
    probabilities[:, rows] = np.roll(probabilities[:, rows], 1, axis=2)[::-1] ** 2 + 1e-3
    probabilities[:, rows] /= probabilities[:, rows].sum(axis=2, keepdims=True)
    targets[rows] = (targets[rows] + 1) % len(LABELS)
    return replace(table, probabilities=probabilities, targets=targets)


def test_a_members_temperature_is_its_own(tmp_path: Path) -> None:
    table, rows = a_table(), np.arange(50)
    scaled, temperatures = Scaler(table, tmp_path).fitted_on(rows)
    for member, temperature in enumerate(temperatures):
        answers = table.probabilities[member]
        assert temperature == fit_temperature(answers[rows], table.targets[rows])
        expected = tempered(answers.astype(np.float64), temperature).astype(np.float32)
        assert np.array_equal(scaled.probabilities[member], expected)


def test_a_part_has_no_say_in_the_temperatures_that_answer_it(tmp_path: Path) -> None:
    table = a_table()
    parts = outer_parts(table)
    part = parts[1]
    outside = np.setdiff1d(table.every_row, part)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before, after = Scaler(table, tmp_path / "a"), Scaler(spoilt(table, part), tmp_path / "b")
    assert before.fitted_on(outside)[1] == after.fitted_on(outside)[1]
    assert before.fitted_on(table.every_row)[1] != after.fitted_on(table.every_row)[1]


@pytest.mark.parametrize("part", [0, 2])
def test_nested_choices_with_scaling_never_read_their_part(tmp_path: Path, part: int) -> None:
    table = a_table()
    parts = outer_parts(table)
    worlds = (table, spoilt(table, parts[part]))
    found = []
    for number, world in enumerate(worlds):
        folder = tmp_path / str(number)
        folder.mkdir()
        scaler = Scaler(world, folder)
        found.append(compare_rules(scaler.without_own_part(parts), rules=scaled_rules(RULES, scaler)))
    for honest, other in zip(*found, strict=True):
        assert np.array_equal(honest.fold_choices[part].weights, other.fold_choices[part].weights)
    assert any(
        not np.array_equal(honest.fold_choices[i].weights, other.fold_choices[i].weights)
        for honest, other in zip(*found, strict=True)
        for i in range(len(parts))
        if i != part
    )


def test_labels_of_a_part_do_not_reach_its_scaled_answers(tmp_path: Path) -> None:
    table = a_table()
    parts = outer_parts(table)
    targets = table.targets.copy()
    targets[parts[0]] = (targets[parts[0]] + 1) % len(LABELS)
    nested = []
    for number, world in enumerate((table, replace(table, targets=targets))):
        folder = tmp_path / str(number)
        folder.mkdir()
        scaler = Scaler(world, folder)
        results = compare_rules(scaler.without_own_part(parts), rules=scaled_rules(RULES, scaler))
        nested.append([result.nested_probabilities[parts[0]] for result in results])
    assert all(np.array_equal(honest, other) for honest, other in zip(*nested, strict=True))


def test_every_image_is_scaled_without_its_own_part(tmp_path: Path) -> None:
    table = a_table()
    parts = outer_parts(table)
    scaler = Scaler(table, tmp_path)
    mixed = scaler.without_own_part(parts)
    for part in parts:
        scaled, _ = scaler.fitted_on(np.setdiff1d(table.every_row, part))
        assert np.array_equal(mixed.probabilities[:, part], scaled.probabilities[:, part])
    assert np.array_equal(mixed.probabilities.argmax(axis=2), table.probabilities.argmax(axis=2))
