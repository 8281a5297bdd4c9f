"""Every test gets its own cache folder, and no test prints progress; `--fast` runs light files alone.

A file is heavy that has one of the marks `HEAVY` at its top (`pytestmark = ..`). With `--fast` it is not
read, and a test that takes more than `MOST_S` seconds of processor time fails: it needs `slow`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from dessin.progress import quiet

# No test asks the hub: those that fetch have a small one of their own on loopback.
os.environ["HF_HUB_OFFLINE"] = "1"
# Tests read English, whatever the system speaks.
os.environ["DESSIN_LANGUAGE"] = "en"
# What tests write names nobody.
os.environ["DESSIN_WHO"] = ""

# How long an example takes is the machine's affair; what a test may take is held by `--fast`.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

HEAVY = re.compile(
    r"^pytestmark = .*mark\.(slow|browser|simulation|cluster|trackers|matrix|wheel)\b", re.MULTILINE
)
MOST_S = 2.0
# Marks in the order in which their files are begun.
LONGEST_FIRST = ("wheel", "trackers", "cluster", "matrix", "simulation", "browser", "slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="only files without a heavy mark; each test within a second"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, heavy files are left out unread: what they import takes seconds."""
    if config.getoption("--fast") and collection_path.suffix == ".py":
        return bool(HEAVY.search(collection_path.read_text(encoding="utf-8"))) or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes none begins a long file when the others are about to end."""
    if not hasattr(config, "workerinput"):
        return
    ranks: dict[Path, int] = {}
    for item in items:
        marks = [rank for rank, name in enumerate(LONGEST_FIRST) if item.get_closest_marker(name)]
        ranks[item.path] = min([ranks.get(item.path, len(LONGEST_FIRST)), *marks])
    items.sort(key=lambda item: ranks[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = _processor_seconds()
    yield
    spent = _processor_seconds() - before
    if item.config.getoption("--fast") and spent > MOST_S:
        pytest.fail(f"{spent:.1f} s of processor time: give its file `pytestmark = pytest.mark.slow`.")


def _processor_seconds() -> float:
    """This process and its children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of new folders: `mktemp` looks through all that thousands of tests have made, each time."""
    place = tmp_path_factory.mktemp("caches")
    return (place / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_cache(caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = next(caches)
    folder.mkdir()
    monkeypatch.setenv("DESSIN_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with quiet():
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real Chromium; without one the test is skipped loudly, and in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        message = "No chromium here, so the pages were NOT looked at in a browser (apt-get install chromium)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
