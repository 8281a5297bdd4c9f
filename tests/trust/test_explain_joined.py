"""Maps of a head that reads several bodies: what each says adds up, and a silent one shows nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explain_kit import class_maps, noise

from dessin.models.classifier import Classifier, build_classifier
from dessin.models.weights import Weights
from dessin.trust.explain.maps import parts_alone, split_forward

pytestmark = pytest.mark.slow

SIDE = 64
FIRST, SECOND = "test_resnet", "test_vit2"


def weights_of(backbone: str) -> Weights:
    return Weights(backbone, "none", None, "", "none")


def joined() -> Classifier:
    torch.set_num_threads(1)
    beside = [weights_of(SECOND)]
    return build_classifier(FIRST, 3, weights_of(FIRST), beside=beside, image_size=SIDE).eval()


def test_the_parts_add_up_to_the_whole_and_leave_it_as_it_was() -> None:
    classifier, pixels = joined(), noise(SIDE)
    classifier.head.bias.data = torch.tensor([1.0, 2.0, 3.0])
    before, state = classifier.state_dict(), torch.random.get_rng_state()
    with torch.inference_mode():
        parts = [part(pixels) for part in parts_alone(classifier)]
        torch.testing.assert_close(sum(parts), classifier(pixels))
        looked = sum(split.logits for split in split_forward(classifier, pixels))
        torch.testing.assert_close(looked, classifier(pixels))
    assert torch.equal(torch.random.get_rng_state(), state)
    after = classifier.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.requires_grad for parameter in classifier.parameters())


@pytest.mark.parametrize("silent", [0, 1])
@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
def test_a_body_whose_columns_are_zero_adds_nothing(silent: int, method: str) -> None:
    classifier, pixels = joined(), noise(SIDE)
    width = classifier.encoders[0].width
    columns = slice(0, width) if silent == 0 else slice(width, None)
    with torch.no_grad():
        classifier.head.weight.abs_()
        classifier.head.weight[:, columns] = 0
    speaking = parts_alone(classifier)[1 - silent]
    whole, alone = (class_maps(one, pixels, [1, 2], method=method).values for one in (classifier, speaking))
    assert whole.max() > 0
    # The two grids differ, and a map on the finer one is smoother.
    assert np.corrcoef(whole.ravel(), alone.ravel())[0, 1] > 0.9
