"""A committee made of weights: who is in it, where its bundles lie, and where temperatures stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from ensemble_kit import cast_members, cast_split, guesses

from dessin.answers.committee import load_committee, read_committee, save_committee
from dessin.answers.tree import ModelNode, VoteNode
from dessin.collection.split.files import Split
from dessin.committees.members import Members, check_bundles, find_members, make_committee
from dessin.errors import DessinError
from dessin.models.card import CARD_FILE, WEIGHTS_FILE


@pytest.fixture(scope="module")
def split() -> Split:
    return cast_split(of_each=8)


def gathered(folder: Path, split: Split, *names: str, folds: tuple[int, ...] = (0,)) -> Members:
    members = {name: guesses(split, i) for i, name in enumerate(names)}
    return find_members(cast_members(folder, split, members, folds=folds))


def test_members_without_weight_stay_out(split: Split, tmp_path: Path) -> None:
    members = gathered(tmp_path, split, "a", "b", "c")
    committee, bundles = make_committee(
        "two",
        members,
        vote="hard",
        weights={"a": 0.25, "b": 0.0, "c": 0.75},
        temperatures={"a": 2.0, "b": 1.0, "c": 1.0},
        views=("identity", "hflip"),
        provenance={"made_by": "ensemble"},
    )
    assert isinstance(committee.root, VoteNode)
    assert committee.root.rule == "hard"
    assert [(ballot.node, ballot.weight, ballot.temperature) for ballot in committee.root.ballots] == [
        (ModelNode(bundle="models/a"), 0.25, 2.0),
        (ModelNode(bundle="models/c"), 0.75, 1.0),
    ]
    assert bundles == {
        "models/a": tmp_path / "a" / "fold-0" / "bundle",
        "models/c": tmp_path / "c" / "fold-0" / "bundle",
    }
    assert committee.views == ("identity", "hflip")
    assert committee.classes == split.classes
    assert committee.digests["split"] == split.digest


def test_a_member_of_folds_is_a_vote_with_the_temperature_at_each_model(split: Split, tmp_path: Path) -> None:
    members = gathered(tmp_path, split, "a", folds=(0, 2))
    committee, _ = make_committee(
        "one",
        members,
        vote="soft",
        weights={"a": 1.0},
        temperatures={"a": 3.0},
        views=("identity",),
        provenance={},
    )
    assert isinstance(committee.root, VoteNode)
    (ballot,) = committee.root.ballots
    assert isinstance(ballot.node, VoteNode)
    assert ballot.temperature == 1.0
    assert [(inner.node, inner.weight, inner.temperature) for inner in ballot.node.ballots] == [
        (ModelNode(bundle="models/a/fold-0"), 1.0, 3.0),
        (ModelNode(bundle="models/a/fold-2"), 1.0, 3.0),
    ]


def test_strange_names_get_plain_folders_of_their_own(split: Split, tmp_path: Path) -> None:
    names = ("a b", "a-b", "A B", "..", "...x", "오리", "<b>")
    folders = {name: name if name != ".." else "dots" for name in names}
    members = gathered(tmp_path, split, *folders.values())
    weights = {member.name: 1.0 for member in members.members}
    committee, bundles = make_committee(
        "all", members, vote="soft", weights=weights, temperatures={}, views=("identity",), provenance={}
    )
    places = [Path(place).name.casefold() for place in bundles]
    assert len(set(places)) == len(names)
    assert all(place.startswith("models/") and ".." not in place and " " not in place for place in bundles)
    save_committee(tmp_path / "out", committee, bundles)
    assert set(read_committee(tmp_path / "out").weights) == set(bundles)


def test_the_committee_knows_its_weights(split: Split, tmp_path: Path) -> None:
    members = gathered(tmp_path, split, "a", "b")
    committee, bundles = make_committee(
        "two",
        members,
        vote="soft",
        weights={"a": 1.0, "b": 1.0},
        temperatures={},
        views=("identity",),
        provenance={},
    )
    save_committee(tmp_path / "out", committee, bundles)
    for name, bundle in bundles.items():
        assert (tmp_path / "out" / name / CARD_FILE).read_bytes() == (bundle / CARD_FILE).read_bytes()
    # These weights are a few letters, so nothing can be loaded of them.
    with pytest.raises(DessinError):
        load_committee(tmp_path / "out")


def test_whole_bundles_pass_and_one_damaged_among_them_does_not(split: Split, tmp_path: Path) -> None:
    members = gathered(tmp_path, split, "a", "b")
    check_bundles(members)
    (members.members[1].runs[0].bundle / WEIGHTS_FILE).write_bytes(b"other weights")
    with pytest.raises(DessinError):
        check_bundles(members)
