from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import TinyNet, make_data, make_settings, make_training, run_tiny
from torch import Tensor, nn

from dessin.training.averaging import WeightAverage, ema_share
from dessin.training.candidates import averaged_at, estimate_statistics
from dessin.training.engine import make_engine
from dessin.training.step import Stepper

pytestmark = pytest.mark.slow


@pytest.fixture
def weights_seen(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The first layer's weights before training and after each step."""
    seen: list[Tensor] = []
    take = Stepper.take

    def watched(self: Stepper, *args: Any) -> Tensor:
        weight = self.classifier.body[0].weight
        if not seen:
            seen.append(weight.detach().clone())
        loss = take(self, *args)
        seen.append(weight.detach().clone())
        return loss

    monkeypatch.setattr(Stepper, "take", watched)
    return seen


def first_weights(model: nn.Module) -> Tensor:
    return model.body[0].weight.detach()


def test_an_average_moves_by_its_share_and_counters_are_copied() -> None:
    model = TinyNet()
    average = WeightAverage(model)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.add_(4)
    average.update(0.25)
    start = TinyNet().state_dict()
    for name, tensor in average.tensors.items():
        moved = 1.0 if tensor.is_floating_point() else 4
        torch.testing.assert_close(tensor, start[name] + moved)


def test_in_place_exchanges_and_gives_back_to_the_byte() -> None:
    model = TinyNet()
    average = WeightAverage(model)
    with torch.no_grad():
        first_weights(model).mul_(1.1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with average.in_place():
        assert torch.equal(first_weights(model), first_weights(TinyNet()))
        model.body[1].running_mean.fill_(3.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert (average.tensors["body.1.running_mean"] == 3.0).all()


def test_the_decay_is_warmed_up() -> None:
    assert [1 - ema_share(0.99, step) for step in (0, 1, 8)] == pytest.approx([0.1, 2 / 11, 0.5])
    assert 1 - ema_share(0.99, 10_000) == pytest.approx(0.99)


def test_the_moving_average_is_what_is_validated_and_kept(tmp_path: Path, weights_seen: list[Tensor]) -> None:
    recipe = make_settings(train={"ema": 0.8, "epochs": 1})
    model, outcome = run_tiny(tmp_path / "ema", recipe=recipe)
    by_hand = weights_seen[0].double()
    for step, weight in enumerate(weights_seen[1:]):
        decay = min(0.8, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * weight.double()
    torch.testing.assert_close(first_weights(model).double(), by_hand, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(first_weights(model), weights_seen[-1], rtol=1e-3)
    data = make_data()
    with torch.inference_mode():
        logits = model(torch.from_numpy(data.store.pixels[data.validation_rows]))
    accuracy = (logits.argmax(1).numpy() == data.validation_labels).mean()
    assert outcome.curve[-1].validation_accuracy == pytest.approx(accuracy)
    assert any(d.name == "weights kept" and "moving average" in d.reason for d in outcome.decisions)


@pytest.mark.parametrize("validation", [9, 0])
def test_the_mean_of_the_last_epochs_is_one_more_candidate(
    validation: int, tmp_path: Path, weights_seen: list[Tensor]
) -> None:
    recipe = make_settings(train={"average_last": 3, "epochs": 4})
    model, outcome = run_tiny(tmp_path, recipe=recipe, data=make_data(validation=validation))
    assert [(row.epoch, row.averaged) for row in outcome.curve] == [(1, 0), (2, 0), (3, 0), (4, 0), (4, 3)]
    by_hand = torch.stack([weights_seen[step] for step in (10, 15, 20)]).mean(0)
    tensors = final_mean(tmp_path)
    torch.testing.assert_close(tensors["mean.body.0.weight"], by_hand.contiguous(), rtol=1e-5, atol=1e-7)
    if not validation:
        assert outcome.averaged == 3
        torch.testing.assert_close(first_weights(model), by_hand, rtol=1e-5, atol=1e-7)
        assert torch.equal(model.body[1].running_mean, tensors["mean.body.1.running_mean"])


def test_the_mean_is_kept_where_it_is_the_best(tmp_path: Path, weights_seen: list[Tensor]) -> None:
    """At a rate that makes the weights jump about, their mean is better than any of them."""
    data = make_data(60, 30)
    recipe = make_settings(
        train={"average_last": 6, "epochs": 10, "select_by": "loss"},
        optimizer={"lr": 0.3, "schedule": "constant", "name": "sgd"},
    )
    model, outcome = run_tiny(tmp_path, recipe=recipe, data=data)
    losses = [row.validation_loss for row in outcome.curve]
    assert min(losses) == losses[-1]
    assert (outcome.best_epoch, outcome.averaged) == (10, 6)
    mean = torch.stack([weights_seen[12 * epoch] for epoch in range(5, 11)]).mean(0)
    torch.testing.assert_close(first_weights(model), mean, rtol=1e-5, atol=1e-6)


def final_mean(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    (path,) = folder.glob("checkpoint/step-*/averages.safetensors")
    return load_file(path)


@pytest.mark.parametrize(("epoch", "count"), [(0, 0), (7, 0), (8, 1), (10, 3)])
def test_the_mean_begins_so_that_it_ends_with_enough(epoch: int, count: int) -> None:
    assert averaged_at(make_settings(train={"epochs": 10, "average_last": 3}), epoch) == count
    assert averaged_at(make_settings(train={"epochs": 10}), epoch) == 0


def test_statistics_are_those_of_the_training_images_and_frozen_ones_stay() -> None:
    for asked in ("train", "frozen"):
        recipe = make_settings(augment=[], finetune={"batch_norm": asked})
        engine = make_engine(make_training(recipe=recipe, batch_size=12))
        norm = engine.classifier.body[1]
        estimate_statistics(engine, epoch=0)
        pixels = torch.from_numpy(np.asarray(engine.data.store.pixels[:24])).float()
        with torch.no_grad():
            expected = engine.classifier.body[0](pixels / 128 - 1).mean(dim=(0, 2, 3))
        close = torch.allclose(norm.running_mean, expected, rtol=1e-3, atol=1e-4)
        assert close == (asked == "train")
        assert norm.momentum == 0.1
