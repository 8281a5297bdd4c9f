"""Class names beside drawings: planted directions help as far as they are true, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from dessin.errors import DessinError
from dessin.training.linear import Kind
from dessin.training.name_share import NAMES, SHARES
from dessin.training.probe import Floats, Probe, fit_probe, shared_probe

KINDS: tuple[Kind, ...] = ("logistic", "ridge")
CLASSES, WIDTH = 6, 40


def centres() -> Floats:
    """What is true of each class, (C, D)."""
    return np.random.default_rng(5).normal(size=(CLASSES, WIDTH)).astype(np.float32)


def drawings(a_class: int, *, seed: int = 0, spread: float = 2.0):
    """Features (1, N, D), labels and groups, of each class as many."""
    labels = np.arange(a_class * CLASSES) % CLASSES
    noise = spread * np.random.default_rng(seed).normal(size=(len(labels), WIDTH))
    features = (centres()[labels] + noise).astype(np.float32)[None]
    return features, labels, [f"photo {n}" for n in range(len(labels))]


def all_but_one():
    """Those of all classes but number 2."""
    features, labels, groups = drawings(12)
    drawn = labels != 2
    return features[:, drawn], labels[drawn], [groups[n] for n in np.flatnonzero(drawn)]


def right(probe: Probe, wanted: slice = slice(None)) -> float:
    features, labels, _ = drawings(200, seed=9)
    of = np.isin(labels, np.arange(CLASSES)[wanted])
    return float((probe.probabilities(features[0]).argmax(axis=1) == labels)[of].mean())


def share(probe: Probe) -> float:
    assert probe.names is not None
    return probe.names.value


@pytest.mark.parametrize("kind", KINDS)
def test_true_names_help_where_drawings_are_few(kind: Kind) -> None:
    plain = fit_probe(*drawings(4), CLASSES, kind=kind)
    helped = fit_probe(*drawings(4), CLASSES, kind=kind, named=centres())
    assert share(helped) > 0.3
    assert right(helped) > right(plain) + 0.1
    probabilities = helped.probabilities(drawings(200, seed=9)[0][0])
    confident = probabilities.max(axis=1)
    assert abs(confident.mean() - right(helped)) < 0.12, "calibrated with the names in it"


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_say_nothing_of_the_drawings_change_nothing(kind: Kind) -> None:
    other = np.random.default_rng(1).normal(size=(CLASSES, WIDTH)).astype(np.float32)
    plain = fit_probe(*drawings(40, spread=1.0), CLASSES, kind=kind)
    beside = fit_probe(*drawings(40, spread=1.0), CLASSES, kind=kind, named=other)
    assert share(beside) == 0.0
    assert beside.weight.tobytes() == plain.weight.tobytes()
    assert beside.bias.tobytes() == plain.bias.tobytes()
    assert beside.penalty == plain.penalty


def test_the_size_of_what_names_say_does_not_matter() -> None:
    one, thousand = (
        fit_probe(*drawings(4), CLASSES, named=(factor * centres()).astype(np.float32))
        for factor in (1, 1000)
    )
    assert share(one) == share(thousand)
    np.testing.assert_allclose(one.weight, thousand.weight, rtol=1e-3, atol=1e-5)


def test_what_names_say_of_every_drawing_does_not_count() -> None:
    """Far from the origin, where each name would have another part in all that is drawn."""
    features, labels, groups = drawings(4)
    away = (features + 50 * np.random.default_rng(7).normal(size=WIDTH)).astype(np.float32)
    near, far = (fit_probe(each, labels, groups, CLASSES, named=centres()) for each in (features, away))
    assert share(near) == share(far)
    np.testing.assert_allclose(near.probabilities(features[0]), far.probabilities(away[0]), atol=0.01)


def test_the_reason_says_what_either_side_reaches_alone() -> None:
    probe = fit_probe(*drawings(4), CLASSES, named=centres())
    assert probe.names is not None
    assert probe.names.name == NAMES
    assert f"of {len(SHARES)}; on 24 training images, each predicted from other groups" in probe.names.reason
    alone = max(accuracy for _, accuracy, _ in probe.path)
    assert f"drawings alone {alone:.1%}" in probe.names.reason
    assert [each.name for each in probe.decisions] == ["probe penalty", NAMES]


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_nothing_is_drawn_of_is_answered_by_its_name(kind: Kind) -> None:
    some = all_but_one()
    probe = fit_probe(*some, CLASSES, kind=kind, named=centres())
    assert share(probe) > 0
    assert right(probe, slice(2, 3)) > 0.5, "chance is a sixth"
    others = fit_probe(*drawings(12), CLASSES, kind=kind, named=centres())
    assert right(probe) > right(others) - 0.12
    assert np.isfinite(probe.weight).all()
    assert probe.names is not None
    assert "5 classes with drawings" in probe.names.reason
    # Names that mislead get no share, and the reason says that the class will not be answered.
    useless = fit_probe(*some, CLASSES, kind=kind, named=-centres())
    assert useless.names is not None
    assert share(useless) == 0.0
    assert "1 without (0.0% of classes that were left out in turn)" in useless.names.reason


def test_what_is_said_of_unseen_images_has_every_class() -> None:
    some = all_but_one()
    folds = np.arange(len(some[1])) % 3
    probe = fit_probe(*some, CLASSES, folds=folds, named=centres())
    assert probe.unseen is not None
    assert probe.unseen.shape == (len(some[1]), CLASSES)
    np.testing.assert_allclose(probe.unseen.sum(axis=1), 1, rtol=1e-5)
    plain = fit_probe(*some, CLASSES, folds=folds)
    assert plain.unseen is not None
    hits = [(each.argmax(axis=1) == some[1]).mean() for each in (probe.unseen, plain.unseen)]
    assert hits[0] > hits[1]


def test_a_share_that_cannot_be_chosen_is_none_or_refused() -> None:
    features, labels, _ = drawings(4)
    probe = fit_probe(features, labels, ["one"] * len(labels), CLASSES, named=centres())
    assert probe.names is not None
    assert share(probe) == 0.0
    assert "too few groups" in probe.names.reason
    with pytest.raises(DessinError, match=r"cannot be chosen: too few groups.*data\.zero_shot"):
        fit_probe(features, labels, ["one"] * len(labels), CLASSES + 1, named=np.eye(7, 40, dtype=np.float32))


def test_a_probe_with_names_is_kept_for_itself() -> None:
    """Among those that are computed once."""
    rows = drawings(4)
    plain, (penalty,) = shared_probe(*rows, CLASSES, seed=0)
    named, decisions = shared_probe(*rows, CLASSES, seed=0, named=centres())
    again, same = shared_probe(*rows, CLASSES, seed=0, named=centres())
    assert penalty == decisions[0]
    assert [each.name for each in decisions] == ["probe penalty", NAMES]
    assert named.weight.tobytes() == again.weight.tobytes() != plain.weight.tobytes()
    assert decisions == same
