"""One workspace for the tests of a module that only look; those that write copy it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
import torch
from studio_kit import make_workspace

from dessin.progress import quiet


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        yield make_workspace(folder / "workspace")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
