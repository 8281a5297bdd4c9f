from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import TinyNet
from torch import nn

from dessin import files
from dessin.errors import DessinError
from dessin.recipe import OptimizerSpec
from dessin.training.averaging import Averages
from dessin.training.checkpoint import Best, Checkpoints, TrainingState
from dessin.training.curve import CurveRow
from dessin.training.optimise import make_optimizer, set_learning_rate

pytestmark = pytest.mark.slow


def trained(steps: int, name: Any = "adamw") -> tuple[nn.Module, torch.optim.Optimizer, Averages]:
    model = TinyNet().eval()
    optimizer = make_optimizer(model, OptimizerSpec(name=name))  # type: ignore[arg-type]
    set_learning_rate(optimizer, 0.01)
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        loss = model(torch.rand(4, 3, 16, 16, generator=generator) * 255).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    averages = Averages(model, ema=True, mean=False)
    assert averages.ema is not None
    averages.ema.update(0.5)
    return model, optimizer, averages


def state_at(step: int, **values: Any) -> TrainingState:
    return TrainingState(fingerprint={"seed": "0"}, threads=1, step=step, **values)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_model_and_optimiser_come_back_in_value_and_memory_format(name: str, tmp_path: Path) -> None:
    model, optimizer, averages = trained(3, name)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state_at(3), model, optimizer, averages)
    other, fresh, empty = trained(0, name)
    state = checkpoints.latest()
    assert state is not None
    checkpoints.restore(state, other, fresh, empty)
    assert empty.tensors().keys() == averages.tensors().keys()
    for key, value in averages.tensors().items():
        assert torch.equal(value, empty.tensors()[key])
        assert value.stride() == empty.tensors()[key].stride()
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.stride() == theirs.stride()
        assert optimizer.state[mine].keys() == fresh.state[theirs].keys()
        for key, value in optimizer.state[mine].items():
            assert torch.equal(value, fresh.state[theirs][key])
            assert value.stride() == fresh.state[theirs][key].stride()


def test_the_state_comes_back_exactly(tmp_path: Path) -> None:
    row = CurveRow(
        epoch=1,
        step=3,
        train_loss=1 / 3,
        validation_loss=None,
        validation_accuracy=None,
        lr=1e-4,
        seconds=0.1,
    )
    state = state_at(4, loss_sum=0.1 + 0.2, seconds=1.5, curve=(row,))
    Checkpoints(tmp_path).save(state, *trained(1))
    found = Checkpoints(tmp_path).latest()
    assert found is not None
    assert found.model_copy(update={"digests": {}}) == state


def test_a_newer_checkpoint_replaces_the_older_and_its_litter(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    model, optimizer, averages = trained(1)
    checkpoints.save(state_at(1), model, optimizer, averages)
    (tmp_path / ".step-00000002.1-ab.tmp").mkdir()
    checkpoints.save_best(1, model)
    file, sha256 = checkpoints.save_best(2, model)
    best = Best(epoch=1, accuracy=0.5, loss=1.0, file=file, sha256=sha256)
    checkpoints.save(state_at(2, best=best), model, optimizer, averages)
    assert {path.name for path in tmp_path.iterdir()} == {"step-00000002", "best-00000002.safetensors"}


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path)
    model, optimizer, averages = trained(1)
    checkpoints.save(state_at(1), model, optimizer, averages)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync", full)
        with pytest.raises(DessinError, match="disk is full"):
            checkpoints.save(state_at(2), model, optimizer, averages)
    found = checkpoints.latest()
    assert found is not None
    assert found.step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "averages.safetensors", "state.json"]
)
def test_a_damaged_checkpoint_is_passed_over_for_an_older_one(name: str, tmp_path: Path) -> None:
    model, optimizer, averages = trained(1)
    Checkpoints(tmp_path / "older").save(state_at(1), model, optimizer, averages)
    checkpoints = Checkpoints(tmp_path / "checkpoint")
    checkpoints.save(state_at(2), model, optimizer, averages)
    (tmp_path / "older/step-00000001").rename(tmp_path / "checkpoint/step-00000001")
    damaged = tmp_path / "checkpoint/step-00000002" / name
    damaged.write_bytes(damaged.read_bytes()[:-40])
    found = checkpoints.latest()
    assert found is not None
    assert found.step == 1
    (tmp_path / "checkpoint/step-00000001" / name).unlink()
    with pytest.raises(DessinError, match="None of the 2 checkpoints"):
        checkpoints.latest()


def test_damaged_best_weights_are_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    model, *_ = trained(1)
    file, sha256 = checkpoints.save_best(1, model)
    best = Best(epoch=1, accuracy=0.5, loss=1.0, file=file, sha256=sha256)
    checkpoints.restore_best(best, model)
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(DessinError, match="not the ones that this run wrote"):
        checkpoints.restore_best(best, model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(value: float, tmp_path: Path) -> None:
    model, optimizer, averages = trained(1)
    name, tensor = next(iter(model.named_parameters()))
    tensor.data.fill_(value)
    checkpoints, state = Checkpoints(tmp_path), state_at(1)
    checkpoints.save(state, model, optimizer, averages)
    kept = checkpoints.latest()
    assert kept is not None
    with pytest.raises(DessinError, match=name):
        checkpoints.restore(kept, *trained(0))
    file, sha256 = checkpoints.save_best(1, model)
    with pytest.raises(DessinError, match=name):
        checkpoints.restore_best(Best(epoch=1, accuracy=0.5, loss=1.0, file=file, sha256=sha256), model)


def test_another_model_is_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    model, optimizer, averages = trained(1)
    checkpoints.save(state_at(1), model, optimizer, averages)
    state = checkpoints.latest()
    assert state is not None
    with pytest.raises(DessinError, match="of another model"):
        checkpoints.restore(state, nn.Linear(2, 2), optimizer, averages)


def test_other_averages_are_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    model, optimizer, averages = trained(1)
    checkpoints.save(state_at(1), model, optimizer, averages)
    state = checkpoints.latest()
    assert state is not None
    with pytest.raises(DessinError, match="averaged weights in the checkpoint are of another model"):
        checkpoints.restore(state, model, optimizer, Averages(model, ema=True, mean=True))


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).latest() is None
