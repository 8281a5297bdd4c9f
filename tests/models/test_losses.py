from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from dessin.errors import DessinError
from dessin.models.losses import check_loss, class_weights, make_loss, mean_loss
from dessin.models.torchvision_ops import import_timm

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0], [1.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 2, 1])
TARGETS = functional.one_hot(LABELS, 3).float()
FEATURES = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 2.0]])
ALL = ["cross_entropy", "label_smoothing(0.1)", "focal(2)", "focal(0.5)", "asymmetric(1, 4)", "triplet(0.3)"]


def test_cross_entropy_on_certain_targets_is_the_usual_one() -> None:
    torch.testing.assert_close(
        make_loss("cross_entropy")(LOGITS, TARGETS),
        functional.cross_entropy(LOGITS, LABELS, reduction="none"),
    )


def test_label_smoothing_is_the_usual_one_and_nothing_at_zero() -> None:
    expected = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(make_loss("label_smoothing(0.1)")(LOGITS, TARGETS), expected)
    torch.testing.assert_close(make_loss("label_smoothing(amount=0.1)")(LOGITS, TARGETS), expected)
    plain = make_loss("cross_entropy")(LOGITS, TARGETS)
    torch.testing.assert_close(make_loss("label_smoothing(0)")(LOGITS, TARGETS), plain)


def test_focal_is_cross_entropy_times_a_power_of_what_is_missing() -> None:
    # Two classes and logits 0 and log 3: p = 1/4 and 3/4.
    logits = torch.tensor([[0.0, math.log(3.0)]]).repeat(2, 1)
    found = make_loss("focal(2)")(logits, torch.eye(2))
    torch.testing.assert_close(found, torch.tensor([0.75**2 * math.log(4.0), 0.25**2 * math.log(4.0 / 3.0)]))
    torch.testing.assert_close(
        make_loss("focal(0)")(LOGITS, TARGETS), make_loss("cross_entropy")(LOGITS, TARGETS)
    )


@pytest.mark.parametrize(("pos", "neg"), [(0, 4), (1, 2), (0, 0), (2.5, 0)])
def test_asymmetric_on_certain_targets_is_the_reference(pos: float, neg: float) -> None:
    import_timm()
    from timm.loss import AsymmetricLossSingleLabel

    reference = AsymmetricLossSingleLabel(gamma_pos=pos, gamma_neg=neg, reduction="none")
    torch.testing.assert_close(
        make_loss(f"asymmetric({pos}, {neg})")(LOGITS, TARGETS),
        reference(LOGITS, LABELS),
        atol=1e-6,
        rtol=1e-5,
    )


def test_the_exponent_of_other_classes_does_something() -> None:
    weak, strong = (make_loss(f"asymmetric(0, {gamma})")(LOGITS, TARGETS) for gamma in (0, 4))
    assert (strong < weak).all()


def test_triplet_is_cross_entropy_and_the_hardest_pair() -> None:
    # Unit features at 0°, 53.13° and 90°: distances² are 2 - 2 cos, and the third is scaled to length 1.
    targets = functional.one_hot(torch.tensor([0, 0, 1]), 3).float()
    near, far, across = (math.sqrt(2 - 2 * cosine) for cosine in (0.6, 0.8, 0.0))
    expected = [near - across + 0.3, near - far + 0.3, 0.0]  # The third has no partner.
    plain = make_loss("cross_entropy")(LOGITS, targets)
    found = make_loss("triplet(0.3)")(LOGITS, targets, FEATURES) - plain
    torch.testing.assert_close(found, torch.tensor(expected).clamp(min=0.0), atol=1e-6, rtol=1e-5)
    alone = make_loss("triplet(0.3)")(LOGITS, targets[:1].expand(3, -1), FEATURES)
    torch.testing.assert_close(alone, make_loss("cross_entropy")(LOGITS, targets[:1].expand(3, -1)))


def test_triplet_takes_the_largest_target_and_needs_features() -> None:
    loss = make_loss("triplet(0.3)")
    assert loss.needs_features
    assert not make_loss("focal(2)").needs_features
    soft = 0.8 * TARGETS + 0.2 / 3
    pull = loss(LOGITS, soft, FEATURES) - make_loss("cross_entropy")(LOGITS, soft)
    certain = loss(LOGITS, TARGETS, FEATURES) - make_loss("cross_entropy")(LOGITS, TARGETS)
    torch.testing.assert_close(pull, certain)
    with pytest.raises(ValueError, match="needs the features"):
        loss(LOGITS, TARGETS)


@pytest.mark.parametrize("text", ["cross_entropy", "label_smoothing(0.1)", "focal(2)"])
def test_soft_targets_are_linear(text: str) -> None:
    loss = make_loss(text)
    other = TARGETS.roll(1, dims=1)
    mixed = loss(LOGITS, 0.3 * TARGETS + 0.7 * other)
    torch.testing.assert_close(mixed, 0.3 * loss(LOGITS, TARGETS) + 0.7 * loss(LOGITS, other))


@pytest.mark.parametrize("text", ALL)
def test_the_gradient_is_that_of_the_value(text: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    features = torch.randn(6, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.softmax(3 * torch.randn(6, 4, dtype=torch.float64, generator=generator), dim=1)
    targets[:4] = functional.one_hot(torch.tensor([0, 0, 1, 1]), 4).double()
    assert torch.autograd.gradcheck(lambda x, f: make_loss(text)(x, targets, f), (logits, features))


@pytest.mark.parametrize("text", ALL)
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_logits_give_finite_values_and_gradients(text: str, size: float, dtype: torch.dtype) -> None:
    logits = torch.tensor([[size, 0.0, 0.0], [0.0, size, 0.0], [size, size, size]], dtype=dtype)
    logits.requires_grad_()
    # Two images of a class with the very same features: their distance is 0.
    features = torch.ones(3, 2, dtype=dtype, requires_grad=True)
    targets = functional.one_hot(torch.tensor([0, 0, 1]), 3).float()
    values = make_loss(text)(logits, targets, features)
    assert values.shape == (3,)
    assert values.dtype == torch.float32
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert features.grad is None or bool(features.grad.isfinite().all())


@pytest.mark.parametrize("text", ALL)
def test_no_image_is_worse_for_being_right(text: str) -> None:
    right = make_loss(text)(20 * TARGETS, TARGETS, FEATURES)
    wrong = make_loss(text)(20 * TARGETS.roll(1, dims=1), TARGETS, FEATURES)
    assert (right < wrong).all()


def test_balanced_weights_give_every_class_the_same_say() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    weights = class_weights(labels, 4, "balanced")
    torch.testing.assert_close(weights, torch.tensor([6 / 12, 6 / 4, 6 / 8, 0.0]))
    assert torch.equal(class_weights(labels, 4, "none"), torch.ones(4))
    with pytest.raises(DessinError, match="balanced"):
        class_weights(labels, 4, "balance")


def test_the_mean_counts_an_image_as_its_classes_do() -> None:
    values, weights = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 3.0, 5.0])
    targets = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.5, 0, 0.5]])
    expected = (1 * 1 + 3 * 2 + 3 * 4) / (1 + 3 + 3)
    torch.testing.assert_close(mean_loss(values, targets, weights), torch.tensor(expected))
    torch.testing.assert_close(mean_loss(values, targets, None), values.mean())
    weighted = functional.cross_entropy(LOGITS, LABELS, weight=weights)
    torch.testing.assert_close(
        mean_loss(make_loss("cross_entropy")(LOGITS, TARGETS), TARGETS, weights), weighted
    )


def test_an_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(DessinError, match='Did you mean "cross_entropy"'):
        check_loss("cross_entrpy")


@pytest.mark.parametrize(
    "text",
    [
        "label_smoothing",
        "label_smoothing(1.0)",
        "label_smoothing(-0.1)",
        "label_smoothing(0.1, 0.2)",
        "label_smoothing(0.1, amount=0.1)",
        "label_smoothing(strength=0.1)",
        "label_smoothing(much)",
        "label_smoothing(True)",
        "cross_entropy(1)",
        "focal(-1)",
        "focal(1e999)",
        "asymmetric(4)",
        "triplet(margin)",
    ],
)
def test_wrong_arguments_are_refused(text: str) -> None:
    with pytest.raises(DessinError, match=text.partition("(")[0]):
        check_loss(text)


def test_the_spelling_is_canonical() -> None:
    assert check_loss(" label_smoothing( 0.10 ) ") == "label_smoothing(0.1)"
    assert check_loss("asymmetric(0, gamma_neg=4)") == "asymmetric(0, gamma_neg=4)"


def test_reading_a_name_does_not_import_torch() -> None:
    code = "import sys; from dessin.models.losses import check_loss; check_loss('focal(2)'); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
