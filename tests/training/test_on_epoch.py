"""Who asks for the rows of the curve gets each as soon as it is written, and again where a run goes on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tiny_training import TinyNet, make_settings, make_training
from torch import Tensor

from dessin.training.curve import CurveRow
from dessin.training.loop import fit
from dessin.training.outcome import Outcome


class StoppedError(Exception):
    pass


class Stopping(TinyNet):
    """Stops in the third epoch; an epoch is 5 steps and 2 batches of validation."""

    passes = 0

    def features(self, pixels: Tensor) -> Tensor:
        self.passes += 1
        if self.passes > 16:
            raise StoppedError
        return super().features(pixels)


def fit_tiny(
    folder: Path, told: list[CurveRow], *, model: TinyNet | None = None, resume: bool = False
) -> Outcome:
    def on_epoch(row: CurveRow) -> None:
        with (folder / "curve.csv").open() as file:
            assert int(list(csv.DictReader(file))[-1]["epoch"]) == row.epoch or resume
        told.append(row)

    return fit(
        make_training(model, make_settings(train={"epochs": 3, "average_last": 2})),
        folder,
        resume=resume,
        on_epoch=on_epoch,
    )


def test_every_row_is_told_once_and_in_order(tmp_path: Path) -> None:
    told: list[CurveRow] = []
    outcome = fit_tiny(tmp_path, told)
    assert tuple(told) == outcome.curve
    assert [(row.epoch, row.averaged) for row in told] == [(1, 0), (2, 0), (3, 0), (3, 2)]


def test_a_resumed_run_tells_everything_again(tmp_path: Path) -> None:
    before: list[CurveRow] = []
    with pytest.raises(StoppedError):
        fit_tiny(tmp_path, before, model=Stopping())
    after: list[CurveRow] = []
    outcome = fit_tiny(tmp_path, after, resume=True)
    assert [row.epoch for row in before] == [1, 2]
    assert tuple(after) == outcome.curve
    assert after[:2] == before
