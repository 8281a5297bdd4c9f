from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_run import apart, make_drawings, make_tiny_split


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with drawings, their split and a cache of its own."""
    folder = tmp_path_factory.mktemp("home")
    data = make_drawings(folder / "data")
    make_tiny_split(data, folder / "split.csv")
    with apart(folder):
        yield folder
