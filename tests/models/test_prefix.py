"""A body in two halves is the body."""

from __future__ import annotations

import pytest
import torch

from dessin.models.card import Features
from dessin.models.classifier import build_classifier
from dessin.models.prefix import check_cut, cut_before
from dessin.models.weights import Weights

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("features", ["last", "several"])
@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "test_convnext", "test_mambaout"])
def test_the_halves_are_the_body_and_share_its_weights(backbone: str, features: Features) -> None:
    weights = Weights(backbone, "none", None, "", "none")
    classifier = build_classifier(backbone, 2, weights, image_size=64, features=features).eval()
    pixels = torch.rand(2, 3, 64, 64) * 255
    shapes = {stage: check_cut(cut_before(classifier, stage), pixels) for stage in (2, 3, 4)}
    assert [max(shape[1], min(shape)) for shape in shapes.values()] == [16, 8, 4]
    halves = cut_before(classifier, 3)
    own = {id(p) for p in classifier.body.parameters()}
    first, then = (set(map(id, half.parameters())) for half in (halves.first_body, halves.then_body))
    assert first | then == own
    assert not first & then
    with torch.no_grad():
        before = halves.then(halves.first(pixels))
        for parameter in classifier.body.parameters():
            parameter.mul_(1.1)
        assert not torch.allclose(halves.then(halves.first(pixels)), before)
