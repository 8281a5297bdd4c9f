from __future__ import annotations

from pathlib import Path

import pytest
from tiny_run import make_drawings, make_tiny_split


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A collection that a tiny network learns in seconds, and its split."""
    folder = tmp_path_factory.mktemp("drawings")
    data = make_drawings(folder / "data")
    return data, make_tiny_split(data, folder / "split.csv")
