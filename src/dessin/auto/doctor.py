"""What this machine has: device, precision, versions, weights, backbones. For people, before they start."""

from __future__ import annotations

import os
import platform
import shutil

import psutil

from dessin.errors import DessinError
from dessin.files import cache_folder
from dessin.language import retold
from dessin.models.backbones import candidate
from dessin.models.candidates import Job, Machine, choose_candidates, time_of
from dessin.models.default_backbones import TABLE, Backbone
from dessin.models.drawn import DIGESTS, DRAWN
from dessin.models.hub import hub_silence
from dessin.models.price import WAYS, gib_of
from dessin.models.weights import PACKAGED, resolve_weights
from dessin.page.notebook import ShownDict
from dessin.progress import duration, say
from dessin.runs.candidates import this_machine
from dessin.runs.machine import versions_of
from dessin.training.device import choose_device, choose_precision

PACKAGES = (
    *("dessin", "torch", "torchvision", "timm", "numpy", "scikit-learn"),
    *("Pillow", "opencv-python-headless"),
)

_JOB, _JOB_IN_WORDS = Job(images=3000, seconds=3600.0, tuned=True), "3,000 drawings and an hour"


def doctor() -> ShownDict:
    """Say what this machine has: device, precision, versions, weights, and which backbones suit it.

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
    for name in (*PACKAGED, *(f"{backbone}:{DRAWN}" for backbone in DIGESTS)):
        try:
            weights = resolve_weights(*candidate(name))
            finding = f"{weights.source}, sha256 {weights.sha256[:12]}, {weights.licence}"
        except DessinError as error:
            finding = f"none: {error.seen}"
        findings[f"Weights {name}"] = finding
    width = max(map(len, findings))
    backbones = _backbones()
    for name, finding in (findings | backbones).items():
        say(f"{name:<{width}}  {retold(finding)}")
    return ShownDict(findings | backbones)


def _backbones() -> dict[str, str]:
    """The table that `auto` and `scout` take their candidates from, and what they do with each here."""
    silent = hub_silence()
    machine = this_machine(hub=silent)
    chosen = choose_candidates(machine, _JOB)
    findings = {
        "Hub": silent or "it answers",
        "Candidates": f"{', '.join(chosen.names)}, for {_JOB_IN_WORDS}",
    }
    if chosen.offered:
        findings["Offered"] = ", ".join(f"{each.value} ({each.way})" for each in chosen.offered)
    decided = {each.value: each for each in (*chosen.taken, *chosen.offered, *chosen.missed, *chosen.left)}
    for row in TABLE:
        where = "here" if row.name in machine.here else f"{row.gigabytes:.1f} GB on the hub"
        finding = (
            f"{row.tier}, {row.described}, at {row.size} px {_would_take(row, machine)}, weights {where}"
        )
        if row.name in decided:
            finding += f"; {decided[row.name].name}: {decided[row.name].reason}"
        findings[f"Backbone {row.name}"] = finding
    return findings


def _would_take(row: Backbone, machine: Machine) -> str:
    """What it is planned to cost here, in each way that it can be used."""
    ways = [way for way in reversed(WAYS) if gib_of(row, way) is not None]
    costs = {way: time_of(row, way, machine, _JOB.images) for way in ways}
    parts = [f"{way} {duration(cost.seconds)} and {cost.gib:.1f} GiB" for way, cost in costs.items()]
    return f"{_JOB.images:,} drawings would take {', '.join(parts)}"


def _cache() -> str:
    folder = cache_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return f"{folder} ({free:.1f} GiB free); safe to delete, set DESSIN_CACHE to move it"
