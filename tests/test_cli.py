from __future__ import annotations

import inspect
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import dessin
from dessin import cli


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dessin", *arguments], capture_output=True, text=True, cwd=cwd
    )


def test_help_answers_fast_and_loads_nothing_heavy() -> None:
    code = "import sys, dessin.cli; print({'torch', 'timm', 'numpy', 'cv2', 'PIL'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert run("--help").returncode == 0
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


@pytest.mark.parametrize(
    "verb",
    [
        "audit",
        "auto",
        "calibrate",
        "card",
        "curate",
        "distill",
        "ensemble",
        "evaluate",
        "explain",
        "export",
        "families",
        "fetch",
        "mistakes",
        "predict",
        "report",
        "route",
        "scout",
        "serve",
        "soup",
        "split",
        "studio",
        "submit",
        "train",
        "vote",
    ],
)
def test_every_verb_is_a_public_function_with_the_same_arguments(verb: str) -> None:
    function = inspect.signature(getattr(dessin, verb)).parameters
    command = inspect.signature(getattr(cli, verb)).parameters
    renamed = {"set_": "overrides"}
    for name in command:
        assert renamed.get(name, name) in function


def test_a_mistake_gives_one_paragraph_and_no_traceback(tmp_path: Path) -> None:
    result = run("audit", "no-such-folder", "--out", "a", cwd=tmp_path)
    assert result.returncode == 1
    assert "no-such-folder" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "a").exists()


def test_wrong_usage_exits_with_2() -> None:
    result = run("audti")
    assert result.returncode == 2
    assert "Did you mean 'audit'" in result.stderr


def test_every_command_has_a_sentence_of_help() -> None:
    group = typer.main.get_command(cli.app)
    for command in group.commands.values():  # type: ignore[attr-defined]
        assert command.help
