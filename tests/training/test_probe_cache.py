"""A shared probe is the probe, and is not taken for another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dessin.files import cache_folder
from dessin.training import probe as probe_cache
from dessin.training.probe import fit_probe, shared_probe

LABELS = np.repeat(np.arange(3), 20)
GROUPS = [str(i // 2) for i in range(60)]


def _features(seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(2, 60, 8)) + 2 * np.eye(8)[LABELS]).astype(np.float32)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each probe that was really fitted."""
    seen: list[int] = []

    def counted(*given: object, **named: object) -> object:
        seen.append(1)
        return fit_probe(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(probe_cache, "fit_probe", counted)
    return seen


def test_the_second_run_gets_the_very_same_probe(fits: list[int]) -> None:
    first = shared_probe(_features(), LABELS, GROUPS, 3, seed=0)
    second = shared_probe(_features(), LABELS, GROUPS, 3, seed=0)
    fitted = fit_probe(_features(), LABELS, GROUPS, 3, seed=0)
    assert len(fits) == 1
    for head, decisions in (first, second):
        assert head.weight.tobytes() == fitted.weight.tobytes()
        assert head.bias.tobytes() == fitted.bias.tobytes()
        assert decisions == (fitted.decision,)


CHANGES: dict[str, Callable[[], object]] = {
    "features": lambda: shared_probe(_features(1), LABELS, GROUPS, 3, seed=0),
    "labels": lambda: shared_probe(_features(), np.roll(LABELS, 1), GROUPS, 3, seed=0),
    "groups": lambda: shared_probe(_features(), LABELS, GROUPS[::-1], 3, seed=0),
    "classes": lambda: shared_probe(_features(), LABELS, GROUPS, 4, seed=0),
    "seed": lambda: shared_probe(_features(), LABELS, GROUPS, 3, seed=1),
    "weakest": lambda: shared_probe(_features(), LABELS, GROUPS, 3, seed=0, weakest=0.001),
    "folds": lambda: shared_probe(_features(), LABELS, GROUPS, 3, seed=0, folds=np.arange(len(LABELS)) % 4),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_makes_another_probe(what: str, fits: list[int]) -> None:
    shared_probe(_features(), LABELS, GROUPS, 3, seed=0)
    CHANGES[what]()
    assert len(fits) == 2


def test_threads_change_the_order_of_sums_so_they_count(fits: list[int]) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            shared_probe(_features(), LABELS, GROUPS, 3, seed=0)
    finally:
        torch.set_num_threads(before)
    assert len(fits) == 2


def test_a_probe_whose_writing_was_cut_off_is_fitted_again(fits: list[int]) -> None:
    shared_probe(_features(), LABELS, GROUPS, 3, seed=0)
    next((cache_folder() / "probes").glob("*.safetensors")).unlink()
    shared_probe(_features(), LABELS, GROUPS, 3, seed=0)
    assert len(fits) == 2
