"""What is said of probabilities: the likeliest classes, and each way of staying silent."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dessin.answers.committee import Committee
from dessin.answers.tree import ModelNode
from dessin.models.card import Rejection
from dessin.serving.runtime import Abstention, Answered, read_answers


def model(threshold: float = 0.0, rejection: Rejection | None = None) -> Committee:
    return Committee(
        name="model",
        classes=("a", "b", "c"),
        names={"b": "bee"},
        root=ModelNode(bundle="bundle"),
        threshold=threshold,
        rejection=rejection,
        licence="none",
    )


def answered(*rows: tuple[float, float, float], scores: NDArray[np.float64] | None = None) -> Answered:
    return Answered(np.array(rows, dtype=np.float32), scores)


def test_the_likeliest_come_first_with_their_names() -> None:
    first, second = read_answers(model(), answered((0.2, 0.5, 0.3), (0.6, 0.1, 0.3)), 2)
    assert [(one.label, one.name) for one in first.candidates] == [("b", "bee"), ("c", "c")]
    assert second.best.label == "a"
    assert second.best.probability == pytest.approx(0.6)
    assert (first.abstention, first.reason) == ("", "")


def test_equal_probabilities_keep_the_order_of_the_classes() -> None:
    (answer,) = read_answers(model(), answered((0.25, 0.375, 0.375)), 3)
    assert [one.label for one in answer.candidates] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("threshold", "score", "abstention"),
    [(0.4, 1.0, ""), (0.6, 1.0, "unsure"), (0.6, -1.0, "no_class"), (0.4, -1.0, "no_class"), (0.5, 0.0, "")],
)
def test_an_abstention_has_its_reason(threshold: float, score: float, abstention: Abstention) -> None:
    rejecting = model(threshold, Rejection(score="energy", threshold=0.0))
    (answer,) = read_answers(rejecting, answered((0.2, 0.5, 0.3), scores=np.array([score])), 1)
    assert answer.abstention == abstention
    assert bool(answer.reason) == bool(abstention)
    assert answer.best.label == "b"


def test_without_a_rejection_no_score_makes_it_abstain() -> None:
    (answer,) = read_answers(model(), answered((0.2, 0.5, 0.3)), 1)
    assert answer.abstention == ""
