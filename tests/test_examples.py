"""The examples are run as a reader runs them: each as a process of its own, in a new folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from loopback_servers import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SAID = {
    "folder_to_classifier": "holdout, opened 1 time:",
    "curate_by_a_rule": "drawings have little ink;",
    "compare_two_recipes": "verdict:",
    "ask_an_endpoint": "refused: The bytes are not those of an image of these types.",
}


def test_every_example_is_run_and_listed() -> None:
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert scripts == set(SAID)
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert all(f"({script}.py)" in listed for script in scripts)


@pytest.mark.parametrize("script", sorted(SAID))
def test_an_example_works_on_doodles(script: str, tmp_path: Path, own_cache: Path) -> None:
    words = [sys.executable, str(ROOT / "examples" / f"{script}.py"), "--out", str(tmp_path / "out")]
    if script == "ask_an_endpoint":
        words += ["--port", str(free_port())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "DESSIN_CACHE": str(own_cache)}
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert SAID[script] in done.stdout
