"""Rows of the page Runs: a recipe's folds are one, and so is a committee."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ensemble_kit import cast_members, cast_split, guesses, truth

from dessin.collection.split.files import Split, write_split
from dessin.committees.ensemble.verb import COMMITTEE, ensemble
from dessin.progress import quiet
from dessin.runs.fold_group import FoldGroup
from dessin.runs.record import SPLIT_FILE, read_record
from dessin.studio.views.run_table import RunTable, comparable_pair, run_table
from dessin.studio.workspace import scan_workspace


def table_of(root: Path) -> RunTable:
    return run_table(scan_workspace(root), where="", sort="", columns=["status", "data.fold", "accuracy"])


def accuracy(table: RunTable, name: str) -> tuple[float, int]:
    values = table.rows[table.names.index(name)].values
    found, n = (values[f"results.validation.accuracy.{part}"] for part in ("value", "n"))
    assert isinstance(found, float)
    assert isinstance(n, int)
    return found, n


def make_group(folder: Path, split: Split) -> None:
    """What `dessin train --folds all` writes beside its folds, without joined results."""
    write_split(split, folder / SPLIT_FILE)
    recipe = read_record(folder / "fold-0").recipe
    FoldGroup(name=folder.name, recipe=recipe, folds=(0, 1, 2), threads=1, split=split.digest).write(folder)


def test_folds_are_one_row_of_all_drawings_that_some_fold_was_asked_about(tmp_path: Path) -> None:
    split = cast_split()
    answers = guesses(split, 0, skill=2.0)
    cast_members(tmp_path, split, {"steps": answers, "group": answers})
    make_group(tmp_path / "group", split)
    table = table_of(tmp_path)
    assert table.names == ("group", "steps")
    asked = np.array([isinstance(row.fold, int) for row in split.rows])
    right = (answers.argmax(axis=1) == truth(split))[asked]
    assert accuracy(table, "steps") == (right.mean(), len(right))
    assert table.path("group") == tmp_path / "group"
    group = table.rows[0].values
    assert (group["status"], group["recipe.data.fold"]) == ("running", "none")


def test_a_fold_alone_is_the_row_that_it_stands_for(tmp_path: Path) -> None:
    split = cast_split()
    cast_members(tmp_path, split, {"one": guesses(split, 0)}, folds=(1,))
    table = table_of(tmp_path)
    assert table.names == ("one",)
    assert accuracy(table, "one")[1] == len(split.validation(1))
    assert table.rows[0].values["recipe.data.fold"] == 1


def test_a_committee_is_a_row_with_what_it_has_right_of_drawings_that_did_not_choose_it(
    tmp_path: Path,
) -> None:
    split = cast_split()
    members = {name: guesses(split, seed, skill=2.0) for seed, name in enumerate("ab")}
    runs = cast_members(tmp_path / "runs", split, members)
    with quiet():
        results = ensemble(runs, out=tmp_path / "vote")
    table = table_of(tmp_path)
    name = f"vote/{COMMITTEE}"
    assert table.names == ("runs/a", "runs/b", name)
    assert accuracy(table, name) == (results.chosen_rule.nested.value, results.images)
    assert "vote of" in str(table.rows[2].values["recipe.model.backbone"])
    assert comparable_pair(table) == ["runs/a", "runs/b"]
