"""The wheel: whole, and good for the demo in an environment of its own, away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dessin import __version__

ROOT = Path(__file__).parents[1]
NEEDED = ("pyproject.toml", "README*", "LICENSE*", "NOTICE*")

pytestmark = pytest.mark.wheel


def done(*words: str | Path, cwd: Path) -> str:
    """What a command says; the checkout is on no path of it."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder outside the checkout, removed at once: an environment is not small."""
    folder = tmp_path_factory.mktemp("wheel")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    """Built without a network from a copy, so that the checkout stays clean."""
    copy = place / "copy"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for pattern in NEEDED:
        for path in ROOT.glob(pattern):
            shutil.copy(path, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check"]
    done(*pip, "--no-deps", "--no-build-isolation", "--no-index", "-w", place, copy, cwd=place)
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(place: Path, wheel: Path) -> Path:
    """The programs of a new environment: dessin from the wheel, and what it needs from this environment."""
    environment = place / "environment"
    done(sys.executable, "-m", "venv", "--without-pip", environment, cwd=place)
    scheme = sysconfig.get_paths("venv", vars={"base": str(environment), "platbase": str(environment)})
    here = Path(pytest.__file__).parents[1]
    (Path(scheme["purelib"]) / "needed.pth").write_text(f"{here}\n")
    programs = Path(scheme["scripts"])
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "-q"]
    done(*pip, "--disable-pip-version-check", "--no-deps", "--no-index", wheel, cwd=place)
    return programs


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    folder = ROOT / "src"
    wanted = {
        path.relative_to(folder).as_posix() for path in (folder / "dessin").rglob("*") if path.is_file()
    }
    wanted = {name for name in wanted if "__pycache__" not in name}
    kinds = {Path(name).suffix for name in wanted}
    assert {".py", ".html", ".css", ".js", ".csv", ".yaml", ".safetensors"} <= kinds
    assert "dessin/py.typed" in wanted
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()


def test_dessin_is_the_one_from_the_wheel(programs: Path, place: Path) -> None:
    where = done(programs / "python", "-c", "import dessin; print(dessin.__file__)", cwd=place)
    assert Path(where.strip()).is_relative_to(place)
    assert done(programs / "dessin", "--version", cwd=place) == f"dessin {__version__}\n"


def test_hints_install_from_the_same_wheel(programs: Path, place: Path, wheel: Path) -> None:
    code = "from dessin.errors import install_command; print(install_command('serve'))"
    hint = done(programs / "python", "-c", code, cwd=place)
    assert hint.endswith(f"-m pip install 'dessin[serve] @ {wheel.as_uri()}'\n")


def test_recipes_come_with_it(programs: Path, place: Path) -> None:
    assert "lite0-128" in done(programs / "dessin", "recipes", "--copy", "mine", cwd=place)
    assert (place / "mine" / "studies" / "mixup.yaml").is_file()


def test_the_demo_runs_from_it(programs: Path, place: Path) -> None:
    options = ["--classes", "12", "--per-class", "10", "--models", "tf_efficientnet_lite0", "--budget", "1m"]
    said = done(programs / "dessin", "demo", *options, cwd=place)
    assert "found" in said
    assert (place / "demo-out" / "result" / "index.html").is_file()
