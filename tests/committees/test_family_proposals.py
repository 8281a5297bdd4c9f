"""Families from planted confusions come back exactly, whatever the order; WordNet's dogs are one family."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree, linkage

from dessin.committees.families.proposals import (
    agreement,
    cluster,
    from_confusions,
    from_wordnet,
    modularity_by_count,
    shared_confusion,
    soft_confusion,
    stability,
)
from dessin.errors import DessinError

SIZES = (2, 3, 5, 6)
BLOCKS = np.repeat(np.arange(len(SIZES)), SIZES)
CLASSES = tuple(f"class {i:02d}" for i in range(len(BLOCKS)))
NAMES = {label: label for label in CLASSES}


def planted(seed: int = 0, *, inside: float = 4.0, images: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of images of classes that share `inside` times as much with their own block."""
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(BLOCKS)), images)
    table = random.uniform(0.5, 1.5, (len(targets), len(BLOCKS)))
    table[BLOCKS[targets][:, None] == BLOCKS[None, :]] *= inside
    table[np.arange(len(targets)), targets] += 10.0
    return table / table.sum(axis=1, keepdims=True), targets


def parts(families) -> set[frozenset[str]]:
    return {frozenset(families.members(name)) for name in families.names}


EXPECTED = {
    frozenset(label for label, own in zip(CLASSES, BLOCKS, strict=True) if own == b) for b in set(BLOCKS)
}


def test_planted_blocks_are_found_and_counted() -> None:
    proposal = from_confusions(*planted(), CLASSES, NAMES)
    assert parts(proposal.families) == EXPECTED
    assert int(proposal.modularity.argmax()) + 1 == len(SIZES)


def test_without_blocks_the_planted_ones_are_not_found() -> None:
    assert parts(from_confusions(*planted(inside=1.0), CLASSES, NAMES, count=4).families) != EXPECTED


def test_exactly_equal_confusions_are_cut_at_the_blocks_too() -> None:
    mean = np.where(BLOCKS[:, None] == BLOCKS[None, :], 0.05, 0.001)
    members, _ = cluster(shared_confusion(mean))
    assert sorted(map(tuple, members)) == sorted(tuple(np.flatnonzero(b == BLOCKS)) for b in set(BLOCKS))


def test_the_order_of_images_and_classes_changes_nothing() -> None:
    table, targets = planted(inside=1.6)
    expected = from_confusions(table, targets, CLASSES, NAMES, count=5).families
    for seed in range(5):
        random = np.random.default_rng(seed)
        rows, columns = random.permutation(len(targets)), random.permutation(len(CLASSES))
        moved = np.argsort(columns)[targets[rows]]
        labels = tuple(CLASSES[c] for c in columns)
        found = from_confusions(table[rows][:, columns], moved, labels, NAMES, count=5).families
        assert found == expected


def test_modularity_is_that_of_its_definition() -> None:
    random = np.random.default_rng(0)
    excess = random.normal(size=(9, 9))
    excess = (excess + excess.T) * (1 - np.eye(9))
    tree = linkage(random.random((9, 3)), "average")
    found = modularity_by_count(excess, tree)
    for count in range(1, 10):
        own = cut_tree(tree, n_clusters=count).ravel()
        assert found[count - 1] == pytest.approx(excess[own[:, None] == own[None, :]].sum())


def test_balanced_confusions_share_the_same_in_all() -> None:
    table, targets = planted(inside=3.0)
    table[:, 0] *= 20  # a class that everything is taken for
    shared = shared_confusion(soft_confusion(table, targets))
    assert shared.sum(axis=1) == pytest.approx(np.ones(len(BLOCKS)), abs=1e-6)
    assert (shared == shared.T).all()
    assert not np.diag(shared).any()


def test_soft_confusion_is_the_mean_of_a_class() -> None:
    table = np.array([[0.5, 0.3, 0.2], [0.7, 0.1, 0.2], [0.0, 0.0, 1.0]])
    mean = soft_confusion(table, np.array([0, 0, 2]))
    assert mean == pytest.approx(np.array([[0.6, 0.2, 0.2], [0, 0, 0], [0, 0, 1]]))


@pytest.mark.parametrize("count", [2, 3, 7, len(BLOCKS) - 1])
def test_as_many_families_as_asked_for(count: int) -> None:
    families = from_confusions(*planted(), CLASSES, NAMES, count=count).families
    assert len(families.names) == count
    assert sorted(label for name in families.names for label in families.members(name)) == list(CLASSES)


@pytest.mark.parametrize("count", [0, 1, len(BLOCKS)])
def test_an_impossible_number_of_families_is_refused(count: int) -> None:
    with pytest.raises(DessinError, match="From 2 to 15"):
        from_confusions(*planted(), CLASSES, NAMES, count=count or -1)


def test_a_classifier_that_confuses_nothing_suggests_nothing() -> None:
    with pytest.raises(DessinError, match="No class is ever confused"):
        from_confusions(np.eye(4), np.arange(4), tuple("abcd"), {c: c for c in "abcd"})


def test_a_family_has_the_name_of_one_of_its_classes() -> None:
    names = {label: f"the {label}" for label in CLASSES}
    families = from_confusions(*planted(), CLASSES, names).families
    for name in families.names:
        assert name.removesuffix("-like").removeprefix("the ") in families.members(name)


def test_agreement_is_one_for_the_same_and_nothing_for_unrelated_families() -> None:
    random = np.random.default_rng(0)
    first = random.integers(0, 5, 2000)
    assert agreement(first, 4 - first) == 1.0
    assert abs(agreement(first, random.integers(0, 5, 2000))) < 0.01
    # By hand: of 6 pairs 1 is together in both, 2 in the first, 1 in the second, and 1/3 by chance.
    assert agreement(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])) == pytest.approx(
        (1 - 1 / 3) / (1.5 - 1 / 3)
    )


def test_families_are_stable_where_blocks_are_planted_and_not_where_there_are_none() -> None:
    groups = np.tile(np.array([f"g{i // 2}" for i in range(8)]), len(BLOCKS))
    groups = np.char.add(np.repeat(np.array(CLASSES), 8), groups)
    assert stability(*planted(), groups, count=4) == 1.0
    assert stability(*planted(inside=1.0), groups, count=4) < 0.5
    one_group = np.repeat(np.array(CLASSES), 8)
    assert stability(*planted(), one_group, count=4) is None


def test_dogs_are_one_family_of_wordnets() -> None:
    dogs = ["n02085620", "n02085782", "n02099712", "n02113978"]
    others = ["n02123045", "n01514668", "n01910747", "n02666196", "n04613696"]
    families = from_wordnet(dogs + others).families
    assert families.members("dogs") == tuple(sorted(dogs))
    assert families.family_of["n02123045"] == "other mammals"
    assert families.family_of["n01910747"] == "other animals"
    assert families.family_of["n02666196"] == "artifacts"


def test_names_are_looked_up_and_strangers_are_other() -> None:
    families = from_wordnet(["Cat", "horse", "umbrella", "pizza", "zzz"]).families
    assert families.family_of["zzz"] == "other"
    assert families.family_of["pizza"] == "food"


def test_labels_that_wordnet_does_not_know_are_refused() -> None:
    with pytest.raises(DessinError, match="Fewer than half"):
        from_wordnet(["zzz", "yyy", "dog"])
