"""Activations of frozen stages, kept for a few views: what training reads is what it would have computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import CLASSES, SIZE, final_bytes, make_data, make_settings

from dessin.errors import DessinError
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.freezing import apply_finetune
from dessin.models.weights import Weights
from dessin.recipe import Recipe
from dessin.training import cached_views
from dessin.training.cached_views import CachedViews, decide_views, halves_of
from dessin.training.curve import CurveRow
from dessin.training.data import Training
from dessin.training.device import Computing
from dessin.training.engine import Engine, make_engine
from dessin.training.loop import fit

pytestmark = pytest.mark.slow

BACKBONE = "test_efficientnet"
VIEWS = 2


def settings(views: int = VIEWS, epochs: int = 4, **changes: Any) -> Recipe:
    finetune: dict[str, Any] = {"mode": "stages", "stages": [4]}
    if views:
        finetune["cached_views"] = views
    changes.setdefault("image", {"size": SIZE})
    return make_settings(finetune=finetune, train={"epochs": epochs, "ema": 0.5}, **changes)


def training_of(recipe: Recipe, batch_size: int = 6) -> Training:
    weights = Weights(BACKBONE, "none", None, "", "none")
    model = build_classifier(BACKBONE, CLASSES, weights, image_size=SIZE)
    freezing = apply_finetune(model, mode="stages", stages=(4,))
    return Training(
        model, recipe, make_data(), Computing(torch.device("cpu"), batch_size=batch_size), freezing
    )


def engine_of(recipe: Recipe) -> Engine:
    engine = make_engine(training_of(recipe))
    engine.train_mode()
    return engine


def views_of(engine: Engine) -> CachedViews:
    views = engine.batches.views
    assert views is not None
    return views


@pytest.mark.parametrize("copies", [[], [["rotate(90)"]]])
def test_a_step_is_that_of_computed_activations(copies: list[list[str]]) -> None:
    kept, computed = engine_of(settings(copies=copies)), engine_of(settings(0, copies=copies))
    for epoch in range(VIEWS):
        losses = [
            engine.stepper.take(0, 0.0, next(engine.steps(epoch))).item() for engine in (kept, computed)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        gradients = [
            torch.cat([p.grad.flatten() for p in engine.classifier.parameters() if p.grad is not None])
            for engine in (kept, computed)
        ]
        assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[1].norm()


def test_activations_are_mixed_in_the_shares_of_their_targets() -> None:
    engine = engine_of(settings(augment=["hflip", "mixup(1.0)"]))
    (batch,) = next(engine.steps(0))
    assert batch.mixing is not None
    pixels, targets = engine.stepper.inputs(batch)
    own = torch.from_numpy(batch.mixing.shares)
    for image in range(len(own)):
        after = (image + 1) % len(own)
        blend = own[image] * batch.pixels[image] + (1 - own[image]) * batch.pixels[after]
        assert torch.allclose(pixels[image], blend, atol=1e-5)
        expected = torch.zeros(CLASSES)
        expected[batch.labels[image]] += own[image]
        expected[batch.labels[after]] += 1 - own[image]
        assert torch.allclose(targets[image], expected, atol=1e-6)
    # The views themselves are as they are without it.
    plain = next(engine_of(settings(augment=["hflip"])).steps(0))[0]
    assert torch.equal(batch.pixels, plain.pixels)


def test_validation_says_the_same_and_reads_each_image_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, whole = engine_of(settings()), engine_of(settings(0))
    first = kept.validate()
    assert first == whole.validate()
    monkeypatch.setattr(type(kept.source), "gather", lambda *_: pytest.fail("read again"))
    assert kept.validate() == first


def test_later_epochs_draw_among_the_views_of_each_image() -> None:
    engine = engine_of(settings())
    views, keys = views_of(engine), engine.data.keys
    views.fill(7)
    drawn = [views.drawn(epoch, keys) for epoch in range(8)]
    assert [set(numbers) for numbers in drawn[:VIEWS]] == [{0}, {1}]
    assert set(np.concatenate(drawn[VIEWS:])) == set(range(VIEWS))
    assert not np.array_equal(drawn[3], drawn[4])
    rows = np.arange(len(keys))
    both = [views.gather(rows, np.full(len(rows), view)) for view in range(VIEWS)]
    assert not torch.equal(*both)
    mixed = views.gather(rows, drawn[5])
    for row, view in enumerate(drawn[5]):
        assert torch.equal(mixed[row], both[view][row])


def test_what_is_frozen_stays_and_what_follows_learns(tmp_path: Path) -> None:
    training = training_of(settings())
    before = {name: tensor.clone() for name, tensor in training.classifier.state_dict().items()}
    outcome = fit(training, tmp_path)
    changed = {n for n, t in training.classifier.state_dict().items() if not torch.equal(t, before[n])}
    trained = {name for name, p in training.classifier.named_parameters() if p.requires_grad}
    assert trained & changed == trained
    frozen = {name for name in before if name.startswith(("body.conv_stem", "body.bn1", "body.blocks.0."))}
    assert frozen
    assert not changed & frozen
    assert outcome.epochs == 4


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(("epoch", "augment"), [(1, ["cutmix(1.0)"]), (3, ["rotate(15)"])])
def test_a_resumed_run_ends_with_the_same_bytes(epoch: int, augment: list[str], tmp_path: Path) -> None:
    def stop(row: CurveRow) -> None:
        if row.epoch == epoch and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            raise StoppedError

    whole = training_of(settings(augment=augment))
    fit(whole, tmp_path / "whole")
    with pytest.raises(StoppedError):
        fit(training_of(settings(augment=augment)), tmp_path / "parts", on_epoch=stop, checkpoint_seconds=0.0)
    resumed = training_of(settings(augment=augment))
    fit(resumed, tmp_path / "parts", resume=True)
    assert final_bytes(tmp_path / "parts", resumed.classifier) == final_bytes(
        tmp_path / "whole", whole.classifier
    )


def test_nothing_is_left_in_the_cache(own_cache: Path) -> None:
    views_of(engine_of(settings())).fill(3)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def decided(recipe: Recipe) -> Any:
    halves = halves_of(training_of(recipe).classifier, recipe)
    assert halves is not None
    return decide_views(halves, recipe, samples=1000)


def test_more_views_than_find_room_are_fewer_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = settings(5, epochs=9)
    assert (decided(recipe).value, decided(recipe).reason[:8]) == (5, "as asked")
    view = 1000 * 48 * 2
    monkeypatch.setattr(cached_views, "_MOST_BYTES", 3 * view + 1)
    assert decided(recipe).value == 3
    assert decided(recipe).reason.startswith("5 were asked for")
    monkeypatch.setattr(cached_views, "_MOST_BYTES", 2 * view - 1)
    with pytest.raises(DessinError, match="find no room"):
        decided(recipe)


def test_a_full_disk_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    views = views_of(engine_of(settings()))
    usage = cached_views.shutil.disk_usage(".")
    monkeypatch.setattr(cached_views.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(DessinError, match="are free"):
        views.fill(0)


def test_activations_beyond_half_precision_are_refused() -> None:
    training = training_of(settings())
    with torch.no_grad():
        training.classifier.body.get_parameter("blocks.0.0.conv.weight").mul_(1e7)
    views = views_of(make_engine(training))
    with pytest.raises(DessinError, match="half precision"):
        views.fill(0)


def test_a_transformer_that_adds_positions_is_refused() -> None:
    weights = Weights("test_vit", "none", None, "", "none")
    model: Classifier = build_classifier("test_vit", CLASSES, weights)
    recipe = settings(image={"size": 160})
    halves = halves_of(model, recipe)
    assert halves is not None
    with pytest.raises(DessinError, match="cannot be cut in two"):
        decide_views(halves, recipe, samples=10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finetune": {"mode": "full", "cached_views": 2}}, "mode stages"),
        ({"finetune": {"mode": "stages", "stages": [2, 4], "cached_views": 2}}, "the last ones"),
        ({"finetune": {"mode": "stages", "cached_views": 1}}, "at least 2"),
        ({"finetune": {"mode": "stages", "cached_views": 4}}, "less than"),
        ({"finetune": {"mode": "stages", "cached_views": 2}, "stages": {2: ["noise(0.1)"]}}, "would add"),
    ],
)
def test_what_it_cannot_be_with_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DessinError, match=message):
        make_settings(train={"epochs": 4}, **changes)


def test_a_recipe_without_it_is_written_as_before() -> None:
    assert "cached_views" not in make_settings().model_dump()["finetune"]
    assert settings().model_dump()["finetune"]["cached_views"] == VIEWS
