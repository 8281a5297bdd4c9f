from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import TinyNet, make_settings
from torch import Tensor

from dessin.errors import DessinError
from dessin.training import device as memory
from dessin.training.device import (
    Footprint,
    bound_batch_size,
    choose_batch_size,
    choose_device,
    choose_feature_precision,
    choose_precision,
    free_memory,
    measure_footprint,
)

MIB = 2**20
SMALL = Footprint(fixed=100 * MIB, per_image=10 * MIB)


def test_the_device_is_one_that_torch_can_compute_on() -> None:
    decision = choose_device()
    assert torch.ones(2, device=str(decision.value)).sum().item() == 2
    assert decision.reason


def test_a_processor_computes_in_float32_unless_asked_otherwise() -> None:
    assert choose_precision("cpu").value == "float32"
    assert choose_precision("cpu", "bfloat16").value == "bfloat16"
    assert "recipe" in choose_precision("cpu", "bfloat16").reason


def test_bfloat16_where_there_is_none_is_refused() -> None:
    assert choose_precision("mps").value == "float32"
    assert choose_feature_precision("mps").value == "float32"
    with pytest.raises(DessinError, match=r"train\.precision: auto"):
        choose_precision("mps", "bfloat16")


@pytest.mark.parametrize(("native", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_that_would_emulate_bfloat16_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch, native: bool, chosen: str
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert choose_precision("cuda").value == chosen
    assert choose_feature_precision("cuda").value == chosen
    assert choose_feature_precision("cuda", "float32").value == "float32"
    # Slow, and what was asked for.
    assert choose_precision("cuda", "bfloat16").value == "bfloat16"


@pytest.mark.parametrize(
    ("images", "accumulate", "expected"),
    [(2436, 1, 32), (256, 1, 32), (200, 1, 16), (100, 1, 8), (20, 1, 4), (2, 1, 4), (2436, 16, 16)],
)
def test_small_collections_get_smaller_batches(images: int, accumulate: int, expected: int) -> None:
    decision = bound_batch_size("cpu", images, SMALL, accumulate=accumulate, free_bytes=2**40)
    assert decision.value == expected
    assert ("fewer than 8 steps" in decision.reason) == (expected < 32)


@pytest.mark.parametrize(
    ("free_mib", "expected"), [(100_000, 256), (3400, 256), (3000, 128), (420, 16), (160, 2)]
)
def test_memory_bounds_the_batch_and_the_reason_says_so(free_mib: int, expected: int) -> None:
    decision = bound_batch_size("cuda", 100_000, SMALL, free_bytes=free_mib * MIB)
    assert decision.value == expected
    assert SMALL.of(expected) <= 0.8 * free_mib * MIB
    assert ("the largest power of two that fits" in decision.reason) == (expected < 256)
    if expected < 256:
        assert SMALL.of(2 * expected) > 0.8 * free_mib * MIB


def test_no_room_for_two_images_is_refused() -> None:
    with pytest.raises(DessinError, match="Not even 2 images"):
        bound_batch_size("cpu", 100, SMALL, free_bytes=140 * MIB)


def test_the_recipe_has_the_last_word() -> None:
    recipe = make_settings(train={"batch_size": 48})
    assert choose_batch_size(TinyNet(), recipe, 20, device="cpu", precision="float32").value == 48


def test_a_measured_batch_size_leaves_the_classifier_alone() -> None:
    model = TinyNet().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    recipe = make_settings(image={"size": 16}, copies=["hflip(1)"])
    decision = choose_batch_size(model, recipe, 64, device="cpu", precision="float32")
    assert decision.value == 16, "128 samples with the copies, 8 steps an epoch"
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training


class Wide(TinyNet):
    """One convolution, whose input and output are all that a backward pass needs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Conv2d(3, 8, 1, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.sigmoid(self.body(pixels)).mean(dim=(2, 3))


def test_the_footprint_is_what_is_set_aside_worked_by_hand() -> None:
    model = Wide()
    recipe = make_settings(image={"size": 32})
    found = measure_footprint(model, recipe, device=torch.device("cpu"), precision="float32")
    # Pixels (3 channels) for the convolution, its output after the sigmoid (8 channels): float32.
    saved = (3 + 8) * 32 * 32 * 4
    assert found.per_image == saved * 5 // 4 + 4 * 3 * 32 * 32 * 4
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert found.fixed == weights * 4, "weights, gradients and two moments"


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"optimizer": {"name": "sgd"}}, -1),
        ({"optimizer": {"sam": 0.05}}, 2),
        ({"train": {"ema": 0.9}}, 1),
        ({"train": {"average_last": 2}}, 1),
    ],
    ids=str,
)
def test_what_the_recipe_keeps_beside_the_weights_is_counted(changes: dict[str, Any], more: int) -> None:
    def fixed(**values: Any) -> int:
        recipe = make_settings(image={"size": 16}, **values)
        return measure_footprint(model, recipe, device=torch.device("cpu"), precision="float32").fixed

    model = Wide()
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert fixed(**changes) - fixed() == more * weights


def test_a_limit_on_the_process_counts_as_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(memory, "_LIMITS", ((limit, used),))
    without = free_memory(torch.device("cpu"))
    limit.write_text(f"{64 * MIB}\n")
    used.write_text(f"{24 * MIB}\n")
    assert free_memory(torch.device("cpu")) == 40 * MIB
    limit.write_text("max\n")
    assert free_memory(torch.device("cpu")) == pytest.approx(without, rel=0.3)
