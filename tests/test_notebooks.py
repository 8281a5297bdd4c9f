"""The notebooks run as they stand, and what their cells end with shows itself, without a word beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
RUNNER = Path(__file__).parent / "kits" / "run_notebooks.py"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The cells of each with their outputs; a folder is kept that DESSIN_TEST_OUTPUT names."""
    out = Path(os.environ.get("DESSIN_TEST_OUTPUT", tmp_path_factory.mktemp("out"))) / "notebooks"
    out.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "DESSIN_CACHE": str(tmp_path_factory.mktemp("cache")),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
        "OMP_NUM_THREADS": "1",
    }
    words = [sys.executable, "-W", "ignore", str(RUNNER), str(out), *map(str, NOTEBOOKS)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        path.stem: json.loads((out / path.name).read_text(encoding="utf-8"))["cells"] for path in NOTEBOOKS
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_results_show_themselves_and_nothing_else_is_said(path: Path, executed: dict[str, Any]) -> None:
    shown = 0
    for cell in executed[path.stem]:
        source = "".join(cell["source"])
        for output in cell.get("outputs", ()):
            if output["output_type"] == "stream":
                lines = "".join(output["text"]).splitlines()
                warned = all(line.startswith("WARNING: ") for line in lines if line)
                assert "print(" in source or warned, lines
            elif output["output_type"] == "execute_result":
                data = output["data"]
                assert len("".join(data["text/plain"])) < 2000
                shown += "text/html" in data or "image/png" in data
            else:
                # What is left of a bar when its work is done.
                assert "".join(output["data"]["text/html"]) == ""
    assert shown >= 3


def test_the_three_notebooks_are_listed_and_kept_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["contest", "developer", "teacher"]
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        assert f"({path.name})" in listed
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
