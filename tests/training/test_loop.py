from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import TinyNet, final_bytes, make_data, make_settings, run_tiny
from torch import Tensor, nn

from dessin.augmentation.pipeline import Pipeline
from dessin.errors import DessinError
from dessin.progress import quiet, warn
from dessin.training import guard, loop, outcome
from dessin.training.batches import EpochSteps, StepSize, batch_bounds
from dessin.training.data import PixelSource, TrainingData
from dessin.training.engine import decide_batch_norm
from dessin.training.outcome import Outcome

pytestmark = pytest.mark.slow


class StoppedError(Exception):
    pass


class Stopping(TinyNet):
    """Stops at the n-th forward pass, in training or in validation."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.left = nth

    def features(self, pixels: Tensor) -> Tensor:
        self.left -= 1
        if self.left == 0:
            raise StoppedError
        return super().features(pixels)


@pytest.fixture
def warnings_said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    for module in (guard, outcome):
        monkeypatch.setattr(module, "warn", said.append)
        assert module.warn is not warn
    return said


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Outcome]:
    """What a run that nobody stopped ends with: its bytes, and what came of it."""
    with quiet():
        folder = tmp_path_factory.mktemp("unbroken")
        model, whole = run_tiny(folder)
    return final_bytes(folder, model), whole


# An epoch is 5 steps and 2 batches of validation: 14 passes. Some go on with processes that read.
@pytest.mark.parametrize(("nth", "workers"), [(nth, {3: 1, 8: 2, 13: 1}.get(nth, 0)) for nth in range(1, 15)])
@pytest.mark.parametrize("checkpoint_seconds", [0.0, 60.0], ids=["each step", "each epoch"])
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_bytes(
    nth: int, workers: int, checkpoint_seconds: float, unbroken: tuple[str, Outcome], tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        run_tiny(tmp_path / "broken", model=Stopping(nth), checkpoint_seconds=checkpoint_seconds)
    # What the process had in its generators must not matter.
    torch.manual_seed(nth)
    again, resumed = run_tiny(tmp_path / "broken", resume=True, workers=workers)
    ended, whole = unbroken
    assert final_bytes(tmp_path / "broken", again) == ended
    without_time = [[row.model_copy(update={"seconds": 0.0}) for row in o.curve] for o in (whole, resumed)]
    assert without_time[0] == without_time[1]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_both_optimisers_resume_to_the_byte(name: str, tmp_path: Path) -> None:
    recipe = make_settings(optimizer={"name": name})
    model, _ = run_tiny(tmp_path / "whole", recipe=recipe)
    with pytest.raises(StoppedError):
        run_tiny(tmp_path / "broken", recipe=recipe, model=Stopping(4), checkpoint_seconds=0.0)
    again, _ = run_tiny(tmp_path / "broken", recipe=recipe, resume=True)
    assert final_bytes(tmp_path / "broken", again) == final_bytes(tmp_path / "whole", model)


def test_row_order_and_workers_change_nothing_and_the_seed_does(tmp_path: Path) -> None:
    digests = []
    for number, (permuted, workers, seed) in enumerate([(False, 0, 7), (True, 3, 7), (False, 0, 8)]):
        model, _ = run_tiny(
            tmp_path / str(number),
            data=make_data(permuted=permuted),
            workers=workers,
            recipe=make_settings(seed=seed),
        )
        digests.append(final_bytes(tmp_path / str(number), model))
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_it_learns_and_leaves_the_best_weights_in_the_model(tmp_path: Path) -> None:
    data = make_data(60, 30)
    recipe = make_settings(train={"epochs": 12, "select_by": "accuracy"}, optimizer={"lr": 0.02})
    model, outcome = run_tiny(tmp_path, data=data, recipe=recipe)
    accuracies = [row.validation_accuracy for row in outcome.curve]
    assert max(accuracies) > 0.9
    # Of the epochs with the highest accuracy, the one with the smallest loss.
    best = min(outcome.curve, key=lambda row: (-row.validation_accuracy, row.validation_loss))
    assert outcome.best_epoch == best.epoch
    assert not model.training
    with torch.inference_mode():
        predicted = model(torch.from_numpy(data.store.pixels[data.validation_rows])).argmax(1).numpy()
    assert (predicted == data.validation_labels).mean() == max(accuracies)


def test_training_that_makes_a_good_start_worse_keeps_the_start(
    tmp_path: Path, warnings_said: list[str]
) -> None:
    data = make_data(60, 30)
    good, _ = run_tiny(
        tmp_path / "good", data=data, recipe=make_settings(train={"epochs": 12}, optimizer={"lr": 0.02})
    )
    before = {name: tensor.clone() for name, tensor in good.state_dict().items()}
    recipe = make_settings(finetune={"mode": "probe_then_full"}, optimizer={"lr": 1.0}, train={"epochs": 1})
    after, outcome = run_tiny(tmp_path / "worse", data=data, recipe=recipe, model=good)
    assert outcome.best_epoch == 0
    assert [row.epoch for row in outcome.curve] == [0, 1]
    assert all(torch.equal(before[name], tensor) for name, tensor in after.state_dict().items())
    assert any("did not improve on the probe" in line for line in warnings_said)


def test_no_epoch_begins_that_would_end_after_the_time_allowed_and_that_is_no_warning(
    tmp_path: Path, warnings_said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(outcome, "say", told.append)
    recipe = make_settings(train={"epochs": 5})
    _, stopped = run_tiny(tmp_path / "none", recipe=recipe, seconds_allowed=0.0)
    assert stopped.epochs == len(stopped.curve) == 1
    assert any("after epoch 1 of 5" in line for line in told)
    assert not any("after epoch 1 of 5" in line for line in warnings_said)
    assert any(d.name == "stopped_after_epoch" and d.value == 1 for d in stopped.decisions)
    _, whole = run_tiny(tmp_path / "enough", recipe=recipe, seconds_allowed=1e6)
    assert whole.epochs == 5
    assert whole.curve[0].train_loss == stopped.curve[0].train_loss


def test_the_curve_file_holds_every_epoch(tmp_path: Path) -> None:
    _, outcome = run_tiny(tmp_path)
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["epoch"]), int(row["step"])) for row in rows] == [(1, 5), (2, 10)]
    assert [float(row["train_loss"]) for row in rows] == [row.train_loss for row in outcome.curve]


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    model, outcome = run_tiny(tmp_path)
    again, same = run_tiny(tmp_path, resume=True)
    assert final_bytes(tmp_path, again) == final_bytes(tmp_path, model)
    assert same == outcome


def test_without_validation_the_last_epoch_counts_and_that_is_said(
    tmp_path: Path, warnings_said: list[str]
) -> None:
    _, outcome = run_tiny(tmp_path, data=make_data(validation=0))
    assert outcome.best_epoch == 2
    assert outcome.curve[-1].validation_accuracy is None
    assert any("No validation images" in line for line in warnings_said)
    assert any("last epoch counts" in decision.reason for decision in outcome.decisions)
    assert not list((tmp_path / "checkpoint").glob("best-*"))


def test_missing_augmentation_is_said(tmp_path: Path, warnings_said: list[str]) -> None:
    run_tiny(tmp_path / "with")
    assert not any("No augmentation" in line for line in warnings_said)
    run_tiny(tmp_path / "without", recipe=make_settings(augment=[]))
    assert any("No augmentation" in line for line in warnings_said)


def test_chance_level_is_said_and_skill_is_not(tmp_path: Path, warnings_said: list[str]) -> None:
    data = make_data(60, 30)
    run_tiny(tmp_path / "slow", data=data, recipe=make_settings(optimizer={"lr": 1e-9}))
    assert any("chance level" in line for line in warnings_said)
    warnings_said.clear()
    recipe = make_settings(train={"epochs": 12}, optimizer={"lr": 0.02})
    run_tiny(tmp_path / "good", data=data, recipe=recipe)
    assert warnings_said == []


def test_frozen_statistics_stay_and_their_scale_is_trained(tmp_path: Path) -> None:
    def norm(model: nn.Module) -> nn.BatchNorm2d:
        return next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))

    start = norm(TinyNet())
    for asked, moved in (("frozen", False), ("train", True)):
        model, outcome = run_tiny(tmp_path / asked, recipe=make_settings(finetune={"batch_norm": asked}))
        assert torch.equal(norm(model).running_mean, start.running_mean) != moved
        assert not torch.equal(norm(model).weight, start.weight)
        assert outcome.decisions[0].value == asked


@pytest.mark.parametrize(
    ("finetune", "expected"),
    [
        ({"mode": "full"}, "train"),
        ({"mode": "probe_then_full"}, "frozen"),
        ({"mode": "full", "head_start": "imagenet"}, "frozen"),
        ({"mode": "full", "head_start": "probe"}, "frozen"),
        ({"mode": "probe_then_full", "batch_norm": "train"}, "train"),
    ],
)
def test_statistics_are_frozen_where_the_head_was_fitted_to_them(
    finetune: dict[str, str], expected: str
) -> None:
    assert decide_batch_norm(make_settings(finetune=finetune)).value == expected


def test_a_diverging_loss_stops_with_advice_and_no_bad_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DessinError, match=r"loss became (nan|inf).*learning rate.*Lower optimizer.lr"):
        run_tiny(
            tmp_path,
            recipe=make_settings(optimizer={"name": "sgd", "lr": 10.0}, train={"epochs": 60}),
            model=Exploding(),
            checkpoint_seconds=0.0,
        )
    assert not (tmp_path / "checkpoint" / "step-00000004").exists()


class Exploding(TinyNet):
    def features(self, pixels: Tensor) -> Tensor:
        return super().features(pixels) * float("inf" if self.training and self.steps() == 3 else 1)

    def steps(self) -> int:
        self.count = getattr(self, "count", -1) + 1
        return self.count


def test_a_run_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    run_tiny(tmp_path)
    with pytest.raises(DessinError, match=r"already, at step 10.*--resume"):
        run_tiny(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": make_settings(optimizer={"lr": 0.02})}, "recipe.optimizer.lr was 0.01 and is 0.02"),
        ({"recipe": make_settings(seed=8)}, "recipe.seed was 7 and is 8"),
        ({"data": make_data(25)}, "data was "),
    ],
)
def test_resuming_under_other_conditions_names_the_difference(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        run_tiny(tmp_path, model=Stopping(7))
    with pytest.raises(DessinError) as error:
        run_tiny(tmp_path, resume=True, **changes)
    assert words in str(error.value)
    run_tiny(tmp_path, resume=True)


def test_torch_is_left_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    run_tiny(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("images", "batch_size", "sizes"),
    [(10, 5, [5, 5]), (12, 5, [5, 5, 2]), (11, 5, [5, 6]), (3, 5, [3]), (2, 2, [2]), (5, 2, [2, 3])],
)
def test_batches_cover_every_image_and_none_is_alone(images: int, batch_size: int, sizes: list[int]) -> None:
    bounds = batch_bounds(images, batch_size)
    assert [stop - start for start, stop in bounds] == sizes
    assert [n for start, stop in bounds for n in range(start, stop)] == list(range(images))


def test_an_epoch_sees_every_image_once_in_another_order_each_time() -> None:
    data = make_data()
    source = PixelSource(data.store, torch.device("cpu"))
    seen = []
    for epoch in (0, 1):
        steps = list(EpochSteps(data, source, Pipeline(()), StepSize(7), seed=0, workers=2).of(epoch))
        pixels = torch.cat([batch.pixels for (batch,) in steps]).numpy()
        seen.append([image.tobytes() for image in pixels])
    everything = [data.store.pixels[row].tobytes() for row in data.train_rows]
    assert sorted(seen[0]) == sorted(seen[1]) == sorted(everything)
    assert seen[0] != seen[1]


def test_labels_travel_with_their_pixels() -> None:
    data = make_data()
    source = PixelSource(data.store, torch.device("cpu"))
    label_of = {
        data.store.pixels[r].tobytes(): n for r, n in zip(data.train_rows, data.train_labels, strict=True)
    }
    for (batch,) in EpochSteps(data, source, Pipeline(()), StepSize(7), seed=0).of(0):
        assert [label_of[image.tobytes()] for image in batch.pixels.numpy()] == list(batch.labels)


def test_data_digest_sees_labels_and_not_order() -> None:
    data = make_data()
    assert make_data(permuted=True).digest == data.digest
    other = data.train_labels.copy()
    other[0] = (other[0] + 1) % 3
    changed = TrainingData(data.store, data.train_rows, other, data.validation_rows, data.validation_labels)
    assert changed.digest != data.digest


def test_training_on_one_image_is_refused() -> None:
    with pytest.raises(DessinError, match="at least 2"):
        make_data(1)


def test_progress_counts_the_epochs_and_the_images_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str, int, int]] = []

    def track(
        items: Iterable[Any],
        total: int,
        label: str,
        *,
        unit: str = "images",
        size: Callable[[Any], int] = lambda _: 1,
    ) -> Iterator[Any]:
        done = 0
        for item in items:
            yield item
            done += size(item)
        seen.append((label, unit, done, total))

    monkeypatch.setattr(loop, "track", track)
    with pytest.raises(StoppedError):
        run_tiny(tmp_path, model=Stopping(4), checkpoint_seconds=0.0)
    run_tiny(tmp_path, resume=True)
    epochs, images = make_settings().train.epochs, len(make_data().train_rows)
    # Three of the first epoch's five steps were taken before.
    left = images - 3 * 5
    each = [(f"Epoch {n + 1} of {epochs}", "images", images if n else left) for n in range(epochs)]
    assert seen == [(*told, told[2]) for told in (*each, ("Training", "epochs", epochs))]
