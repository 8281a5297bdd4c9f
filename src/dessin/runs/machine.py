"""What a run was carried out with: package versions, hardware and the commit of the working folder."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

from dessin.plugins import plugin_packages
from dessin.runs.record import Hardware

PACKAGES = (
    *("dessin", "torch", "torchvision", "timm", "numpy", "scipy"),
    *("Pillow", "opencv-python-headless", "safetensors"),
)


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
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
