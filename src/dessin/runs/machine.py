"""What a run was carried out with, and by whom: versions, hardware, the commit of the working folder."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil
import torch

from dessin.errors import quoted
from dessin.parallel.ray_queue import Work
from dessin.plugins import plugin_packages
from dessin.runs.record import Hardware

PACKAGES = (
    *("dessin", "torch", "torchvision", "timm", "numpy", "scipy"),
    *("Pillow", "opencv-python-headless", "safetensors"),
)

# Who runs are by; empty for nobody.
WHO: Final = "DESSIN_WHO"
# For what needs a name where there is none.
NOBODY: Final = "unknown"
_LONGEST_NAME = 60


def package_versions() -> dict[str, str]:
    """Versions of Python, of the packages that can change a number, and of plugins where there are any."""
    return {"python": platform.python_version(), **versions_of(PACKAGES), **plugin_packages()}


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def describe_hardware(threads: int) -> Hardware:
    return Hardware(
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        threads=threads,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else "",
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def git_commit() -> str:
    """The commit of the working folder, with `-dirty` where files differ from it; empty outside of git."""
    return _of_git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def who() -> str:
    """Who carries a run out: what `DESSIN_WHO` says, also nobody; else git's user.name, or the system's."""
    given = os.environ.get(WHO)
    if given is None:
        given = _of_git("config", "user.name") or _of_system()
    return quoted(given.strip(), _LONGEST_NAME)


def work_of(name: str, folder: Path) -> Work:
    """Work on a cluster that fills a folder, as its queue shows it."""
    return Work(name, str(folder.absolute()), who() or NOBODY)


def _of_system() -> str:
    # A container may give a number without a name.
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _of_git(*words: str) -> str:
    """What git says here; empty where it says nothing."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
