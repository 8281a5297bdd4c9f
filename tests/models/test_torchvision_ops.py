from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dessin.models import torchvision_ops

pytestmark = pytest.mark.slow


def test_timm_can_be_imported_twice_and_is_the_same() -> None:
    assert torchvision_ops.import_timm() is torchvision_ops.import_timm()
    import torchvision.transforms.v2

    assert torchvision.transforms.v2.Resize


def test_what_only_the_trainer_of_timm_wants_is_not_imported_and_can_be_later(tmp_path: Path) -> None:
    (tmp_path / "wandb.py").write_text("print('imported')\n")
    code = "from dessin.models.torchvision_ops import import_timm; import_timm(); print('here'); import wandb"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.stdout.split("\n")[:2] == ["here", "imported"], run.stderr


def test_compiled_ops_that_do_not_load_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "_C.so").write_bytes(b"not a library")
    assert not torchvision_ops._compiled_ops_load([str(tmp_path)])


def test_another_fault_of_torchvision_is_not_hidden(tmp_path: Path) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('a fault of its own')\n")
    code = "from dessin.models.torchvision_ops import import_timm; import_timm()"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "a fault of its own" in run.stderr
