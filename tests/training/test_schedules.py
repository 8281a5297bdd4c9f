from __future__ import annotations

import itertools
import math

import pytest

from dessin.errors import DessinError
from dessin.recipe import OptimizerSpec
from dessin.training.curve import CurveRow
from dessin.training.optimise import Schedule, make_schedule, warmup_steps_of


def row(epoch: int, loss: float | None, averaged: int = 0) -> CurveRow:
    return CurveRow(
        epoch=epoch,
        step=epoch,
        train_loss=1.0,
        validation_loss=loss,
        validation_accuracy=None,
        lr=0.1,
        seconds=0.0,
        averaged=averaged,
    )


@pytest.mark.parametrize("name", ["cosine", "step", "plateau", "constant"])
def test_the_warm_up_rises_evenly_to_the_peak(name) -> None:
    rates = [Schedule(name, 2.0, 4, 24).rate(step) for step in range(5)]
    assert rates == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])


def test_cosine_falls_by_half_a_cosine() -> None:
    rates = [Schedule("cosine", 1.0, 4, 24).rate(step) for step in range(24)]
    assert rates[14] == pytest.approx(0.5)
    assert all(a > b > 0 for a, b in itertools.pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 19 / 20)))


def test_without_warm_up_it_starts_at_the_peak() -> None:
    assert Schedule("cosine", 0.3, 0, 1).rate(0) == 0.3


def test_step_divides_by_ten_at_a_half_and_at_three_quarters() -> None:
    rates = [Schedule("step", 1.0, 0, 20).rate(step) for step in range(20)]
    assert rates == pytest.approx([1.0] * 10 + [0.1] * 5 + [0.01] * 5)


def test_constant_stays() -> None:
    assert {Schedule("constant", 0.7, 2, 20).rate(step) for step in range(2, 20)} == {0.7}


def test_one_cycle_rises_over_three_tenths_and_ends_at_a_ten_thousandth() -> None:
    schedule = Schedule("one_cycle", 1.0, 0, 101)
    rates = [schedule.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[15] == pytest.approx(0.52)
    assert rates[30] == max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1e-4)
    assert all(a < b for a, b in itertools.pairwise(rates[:31]))
    assert all(a > b for a, b in itertools.pairwise(rates[30:]))
    assert schedule.rise_steps == 30


def test_one_cycle_of_a_single_step() -> None:
    assert Schedule("one_cycle", 1.0, 0, 1).rate(0) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("losses", "divisor"),
    [
        ([], 1),
        ([1.0, 0.9, 0.8], 1),
        ([1.0, 1.1], 1),
        ([1.0, 1.1, 1.0], 3),
        ([1.0, 1.1, 0.9, 0.95], 1),
        ([1.0, 1.1, 1.2, 0.9, 1.0, 1.0], 9),
        ([1.0, 1.0, 1.0, 1.0, 1.0], 9),
    ],
)
def test_plateau_divides_by_three_after_two_epochs_without_a_better_loss(
    losses: list[float], divisor: int
) -> None:
    curve = [row(number, loss) for number, loss in enumerate(losses, start=1)]
    assert Schedule("plateau", 1.0, 2, 100).rate(50, curve) == pytest.approx(1 / divisor)


def test_plateau_does_not_count_averages_and_unmeasured_epochs() -> None:
    curve = [row(1, 1.0), row(2, 1.1), row(2, 1.2, averaged=2), row(3, None)]
    assert Schedule("plateau", 1.0, 0, 100).rate(50, curve) == 1.0


def test_warm_up_is_counted_in_steps_and_must_end() -> None:
    assert warmup_steps_of(OptimizerSpec(warmup_epochs=0.5), 10, 5) == 5
    with pytest.raises(DessinError, match="warm-up of 3 epochs is as long as the training of 3"):
        warmup_steps_of(OptimizerSpec(warmup_epochs=3), 10, 3)
    assert warmup_steps_of(OptimizerSpec(schedule="one_cycle", warmup_epochs=3), 10, 3) == 0


def test_a_schedule_is_made_from_the_recipe() -> None:
    made = make_schedule(OptimizerSpec(schedule="step", warmup_epochs=0.5), 0.1, 10, 4)
    assert made == Schedule("step", 0.1, 5, 40)
