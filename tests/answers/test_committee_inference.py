"""Which folds a committee can be asked about, and by whom: no model answers what it was trained on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dessin.answers.committee import Committee, LoadedCommittee
from dessin.answers.inference import folds_of
from dessin.answers.tree import Ballot, ModelNode, Node, RoutedNode, VoteNode

GROUP = ("a0", "a1", "a2")


def model(name: str) -> ModelNode:
    return ModelNode(bundle=name)


def vote(*nodes: Node | str, weights: tuple[float, ...] = ()) -> VoteNode:
    made = [model(node) if isinstance(node, str) else node for node in nodes]
    counted = weights or (1.0,) * len(made)
    return VoteNode(ballots=tuple(Ballot(node=n, weight=w) for n, w in zip(made, counted, strict=True)))


def loaded(root: Node) -> LoadedCommittee:
    """A committee whose model `x3` was validated on fold 3, and `xn` on none."""
    committee = Committee(name="c", classes=("a", "b"), root=root, licence="none")
    folds = {name: name[1:].replace("n", "none") for name in committee.bundles}
    bundles = {
        name: SimpleNamespace(card=SimpleNamespace(provenance={"fold": fold})) for name, fold in folds.items()
    }
    return LoadedCommittee(committee, bundles)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("root", "folds"),
    [
        (model("a0"), (0,)),
        (model("an"), ()),
        (vote(*GROUP), (0, 1, 2)),
        (vote("a0", "b0"), (0,)),
        (vote("a0", "b0", "a1", "b1"), (0, 1)),
        (vote("a0", "b0", "a1"), (0,)),
        (vote(vote(*GROUP), vote("b0", "b1")), (0, 1)),
        (vote(vote(*GROUP), "b1"), (1,)),
        (vote(vote(*GROUP), "b1", weights=(1.0, 0.0)), (0, 1, 2)),
        (vote("an", "bn"), ()),
        (RoutedNode(generalist=model("a1"), families={}, router=vote("r0", "r1")), (1,)),
        (RoutedNode(generalist=vote(*GROUP), families={"x": "f"}, experts={"f": model("e2")}), (2,)),
        (vote(*(RoutedNode(generalist=model(name), families={}) for name in GROUP)), (0, 1, 2)),
    ],
)
def test_the_folds_are_those_that_no_fewer_voters_can_answer(root: Node, folds: tuple[int, ...]) -> None:
    assert folds_of(loaded(root)) == folds
