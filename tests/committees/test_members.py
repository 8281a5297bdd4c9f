"""Who may be a member, what members are called, and which images they are chosen on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ensemble_kit import LABELS, cast_members, cast_run, cast_split, guesses, truth

from dessin.answers.committee import Committee, save_committee
from dessin.answers.predictions import read_predictions, write_predictions
from dessin.answers.tree import Ballot, ModelNode, VoteNode
from dessin.collection.split.files import Split
from dessin.committees.members import find_members, member_answers
from dessin.errors import DessinError
from dessin.runs.record import STUDY_FILE


@pytest.fixture(scope="module")
def split() -> Split:
    return cast_split(of_each=10)


def a_run(folder: Path, split: Split, *, fold: int = 0, seed: int = 0, weights: str = "") -> Path:
    return cast_run(folder, split, guesses(split, seed), fold=fold, seed=seed, weights=weights)


def a_group(folder: Path, split: Split, *, made_by: str = "folds", folds: Sequence[int] = (0, 1)) -> Path:
    runs = {f"fold-{fold}": a_run(folder / f"fold-{fold}", split, fold=fold) for fold in folds}
    committee = Committee(
        name=folder.name,
        classes=split.classes,
        root=VoteNode(ballots=tuple(Ballot(node=ModelNode(bundle=f"{name}/bundle")) for name in runs)),
        provenance={"made_by": made_by},
        licence="Apache-2.0",
    )
    made = folder.parent / f"{folder.name} committee"
    save_committee(made, committee, {f"{name}/bundle": run / "bundle" for name, run in runs.items()})
    shutil.copy(made / "committee.json", folder)
    return folder


def test_runs_that_differ_in_their_fold_alone_are_one_member(split: Split, tmp_path: Path) -> None:
    folds = [a_run(tmp_path / f"tuned/fold-{fold}", split, fold=fold) for fold in (2, 0, 1)]
    other = [a_run(tmp_path / f"plain/fold-{fold}", split, fold=fold, seed=1) for fold in (0, 1, 2)]
    found = find_members([*folds, *other])
    assert [(m.name, m.kind, m.folds) for m in found.members] == [
        ("plain", "folds", (0, 1, 2)),
        ("tuned", "folds", (0, 1, 2)),
    ]
    assert found.notes == ("plain and tuned are one member each, of 3 runs that differ in their fold alone.",)


def test_runs_of_another_seed_or_recipe_are_members_of_their_own(split: Split, tmp_path: Path) -> None:
    runs = [a_run(tmp_path / "first", split), a_run(tmp_path / "second", split, fold=1, seed=1)]
    third = cast_run(tmp_path / "third", split, guesses(split, 0), fold=1, recipe={"optimizer": {"lr": 1e-3}})
    with pytest.raises(DessinError, match="No fold was validated by all 3 members"):
        find_members([*runs, third])


def test_images_are_those_that_every_member_answered(split: Split, tmp_path: Path) -> None:
    runs = [a_run(tmp_path / f"a/fold-{fold}", split, fold=fold) for fold in (0, 1)]
    found = find_members([*runs, a_run(tmp_path / "b", split, fold=1, seed=1)])
    assert found.folds == (1,)
    assert found.rows == split.validation(1)
    left = len(split.validation(0))
    assert any(f"Fold 0 ({left} images): left out" in note and note.endswith("in b.") for note in found.notes)


def test_one_run_is_a_member_and_two_may_be_needed(split: Split, tmp_path: Path) -> None:
    run = a_run(tmp_path / "alone", split)
    assert [member.kind for member in find_members([run]).members] == ["run"]
    with pytest.raises(DessinError, match=r"1 member was given.*At least 2"):
        find_members([run], least=2)
    with pytest.raises(DessinError, match="No run was given"):
        find_members([])


def test_a_fold_group_is_one_member(split: Split, tmp_path: Path) -> None:
    group = a_group(tmp_path / "grouped", split)
    found = find_members([a_run(tmp_path / "other", split, seed=1), group])
    assert [(m.name, m.kind, m.folds) for m in found.members] == [
        ("grouped", "fold group", (0, 1)),
        ("other", "run", (0,)),
    ]
    with pytest.raises(DessinError, match="named twice"):
        find_members([group, group / "fold-0"])


@pytest.mark.parametrize("made_by", ["ensemble", "", "route"])
def test_a_chosen_committee_is_refused(split: Split, tmp_path: Path, made_by: str) -> None:
    with pytest.raises(DessinError, match=made_by or "an unknown hand"):
        find_members([a_group(tmp_path / "chosen", split, made_by=made_by)])


def test_another_split_is_refused(split: Split, tmp_path: Path) -> None:
    other = cast_split(of_each=10, seed=1)
    with pytest.raises(DessinError, match="another split"):
        find_members([a_run(tmp_path / "a", split), a_run(tmp_path / "b", other, seed=1)])


def test_an_unfinished_run_is_refused(split: Split, tmp_path: Path) -> None:
    run = cast_run(tmp_path / "half", split, guesses(split, 0), status="running")
    with pytest.raises(DessinError, match="half is running"):
        find_members([run])


def test_a_run_twice_is_refused_by_whatever_name(split: Split, tmp_path: Path) -> None:
    run = a_run(tmp_path / "a", split)
    (tmp_path / "link").symlink_to(run)
    for again in (run, tmp_path / "a" / ".." / "a", tmp_path / "link"):
        with pytest.raises(DessinError, match="named twice"):
            find_members([run, again])


def test_what_is_no_run_is_refused_by_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="There is no folder"):
        find_members([tmp_path / "nowhere"])
    with pytest.raises(DessinError, match="neither a run nor a fold group"):
        find_members([tmp_path])
    (tmp_path / STUDY_FILE).write_text("{}")
    with pytest.raises(DessinError, match="is a study"):
        find_members([tmp_path])


def test_equal_names_get_as_many_parents_as_they_need(split: Split, tmp_path: Path) -> None:
    runs = [a_run(tmp_path / parent / "lite0", split, seed=i) for i, parent in enumerate("ab")]
    runs.append(a_run(tmp_path / "c" / "tiny", split, seed=2))
    assert [m.name for m in find_members(runs).members] == ["a/lite0", "b/lite0", "c/tiny"]


def test_recipes_that_share_a_folder_of_folds_are_told_apart_by_their_runs(
    split: Split, tmp_path: Path
) -> None:
    runs = [a_run(tmp_path / "mixed" / f"fold-{i}", split, seed=i) for i in range(2)]
    assert [m.name for m in find_members(runs).members] == ["fold-0", "fold-1"]


def test_the_same_weights_twice_are_noted(split: Split, tmp_path: Path) -> None:
    runs = [a_run(tmp_path / name, split, seed=i, weights="w") for i, name in enumerate("ab")]
    assert find_members(runs).notes == ("a and b have the very same weights.",)


def test_answers_come_in_the_order_of_the_members_rows(split: Split, tmp_path: Path) -> None:
    answers = guesses(split, 7)
    runs = cast_members(tmp_path, split, {"a": answers}, folds=(0, 1, 2))
    moved = read_predictions(runs[1] / "validation")
    shutil.rmtree(runs[1] / "validation")
    write_predictions(
        type(moved)(
            image_ids=moved.image_ids[::-1],
            labels=moved.labels[::-1],
            folds=moved.folds[::-1],
            classes=moved.classes,
            probabilities=moved.probabilities[::-1],
        ),
        runs[1] / "validation",
    )
    found = find_members(runs)
    table, aligned = member_answers(found.members[0], found)
    at = {row.image_id: i for i, row in enumerate(split.rows)}
    expected = answers[[at[row.image_id] for row in found.rows]]
    assert np.array_equal(table, expected)
    assert not aligned
    assert np.array_equal(found.targets, truth(split)[[at[row.image_id] for row in found.rows]])


def test_predictions_that_contradict_the_record_are_refused(split: Split, tmp_path: Path) -> None:
    run = a_run(tmp_path / "a", split)
    own = read_predictions(run / "validation")
    shutil.rmtree(run / "validation")
    better = np.eye(len(LABELS), dtype=np.float32)[own.targets]
    write_predictions(
        type(own)(
            image_ids=own.image_ids,
            labels=own.labels,
            folds=own.folds,
            classes=own.classes,
            probabilities=better,
        ),
        run / "validation",
    )
    found = find_members([run])
    with pytest.raises(DessinError, match="the record says"):
        member_answers(found.members[0], found)
