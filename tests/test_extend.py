"""`docs/extend.md` is true: its files are put where they say, its changes are made, and its blocks run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from plugin_kit import install

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SECTIONS = {
    heading: BLOCK.findall(body)
    for heading, body in zip(*[iter(re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)[1:])] * 2, strict=True)
}
RUN = {
    heading: code
    for heading, blocks in SECTIONS.items()
    for kind, title, code in blocks
    if kind == "python" and not title
}


def changed(text: str, change: str) -> str:
    """The text with the lines of a diff found in it, once, and replaced."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    assert text.count(before) == 1, f"not found once: {before}"
    return text.replace(before, after)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of dessin's source with everything that the page adds, and the package beside it."""
    place = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    files: dict[str, str] = {"dessin_crayons/__init__.py": ""}
    for kind, title, code in (block for blocks in SECTIONS.values() for block in blocks):
        if kind == "diff":
            path = place / title
            path.write_text(changed(path.read_text(encoding="utf-8"), code), encoding="utf-8")
        elif title.startswith("src/"):
            assert not (place / title).exists()
            (place / title).write_text(code, encoding="utf-8")
        elif title:
            files[title] = code
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    install(place / "site", project["name"], project["entry-points"]["dessin.plugins"], files)
    return place


# One process for all: what they import takes much longer than they do.
RUN_ALL = """
import json, os, runpy, sys, traceback
for folder in sys.argv[1:]:
    os.chdir(folder)
    try:
        runpy.run_path("example.py")
        said = ""
    except BaseException:
        said = traceback.format_exc()
    with open("said.json", "w") as file:
        json.dump(said, file)
"""


@pytest.fixture(scope="session")
def said(place: Path) -> dict[str, str]:
    """What each example failed with; nothing where it works."""
    folders = {heading: place / "examples" / str(number) for number, heading in enumerate(RUN)}
    for heading, folder in folders.items():
        folder.mkdir(parents=True)
        (folder / "example.py").write_text(RUN[heading], encoding="utf-8")
    paths = os.pathsep.join(str(place / folder) for folder in ("src", "site"))
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *map(str, folders.values())],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "DESSIN_CACHE": str(place / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {heading: json.loads((folder / "said.json").read_text()) for heading, folder in folders.items()}


@pytest.mark.parametrize("heading", RUN)
def test_an_example_works(said: dict[str, str], heading: str) -> None:
    assert said[heading] == ""


def test_every_section_has_an_example_that_runs_and_names_files_that_exist() -> None:
    tasks = [heading for heading in SECTIONS if heading[0].isdigit()]
    assert set(tasks) == set(RUN)
    files = " ".join(re.findall(r"^\*Files?:.*?\*$", TEXT, re.MULTILINE | re.DOTALL))
    named = re.findall(r"`([\w/]+/|[\w/]+\.py)`", files)
    assert len(named) >= len(tasks)
    room = ROOT / "src" / "dessin"
    assert [name for name in named if not ((room / name).exists() or list(room.rglob(name)))] == []
