from __future__ import annotations

import pytest
import torch

from dessin.errors import DessinError
from dessin.models.card import HeadKind
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.heads import CosineHead, MlpHead
from dessin.models.weights import Weights

TINY = "test_resnet"
GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(5, 12, generator=GENERATOR)
BIAS = torch.randn(5, generator=GENERATOR)
FEATURES = torch.randn(200, 12, generator=GENERATOR) + 1.0
LINEAR = FEATURES @ WEIGHT.T + BIAS


def make(head: HeadKind, seed: int = 0) -> Classifier:
    return build_classifier(TINY, 4, Weights(TINY, "none", None, "", "none"), head=head, seed=seed).eval()


def test_an_mlp_begins_exactly_as_the_linear_head_and_can_leave_it() -> None:
    head = MlpHead(12, 5)
    head.start(WEIGHT, BIAS)
    torch.testing.assert_close(head(FEATURES), LINEAR, atol=1e-5, rtol=1e-5)
    head(FEATURES).logsumexp(dim=1).sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in head.parameters())


def test_a_cosine_head_counts_directions_only() -> None:
    head = CosineHead(12, 5)
    head.start(WEIGHT, BIAS)
    logits = head(FEATURES)
    torch.testing.assert_close(logits, head(7.0 * FEATURES))
    expected = torch.cosine_similarity(FEATURES[:, None], WEIGHT[None], dim=2) * head.scale
    torch.testing.assert_close(logits, expected)
    head.start(torch.arange(1.0, 6.0)[:, None] * WEIGHT, BIAS)
    torch.testing.assert_close(head(FEATURES), logits)


def test_a_cosine_head_comes_nearer_with_features() -> None:
    agreement = {}
    for near in (False, True):
        head = CosineHead(12, 5)
        head.start_near(WEIGHT, BIAS, FEATURES) if near else head.start(WEIGHT, BIAS)
        agreement[near] = float((head(FEATURES).argmax(1) == LINEAR.argmax(1)).float().mean())
    assert agreement[True] >= 0.85
    assert agreement[True] > agreement[False]


def test_a_cosine_head_that_can_be_exact_is() -> None:
    # Rows of one length, no bias, features of one length: the linear head is a cosine head.
    rows = torch.nn.functional.normalize(WEIGHT) * 3.0
    unit = torch.nn.functional.normalize(FEATURES) * 2.0
    centred = rows - rows.mean(dim=0)
    head = CosineHead(12, 5)
    head.start_near(rows, torch.zeros(5), unit)
    with torch.no_grad():
        found = head.scale * torch.nn.functional.normalize(head.weight)
    # The least squares shrink by the ridge, and the rows come back centred; their directions agree.
    assert torch.cosine_similarity(found, centred, dim=1).min() > 0.99


@pytest.mark.parametrize("head", ["linear", "cosine", "mlp"])
def test_a_classifier_starts_any_head_from_a_linear_one(head: HeadKind) -> None:
    classifier = make(head)
    assert (classifier.classes, classifier.head_kind) == (4, head)
    pixels = torch.rand(30, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255
    with torch.inference_mode():
        features = classifier.features(pixels)
        weight = torch.randn(4, classifier.width, generator=torch.Generator().manual_seed(2))
        linear = features @ weight.T + 1.0
        classifier.start_head(weight, torch.ones(4), features)
        found = classifier(pixels)
    if head == "cosine":
        assert (found.argmax(1) == linear.argmax(1)).float().mean() > 0.8
    else:
        torch.testing.assert_close(found, linear, atol=1e-4, rtol=1e-4)
    with pytest.raises(DessinError, match="does not fit"):
        classifier.start_head(weight[:2], torch.ones(2))


@pytest.mark.parametrize("head", ["linear", "cosine", "mlp"])
def test_a_new_head_is_drawn_from_the_seed(head: HeadKind) -> None:
    first, again, other = (make(head, seed).head.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
