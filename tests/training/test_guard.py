from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom
from tiny_training import make_data, make_settings, run_tiny

from dessin.errors import DessinError
from dessin.models.losses import make_loss
from dessin.training.curve import CurveRow
from dessin.training.guard import Chance, Collapsed, chance_of, check_collapse, check_finite


def chance(classes: int = 125, count: int = 689, loss: str = "cross_entropy") -> Chance:
    validation = np.arange(count) % classes
    return chance_of(validation, np.arange(20 * classes) % classes, classes, make_loss(loss), None)


def curve_of(
    losses: list[float], accuracies: list[float], steps: int = 50, validation_loss: float = 6.0
) -> list[CurveRow]:
    return [
        CurveRow(
            epoch=epoch,
            step=epoch * steps,
            train_loss=loss,
            validation_loss=validation_loss,
            validation_accuracy=accuracy,
            lr=0.1,
            seconds=0.0,
        )
        for epoch, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), start=1)
    ]


def collapses(losses: list[float], accuracies: list[float], epochs: int = 10, **changes: Any) -> bool:
    try:
        check_collapse(
            curve_of(losses, accuracies, changes.get("steps", 50), changes.get("validation_loss", 6.0)),
            changes.get("chance", chance()),
            epochs=epochs,
            rise_steps=changes.get("rise_steps", 5),
        )
    except Collapsed:
        return True
    return False


LOG_C = math.log(125)


@pytest.mark.parametrize(
    ("losses", "accuracies", "expected"),
    [
        # Exploded, and at the same answer for everything.
        ([210.0, 37.0], [0.008, 0.008], True),
        # Exploded, and every epoch less so, but far above knowing nothing.
        ([210.0, 90.0, 30.0], [0.008, 0.008, 0.008], True),
        # Exploded, and back at knowing nothing, from above (seen with lite0 on doodles at a rate of 1).
        ([31.0, 5.2, 4.9, 4.87], [0.008, 0.008, 0.008, 0.008], True),
        # Nothing moves.
        ([LOG_C, LOG_C + 0.001], [0.008, 0.008], True),
        ([4.84, 4.85, 4.83], [0.008, 0.01, 0.006], True),
        # It was fine, then it blew up.
        ([3.1, 9.0, 4.84], [0.2, 0.008, 0.008], True),
        # One bad epoch is not two in a row.
        ([210.0], [0.008], False),
        ([3.1, 9.0], [0.2, 0.008], False),
        # Slow but healthy: at chance after two epochs, and the loss falls.
        ([4.83, 4.6], [0.008, 0.01], False),
        ([4.83, 4.81], [0.008, 0.01], False),
        ([4.86, 4.83, 4.80, 4.77], [0.008, 0.006, 0.01, 0.01], False),
        # Label smoothing's loss is high, and this is no chance.
        ([4.9, 4.9], [0.05, 0.07], False),
        # It learns by heart: another failure, and not for a lower rate to cure.
        ([3.0, 1.0], [0.008, 0.008], False),
    ],
)
def test_collapse_is_told_from_slowness(losses: list[float], accuracies: list[float], expected: bool) -> None:
    assert collapses(losses, accuracies) == expected


def test_a_validation_loss_that_has_fallen_is_knowledge_too() -> None:
    noisy = ([4.83, 4.86], [0.008, 0.008])
    assert collapses(*noisy, validation_loss=4.83)
    assert not collapses(*noisy, validation_loss=4.7)


def test_the_last_epoch_is_enough() -> None:
    assert collapses([9.0], [0.008], epochs=1)
    assert not collapses([4.6], [0.008], epochs=1)


def test_a_run_is_not_judged_before_the_rate_is_up() -> None:
    assert not collapses([9.0, 9.0], [0.008, 0.008], rise_steps=60)
    assert collapses([9.0, 9.0, 9.0], [0.008, 0.008, 0.008], rise_steps=60)


def test_a_short_run_that_ends_exploded_has_come_to_nothing() -> None:
    short = {"steps": 12, "epochs": 1}
    assert collapses([30.0], [0.008], validation_loss=30.0, **short)
    assert not collapses([30.0], [0.008], validation_loss=5.0, **short), "its validation loss is no explosion"
    assert not collapses([5.0], [0.008], validation_loss=30.0, **short), "its training loss is none"
    assert not collapses([30.0], [0.5], validation_loss=30.0, **short), "it knows half of them"
    assert not collapses([30.0], [0.008], validation_loss=30.0, steps=12, epochs=2), "it has not ended"
    few = chance(classes=3, count=9)
    assert collapses([30.0], [1 / 3], validation_loss=30.0, chance=few, **short), "the losses tell enough"


def test_too_few_validation_images_say_nothing() -> None:
    few = chance(classes=3, count=9)
    assert not few.telling
    assert not collapses([9.0, 9.0], [1 / 3, 1 / 3], chance=few)
    assert chance(classes=3, count=60).telling


def test_the_interval_is_the_exact_one() -> None:
    found = chance()
    inside = binom.cdf(found.high, 689, 1 / 125) - binom.cdf(found.low - 1, 689, 1 / 125)
    narrower = binom.cdf(found.high - 1, 689, 1 / 125) - binom.cdf(found.low - 1, 689, 1 / 125)
    assert inside >= 0.999
    assert narrower < 0.9995
    assert found.covers(1 / 125)
    assert not found.covers(0.03)


def test_always_the_same_answer_is_chance_however_uneven_the_classes() -> None:
    labels = np.repeat([0, 1], [80, 20])
    found = chance_of(labels, labels, 2, make_loss("cross_entropy"), None)
    assert found.covers(0.8)
    assert found.covers(0.2)
    assert not found.covers(0.9)
    # The best constant answer has the entropy of the classes.
    assert found.loss == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("cross_entropy", LOG_C),
        ("label_smoothing(0.1)", LOG_C),
        ("focal(2)", LOG_C * (1 - 1 / 125) ** 2),
        ("triplet(0.3)", LOG_C + 0.3),
    ],
)
def test_knowing_nothing_is_measured_on_the_scale_of_the_loss(loss: str, expected: float) -> None:
    assert chance(loss=loss).loss == pytest.approx(expected, rel=1e-4)


def test_class_weights_make_the_even_answer_the_constant_one() -> None:
    labels = np.repeat([0, 1], [80, 20])
    weights = torch.tensor([100 / 160, 100 / 40])
    found = chance_of(labels, labels, 2, make_loss("cross_entropy"), weights)
    assert found.loss == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_carries_its_evidence(value: float) -> None:
    with pytest.raises(Collapsed, match=r"became (nan|inf) at step 7, in epoch 2") as caught:
        check_finite(value, "training", epoch=2, step=7, rate=0.3, curve=curve_of([1.0], [0.5]))
    assert caught.value.evidence | {"reason": "not finite", "step": 7, "lr": 0.3} == caught.value.evidence
    json.dumps(caught.value.evidence, allow_nan=False)
    assert len(caught.value.curve) == 1


# The real loop: 60 drawings of bars to train on, 60 to validate on.
def planted(tmp_path: Path, lr: float, **changes: Any) -> Any:
    values = {"optimizer": {"lr": lr, "schedule": "constant"}, "train": {"epochs": 6}} | changes
    return run_tiny(tmp_path, data=make_data(60, 60), recipe=make_settings(**values))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_learning_rate_of_ten_is_caught(name: str, tmp_path: Path) -> None:
    with pytest.raises(Collapsed) as caught:
        planted(tmp_path, 10.0, optimizer={"lr": 10.0, "schedule": "constant", "name": name})
    evidence = caught.value.evidence
    assert evidence["reason"] in ("at chance", "not finite")
    assert evidence["lr"] == 10.0
    json.dumps(evidence, allow_nan=False)
    assert len(caught.value.curve) < 6
    assert "Lower optimizer.lr" in str(caught.value)


def test_an_explosion_within_a_dozen_steps_is_caught(tmp_path: Path) -> None:
    wild = {"lr": 10.0, "schedule": "constant", "name": "sgd"}
    with pytest.raises(Collapsed) as caught:
        planted(tmp_path, 10.0, optimizer=wild, train={"epochs": 1, "batch_size": 5})
    evidence = caught.value.evidence
    assert evidence["step"] <= 12
    assert evidence["reason"] in ("at chance", "not finite")


def test_a_slow_but_healthy_run_is_not_caught(tmp_path: Path) -> None:
    _, outcome = planted(tmp_path, 3e-4)
    low, high = chance(3, 60).interval
    assert low <= outcome.curve[1].validation_accuracy <= high, "slow enough to be mistaken"
    assert outcome.epochs == 6


@pytest.mark.parametrize(
    "changes", [{"train": {"early_stop": 2}}, {"optimizer": {"schedule": "plateau"}}], ids=str
)
def test_what_waits_for_validation_is_refused_without_it(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="no validation images"):
        run_tiny(tmp_path, data=make_data(validation=0), recipe=make_settings(**changes))
