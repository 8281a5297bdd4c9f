"""What this machine has: device, precision, versions, weights. For people, before they start."""

from __future__ import annotations

import os
import platform
import shutil

import psutil

from dessin.errors import DessinError
from dessin.files import cache_folder
from dessin.models.weights import PACKAGED, resolve_weights
from dessin.progress import say
from dessin.runs.machine import versions_of
from dessin.training.device import choose_device, choose_precision

PACKAGES = (
    *("dessin", "torch", "torchvision", "timm", "numpy", "scikit-learn"),
    *("Pillow", "opencv-python-headless"),
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
    findings |= {f"Package {name}": found for name, found in versions_of(PACKAGES).items()}
    for name in PACKAGED:
        try:
            weights = resolve_weights(name, "auto")
            finding = f"{weights.source}, sha256 {weights.sha256[:12]}, {weights.licence}"
        except DessinError as error:
            finding = f"none: {error.seen}"
        findings[f"Weights {name}"] = finding
    width = max(map(len, findings))
    for name, finding in findings.items():
        say(f"{name:<{width}}  {finding}")
    return findings


def _cache() -> str:
    folder = cache_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return f"{folder} ({free:.1f} GiB free); safe to delete, set DESSIN_CACHE to move it"
