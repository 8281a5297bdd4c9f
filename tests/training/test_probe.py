from __future__ import annotations

import numpy as np
import pytest

from dessin.errors import DessinError
from dessin.training.linear import Kind
from dessin.training.probe import PENALTIES, WEAKER, fit_probe, inner_folds

KINDS: tuple[Kind, ...] = ("logistic", "ridge")


def blobs(images: int = 120, classes: int = 4, width: int = 20, *, spread: float = 0.6, seed: int = 0):
    """Features (2, N, D) of two views with their own mean and scale, labels and groups of three."""
    random = np.random.default_rng(seed)
    labels = (np.arange(images) // 3) % classes
    centres = np.random.default_rng(99).normal(size=(classes, width))
    views = centres[labels] + spread * random.normal(size=(2, images, width))
    scale, shift = np.exp(random.normal(size=width)), 5 * random.normal(size=width)
    groups = [f"photo {i // 3}" for i in range(images)]
    return (views * scale + shift).astype(np.float32), labels, groups


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_told_apart_is_told_apart(kind: Kind) -> None:
    features, labels, groups = blobs(240, spread=0.8)
    probe = fit_probe(features[:, :120], labels[:120], groups[:120], 4, kind=kind)
    probabilities = probe.probabilities(features[0, 120:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    right = probabilities.argmax(axis=1) == labels[120:]
    assert right.mean() > 0.9
    assert probabilities[np.arange(120), labels[120:]].mean() > 0.7, (
        "calibrated, so it is sure where it is right"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_input_gives_the_same_bytes(kind: Kind) -> None:
    first, second = (fit_probe(*blobs(), 4, kind=kind) for _ in range(2))
    assert first.weight.tobytes() == second.weight.tobytes()
    assert first.bias.tobytes() == second.bias.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_images_and_the_units_of_features_do_not_matter(kind: Kind) -> None:
    features, labels, groups = blobs()
    plain = fit_probe(features, labels, groups, 4, kind=kind)
    order = np.random.default_rng(1).permutation(len(labels))
    shuffled = fit_probe(features[:, order], labels[order], [groups[i] for i in order], 4, kind=kind)
    assert shuffled.penalty == plain.penalty
    expected = plain.probabilities(features[0])
    np.testing.assert_allclose(shuffled.probabilities(features[0]), expected, atol=0.02)
    scaled = fit_probe(features * 1000 + 7, labels, groups, 4, kind=kind)
    np.testing.assert_allclose(scaled.probabilities(features[0] * 1000 + 7), expected, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_in_one_group_cannot_vouch_for_each_other(kind: Kind) -> None:
    """A planted leak: noise in which every drawing has two copies. Groups keep the choice honest."""
    random = np.random.default_rng(0)
    labels = np.repeat(random.integers(0, 4, 50), 3)
    features = np.repeat(random.normal(size=(1, 50, 60)), 3, axis=1).astype(np.float32)
    grouped = fit_probe(features, labels, [f"g{i // 3}" for i in range(150)], 4, kind=kind)
    leaking = fit_probe(features, labels, [""] * 150, 4, kind=kind)
    assert max(accuracy for _, accuracy, _ in grouped.path) < 0.5
    assert max(accuracy for _, accuracy, _ in leaking.path) > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_view_alone_is_judged_and_all_are_learnt_from(kind: Kind) -> None:
    features, labels, groups = blobs(spread=0.3)
    noise = np.random.default_rng(3).normal(size=features[:1].shape).astype(np.float32) * 100
    probe = fit_probe(np.concatenate([features[:1], noise]), labels, groups, 4, kind=kind)
    plain = fit_probe(features[:1], labels, groups, 4, kind=kind)
    assert not np.allclose(probe.weight, plain.weight)
    copies = fit_probe(np.concatenate([features[:1]] * 3), labels, groups, 4, kind=kind)
    np.testing.assert_allclose(copies.probabilities(features[0]), plain.probabilities(features[0]), atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reason_names_what_was_seen(kind: Kind) -> None:
    probe = fit_probe(*blobs(), 4, kind=kind)
    tried = [penalty for penalty, _, _ in probe.path]
    assert tried == [*PENALTIES[kind], *WEAKER[kind]][: len(tried)]
    assert f"from {tried[0]:g} to {tried[-1]:g}" in probe.decision.reason
    best = max(accuracy for _, accuracy, _ in probe.path)
    assert {p: a for p, a, _ in probe.path}[probe.penalty] == best
    assert "120 training images" in probe.decision.reason


def faint(images: int = 240):
    """Views, labels and groups; the class is in the difference of columns that are nearly the same."""
    random = np.random.default_rng(0)
    labels = (np.arange(images) // 3) % 2
    common = random.normal(size=(images, 4))
    sign = 0.005 * ((2 * labels - 1) + 0.5 * random.normal(size=images))[:, None]
    features = np.concatenate([common + sign, common - sign], axis=1)[None]
    return features.astype(np.float32), labels, [f"photo {i // 3}" for i in range(images)]


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_weakest_is_chosen_weaker_ones_are_tried(kind: Kind) -> None:
    """A planted signal that any of the usual penalties shrinks away."""
    features, labels, groups = faint()
    usual = fit_probe(features, labels, groups, 2, kind=kind, weakest=PENALTIES[kind][-1])
    probe = fit_probe(features, labels, groups, 2, kind=kind)
    assert usual.penalty == PENALTIES[kind][-1]
    assert [penalty for penalty, _, _ in usual.path] == list(PENALTIES[kind])
    assert probe.penalty in WEAKER[kind]
    assert probe.path[: len(usual.path)] == usual.path
    accuracy = {penalty: found for penalty, found, _ in probe.path}
    assert accuracy[probe.penalty] > accuracy[usual.penalty] + 0.1
    said = "a weaker one might do better still" in probe.decision.reason
    assert said == (probe.penalty == WEAKER[kind][-1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [faint, blobs])
def test_the_penalty_that_was_chosen_gives_the_same_probe_again(kind: Kind, made) -> None:
    features, labels, groups = made()
    classes = int(labels.max()) + 1
    probe = fit_probe(features, labels, groups, classes, kind=kind)
    again = fit_probe(features, labels, groups, classes, kind=kind, weakest=probe.penalty)
    assert again.penalty == probe.penalty
    assert again.weight.tobytes() == probe.weight.tobytes()
    assert again.bias.tobytes() == probe.bias.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_more_features_than_images_and_a_constant_feature(kind: Kind) -> None:
    features, labels, groups = blobs(30, width=200)
    features[:, :, 5] = 3.0
    probe = fit_probe(features, labels, groups, 4, kind=kind)
    assert np.isfinite(probe.weight).all()
    assert (probe.logits(features[0]).argmax(axis=1) == labels).mean() > 0.9


def test_one_group_falls_back_to_the_usual_penalty_and_says_so() -> None:
    features, labels, _ = blobs(12)
    probe = fit_probe(features, labels, ["all"] * 12, 4)
    assert probe.penalty == 0.01
    assert "too few groups" in probe.decision.reason


def test_bad_input_is_said() -> None:
    features, labels, groups = blobs()
    with pytest.raises(DessinError, match="two classes"):
        fit_probe(features, np.zeros_like(labels), groups, 4)
    features[0, 3, 2] = np.nan
    with pytest.raises(DessinError, match="finite"):
        fit_probe(features, labels, groups, 4)


def test_inner_folds_keep_groups_whole_and_classes_even() -> None:
    _, labels, groups = blobs(360)
    folds = inner_folds(labels, groups, seed=0)
    assert set(folds) == {0, 1, 2}
    for group in set(groups):
        assert len({folds[i] for i in range(360) if groups[i] == group}) == 1
    for label in range(4):
        assert np.bincount(folds[labels == label]).tolist() == [30, 30, 30]
    order = np.random.default_rng(0).permutation(360)
    assert np.array_equal(inner_folds(labels[order], [groups[i] for i in order], 0), folds[order])
    assert not np.array_equal(inner_folds(labels, groups, 1), folds)
