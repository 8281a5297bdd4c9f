"""A step with each of its ingredients: what it changes, and that it is nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import CLASSES, TinyNet, make_data, make_settings, make_training, run_tiny
from torch import Tensor
from torch.nn import functional

from dessin.errors import DessinError
from dessin.training.engine import Engine, make_engine
from dessin.training.step import make_forward

pytestmark = pytest.mark.slow


def engine_of(batch_size: int = 8, *, noise: bool = False, model: Any = None, **changes: Any) -> Engine:
    engine = make_engine(
        make_training(model or TinyNet(noise=noise), make_settings(**changes), batch_size=batch_size)
    )
    engine.train_mode()
    return engine


def gradients_after(engine: Engine, rate: float = 0.0, step: int = 0) -> Tensor:
    """All gradients that the optimiser saw in one step, as one vector."""
    parts = next(engine.steps(0, step))
    engine.stepper.take(step, rate, parts)
    return torch.cat([p.grad.flatten() for p in engine.classifier.parameters() if p.grad is not None])


def images_of(engine: Engine) -> tuple[Tensor, Tensor]:
    pairs = [engine.stepper.inputs(part) for part in next(engine.steps(0))]
    return torch.cat([pixels for pixels, _ in pairs]), torch.cat([targets for _, targets in pairs])


@pytest.mark.parametrize(
    "changes",
    [{}, {"train": {"class_weights": "balanced"}}, {"loss": "focal(2)"}],
    ids=["plain", "class weights", "focal"],
)
def test_accumulated_batches_are_one_batch(changes: dict[str, Any]) -> None:
    train = changes.get("train", {})
    whole = engine_of(8, **changes)
    parts = engine_of(4, **{**changes, "train": {**train, "accumulate": 2}})
    assert parts.steps_per_epoch == whole.steps_per_epoch == 3
    assert [len(part.labels) for part in next(parts.steps(0))] == [4, 4]
    torch.testing.assert_close(gradients_after(parts), gradients_after(whole), rtol=1e-4, atol=1e-6)
    small = engine_of(4, **changes)
    assert not torch.allclose(gradients_after(small), gradients_after(engine_of(8, **changes)), rtol=1e-2)


def test_uneven_parts_count_by_their_images() -> None:
    whole, parts = engine_of(7), engine_of(5, train={"accumulate": 2})
    parts.stepper.optimizer.zero_grad()
    losses = [engine.stepper.take(0, 0.0, next(engine.steps(0))) for engine in (engine_of(10), parts)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    assert whole.steps_per_epoch == 4
    assert [len(part.labels) for part in list(parts.steps(0))[-1]] == [4]


def test_the_loss_is_the_weighted_mean_worked_by_hand() -> None:
    data = make_data()
    labels = np.where(np.arange(24) < 16, 0, data.train_labels)
    uneven = type(data)(data.store, data.train_rows, labels, data.validation_rows, data.validation_labels)
    recipe = make_settings(train={"class_weights": "balanced"})
    engine = make_engine(make_training(TinyNet(noise=False), recipe, uneven, batch_size=8))
    pixels, targets = images_of(engine)
    counts = torch.bincount(torch.from_numpy(labels))
    weights = (24 / (CLASSES * counts))[targets.argmax(1)]
    with torch.no_grad():
        values = functional.cross_entropy(engine.classifier(pixels), targets, reduction="none")
    expected = float((weights * values).sum() / weights.sum())
    loss = float(engine.stepper.take(0, 0.0, next(engine.steps(0))))
    assert loss == pytest.approx(expected, rel=1e-5)
    assert abs(expected - float(values.mean())) > 1e-4


def test_sam_takes_the_gradient_at_the_perturbed_weights() -> None:
    plain, sharp = engine_of(), engine_of(optimizer={"sam": 0.5})
    at_the_weights, at_the_worst = gradients_after(plain), gradients_after(sharp)
    assert not torch.allclose(at_the_weights, at_the_worst, rtol=1e-2)
    # By hand: move the weights by 0.5 along the first gradient, and differentiate there.
    by_hand = engine_of()
    model = by_hand.classifier
    pixels, targets = images_of(by_hand)
    offset, scale = 0, 0.5 / at_the_weights.norm()
    with torch.no_grad():
        for parameter in model.parameters():
            size = parameter.numel()
            parameter += scale * at_the_weights[offset : offset + size].view_as(parameter)
            offset += size
    functional.cross_entropy(model(pixels), targets).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(at_the_worst, expected, rtol=1e-3, atol=1e-6)


def test_sam_leaves_statistics_and_dropout_as_in_a_plain_step() -> None:
    """The second pass must see the masks of the first, and count for no statistics."""
    masks: list[Tensor] = []

    class Watched(TinyNet):
        def classify(self, features: Tensor) -> Tensor:
            masks.append(features.detach() == 0)
            return super().classify(features)

    plain, sharp = engine_of(noise=True), engine_of(model=Watched(), optimizer={"sam": 1e-6})
    for engine in (plain, sharp):
        engine.stepper.take(0, 0.0, next(engine.steps(0)))
    assert len(masks) == 2
    assert torch.equal(*masks)
    assert masks[0].any()
    for (name, mine), theirs in zip(
        plain.classifier.named_buffers(), sharp.classifier.buffers(), strict=True
    ):
        assert torch.equal(mine, theirs), name


def test_clipping_bounds_the_norm_and_keeps_the_direction() -> None:
    free, clipped = gradients_after(engine_of()), gradients_after(engine_of(optimizer={"clip_norm": 0.01}))
    assert free.norm() > 0.02
    assert clipped.norm() == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm(), rtol=1e-3, atol=1e-5)
    loose = gradients_after(engine_of(optimizer={"clip_norm": 1e3}))
    assert torch.equal(loose, free)


def test_mixing_softens_targets_and_changes_pixels() -> None:
    plain, mixed = images_of(engine_of(augment=[])), images_of(engine_of(augment=["mixup(1.0)"]))
    assert (plain[1].max(dim=1).values == 1).all()
    assert (mixed[1].max(dim=1).values < 1).any()
    torch.testing.assert_close(mixed[1].sum(dim=1), torch.ones(8))
    assert not torch.equal(plain[0], mixed[0])


def test_a_loss_that_needs_features_gets_them() -> None:
    engine = engine_of(loss="triplet(0.5)", augment=[])
    pixels, targets = images_of(engine)
    with torch.no_grad():
        joined = float(engine.stepper.mean_loss(pixels, targets))
        plain = float(functional.cross_entropy(engine.classifier(pixels), targets))
    assert joined > plain + 0.01
    assert gradients_after(engine).abs().sum() > 0


def test_dropout_depends_on_the_seed_and_the_step_alone() -> None:
    def loss(step: int, seed: int, before: int) -> float:
        engine = engine_of(noise=True, augment=[], seed=seed)
        torch.manual_seed(before)
        # The same images each time.
        return float(engine.stepper.take(step, 0.0, next(engine_of(augment=[]).steps(0))))

    assert loss(3, 7, before=1) == loss(3, 7, before=2)
    assert loss(3, 7, before=1) != loss(4, 7, before=1)
    assert loss(3, 7, before=1) != loss(3, 8, before=1)


def test_copies_join_the_epoch_and_stages_begin_in_time() -> None:
    engine = engine_of(5, augment=[], copies=["rotate(90)"], stages={2: ["hflip(1)"]})
    assert engine.samples == 48
    parts = [part for step in engine.steps(0) for part in step]
    assert sum(len(part.labels) for part in parts) == 48
    pixels = torch.cat([engine.stepper.inputs(part)[0] for part in parts])
    originals = torch.from_numpy(make_data().store.pixels[:24]).float()
    same = (pixels[:, None] == originals[None]).flatten(2).all(dim=2)
    assert same.any(dim=1).sum() == 24
    later = torch.cat([engine.stepper.inputs(part)[0] for step in engine.steps(1) for part in step])
    flipped = (later[:, None] == originals.flip(3)[None]).flatten(2).all(dim=2)
    assert flipped.any(dim=1).sum() >= 24


def test_a_compiled_step_is_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    calls = []

    def compile_(function: Any, **settings: Any) -> Any:
        calls.append(settings)
        return function

    monkeypatch.setattr(torch, "compile", compile_)
    plain, compiled = engine_of(), engine_of(train={"compile": True})
    assert calls == [{"dynamic": False}]
    assert torch.equal(gradients_after(plain), gradients_after(compiled))
    assert list(compiled.classifier.state_dict()) == list(plain.classifier.state_dict())


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs a C++ compiler")
def test_a_compiled_training_ends_as_a_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real compiler: seconds for each layer and each size of a batch, so both are few here."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "kernels"))
    ended = {}
    for name, asked in (("plain", False), ("compiled", True)):
        recipe = make_settings(train={"compile": asked})
        model, _ = run_tiny(tmp_path / name, recipe=recipe, model=TinyNet(noise=False), batch_size=8)
        ended[name] = model.state_dict()
    assert list((tmp_path / "kernels").rglob("*.so"))
    assert ended["compiled"].keys() == ended["plain"].keys()
    for name, tensor in ended["plain"].items():
        torch.testing.assert_close(ended["compiled"][name], tensor, rtol=1e-3, atol=1e-5)


def test_what_cannot_be_compiled_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_: object) -> None:
        raise OSError("planted: no compiler here")

    compile_ = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, dynamic: compile_(function, dynamic=dynamic, backend=no_compiler)
    )
    forward = make_forward(TinyNet(), compiled=True)  # type: ignore[arg-type]
    with pytest.raises(DessinError, match=r"cannot compile tiny.*no compiler here.*train\.compile to false"):
        forward(torch.zeros(2, 3, 16, 16))
