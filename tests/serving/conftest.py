"""One small bundle over three classes of doodles, shared by the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_bundle import make_bundle

from dessin.doodles.drawing import draw_doodle

LABELS = ("cat", "house", "star")


@pytest.fixture(scope="session")
def drawings() -> dict[str, list[bytes]]:
    return {label: [draw_doodle(label, n, seed=0).data for n in range(6)] for label in LABELS}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, drawings: dict[str, list[bytes]]) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    return make_bundle(folder, drawings, names={"cat": "tabby cat"})


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
