"""`docs/extend.md` is true: its files are put where they say, its changes are made, and its blocks run.

The package that it shows, `examples/own-parts`, is installed, and runs its own tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PARTS = ROOT / "examples" / "own-parts"
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
    """A copy of dessin's source with everything that the page adds to it."""
    place = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for kind, title, code in (block for blocks in SECTIONS.values() for block in blocks):
        if kind == "diff":
            path = place / title
            path.write_text(changed(path.read_text(encoding="utf-8"), code), encoding="utf-8")
        elif title.startswith("src/"):
            assert not (place / title).exists()
            (place / title).write_text(code, encoding="utf-8")
    return place


def run(folder: Path, *command: str, path: str | Path) -> subprocess.CompletedProcess[str]:
    more = {"PYTHONPATH": str(path), "OMP_NUM_THREADS": "1", "DESSIN_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env={**os.environ, **more}, capture_output=True, text=True
    )


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
    done = run(place, "-c", RUN_ALL, *map(str, folders.values()), path=place / "src")
    assert done.returncode == 0, done.stderr
    return {heading: json.loads((folder / "said.json").read_text()) for heading, folder in folders.items()}


@pytest.mark.parametrize("heading", RUN)
def test_an_example_works(said: dict[str, str], heading: str) -> None:
    assert said[heading] == ""


def test_the_package_is_the_one_that_the_page_shows() -> None:
    shown = {
        title: code
        for blocks in SECTIONS.values()
        for kind, title, code in blocks
        if title and kind != "diff" and not title.startswith("src/")
    }
    assert {title: (PARTS / title).read_text(encoding="utf-8") for title in shown} == shown
    modules = {path.relative_to(PARTS).as_posix() for path in PARTS.rglob("*.py")}
    assert modules - set(shown) == {"dessin_crayons/__init__.py", "tests/test_together.py"}


def test_the_package_is_installed_and_works_from_its_own_folder(tmp_path: Path) -> None:
    """The kit's test of each part, then all of them in one path of verbs."""
    home, site = tmp_path / "own-parts", tmp_path / "site"
    shutil.copytree(PARTS, home, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    pip = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    installed = run(tmp_path, *pip, "--target", str(site), str(home), path=ROOT / "src")
    assert installed.returncode == 0, installed.stderr
    # What was installed is used, and not the folder beside the tests.
    shutil.rmtree(home / "dessin_crayons")
    paths = os.pathsep.join((str(ROOT / "src"), str(site)))
    done = run(home, "-m", "pytest", "-q", "-p", "no:cacheprovider", path=paths)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "7 passed" in done.stdout


def test_every_section_has_an_example_that_runs_and_names_files_that_exist() -> None:
    tasks = [heading for heading in SECTIONS if heading[0].isdigit()]
    tested = {h for h, blocks in SECTIONS.items() if any(t.startswith("tests/") for _, t, _ in blocks)}
    assert set(tasks) == {*RUN, *tested}
    assert not tested & set(RUN)
    files = " ".join(re.findall(r"^\*Files?:.*?\*$", TEXT, re.MULTILINE | re.DOTALL))
    named = re.findall(r"`([\w/]+/|[\w/]+\.py)`", files)
    assert len(named) >= len(tasks)
    room = ROOT / "src" / "dessin"
    assert [name for name in named if not ((room / name).exists() or list(room.rglob(name)))] == []
