from __future__ import annotations

import pytest
import torch

from dessin.errors import DessinError
from dessin.training.device import choose_batch_size, choose_device, choose_precision


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
    with pytest.raises(DessinError, match=r"train\.precision: auto"):
        choose_precision("mps", "bfloat16")


@pytest.mark.parametrize(
    ("images", "expected"), [(2436, 32), (256, 32), (200, 16), (100, 8), (20, 4), (2, 4)]
)
def test_small_collections_get_smaller_batches(images: int, expected: int) -> None:
    decision = choose_batch_size("cpu", images, 128)
    assert decision.value == expected
    assert ("fewer than" in decision.reason) == (expected < 32)


def test_a_gpu_gets_as_many_as_fit() -> None:
    sizes = [choose_batch_size("cuda", 100_000, 224, free_bytes=gib * 2**30).value for gib in (1, 8, 24, 80)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == 256


def test_the_recipe_has_the_last_word() -> None:
    assert choose_batch_size("cpu", 20, 128, 48).value == 48
