"""What this machine has: device, precision, versions, weights. For people, before they start."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version

import psutil

from dessin.errors import DessinError
from dessin.files import cache_folder
from dessin.models.weights import PACKAGED, resolve_weights
from dessin.progress import say
from dessin.training.device import choose_device, choose_precision

PACKAGES = (
    "dessin",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scikit-learn",
    "Pillow",
    "opencv-python-headless",
)


def doctor() -> dict[str, str]:
    """Say what this machine has: device, precision, versions and weights.

    Returns:
        What was found, name → finding.
    """
    device = choose_device()
    precision = choose_precision(device.value)
    findings = {
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "Processor": f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB of memory",
        "Device": f"{device.value}: {device.reason}",
        "Precision": f"{precision.value}: {precision.reason}",
        "Cache": _cache(),
    }
    findings |= {f"Package {name}": _version(name) for name in PACKAGES}
    findings |= {f"Weights {name}": _weights(name) for name in PACKAGED}
    width = max(map(len, findings))
    for name, finding in findings.items():
        say(f"{name:<{width}}  {finding}")
    return findings


def _cache() -> str:
    folder = cache_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return f"{folder} ({free:.1f} GiB free); safe to delete, set DESSIN_CACHE to move it"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _weights(backbone: str) -> str:
    try:
        weights = resolve_weights(backbone, "auto")
    except DessinError as error:
        return f"none: {error.seen}"
    return f"{weights.source}, sha256 {weights.sha256[:12]}, {weights.licence}"
