from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dessin.errors import DessinError
from dessin.models.losses import check_loss, make_loss

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0], [1.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 2, 1])
TARGETS = functional.one_hot(LABELS, 3).float()


def test_cross_entropy_on_certain_targets_is_the_usual_one() -> None:
    torch.testing.assert_close(
        make_loss("cross_entropy")(LOGITS, TARGETS), functional.cross_entropy(LOGITS, LABELS)
    )


def test_label_smoothing_is_the_usual_one_and_nothing_at_zero() -> None:
    expected = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.1)
    torch.testing.assert_close(make_loss("label_smoothing(0.1)")(LOGITS, TARGETS), expected)
    torch.testing.assert_close(make_loss("label_smoothing(amount=0.1)")(LOGITS, TARGETS), expected)
    plain = make_loss("cross_entropy")(LOGITS, TARGETS)
    torch.testing.assert_close(make_loss("label_smoothing(0)")(LOGITS, TARGETS), plain)


def test_soft_targets_are_linear() -> None:
    loss = make_loss("cross_entropy")
    other = TARGETS.roll(1, dims=1)
    mixed = loss(LOGITS, 0.3 * TARGETS + 0.7 * other)
    torch.testing.assert_close(mixed, 0.3 * loss(LOGITS, TARGETS) + 0.7 * loss(LOGITS, other))


def test_bfloat16_logits_are_summed_in_float32() -> None:
    assert make_loss("cross_entropy")(LOGITS.bfloat16(), TARGETS).dtype == torch.float32


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
    ],
)
def test_wrong_arguments_are_refused(text: str) -> None:
    with pytest.raises(DessinError, match=r"label_smoothing|cross_entropy"):
        check_loss(text)


def test_the_spelling_is_canonical() -> None:
    assert check_loss(" label_smoothing( 0.10 ) ") == "label_smoothing(0.1)"
