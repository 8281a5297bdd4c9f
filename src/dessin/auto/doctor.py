"""What this machine has: device, precision, versions, weights, backbones. For people, before they start."""

from __future__ import annotations

import os
import platform
import shutil

import psutil
from rich.cells import cell_len

from dessin.errors import DessinError
from dessin.files import cache_folder
from dessin.language import Phrase, phrase, retold, spoken
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

_JOB = Job(images=3000, seconds=3600.0, tuned=True)


def doctor() -> ShownDict:
    """Say what this machine has: device, precision, versions, weights, and which backbones suit it.

    Returns:
        What was found, name → finding.
    """
    device = choose_device()
    precision = choose_precision(device.value)
    memory = psutil.virtual_memory().total / 2**30
    findings = {
        phrase("Python"): f"{platform.python_version()}, {platform.system()} {platform.machine()}",
        phrase("Processor"): f"{os.cpu_count()} cores, {memory:.0f} GiB of memory",
        phrase("Device"): f"{device.value}: {device.reason}",
        phrase("Precision"): f"{precision.value}: {precision.reason}",
        phrase("Cache"): _cache(),
    }
    findings |= {phrase("Package {name}", name=name): found for name, found in versions_of(PACKAGES).items()}
    for name in (*PACKAGED, *(f"{backbone}:{DRAWN}" for backbone in DIGESTS)):
        try:
            weights = resolve_weights(*candidate(name))
            finding = phrase(
                "{source}, sha256 {digest}, {licence}",
                source=_told(weights.source),
                digest=weights.sha256[:12],
                licence=_told(weights.licence),
            )
        except DessinError as error:
            finding = phrase("none: {why}", why=_told(error.seen))
        findings[phrase("Weights {name}", name=name)] = finding
    width = max(cell_len(name.spoken) for name in findings)
    backbones = _backbones()
    every = findings | backbones
    for title, found in every.items():
        say(f"{title.spoken}{' ' * (width - cell_len(title.spoken))}  {retold(found)}")
    return ShownDict({str(title): found for title, found in every.items()})


def _told(text: str) -> Phrase:
    return Phrase(text, retold(text))


def _backbones() -> dict[Phrase, str]:
    """The table that `auto` and `scout` take their candidates from, and what they do with each here."""
    silent = hub_silence()
    machine = this_machine(hub=silent)
    chosen = choose_candidates(machine, _JOB)
    findings: dict[Phrase, str] = {
        phrase("Hub"): silent or "it answers",
        phrase("Candidates"): phrase(
            "{models}, for 3,000 drawings and an hour", models=", ".join(chosen.names)
        ),
    }
    if chosen.offered:
        findings[phrase("Offered")] = ", ".join(f"{each.value} ({each.way})" for each in chosen.offered)
    decided = {each.value: each for each in (*chosen.taken, *chosen.offered, *chosen.missed, *chosen.left)}
    for row in TABLE:
        where = (
            phrase("weights here")
            if row.name in machine.here
            else phrase("weights {gigabytes} GB on the hub", gigabytes=f"{row.gigabytes:.1f}")
        )
        finding = phrase(
            "{tier}, {described}, at {size} px {cost}, {where}",
            tier=row.tier,
            described=_told(row.described),
            size=row.size,
            cost=_would_take(row, machine),
            where=where,
        )
        if row.name in decided:
            made = decided[row.name]
            more = f"{finding}; {made.name}: {made.reason}"
            finding = Phrase(more, f"{finding.spoken}; {made.title}: {retold(made.reason)}")
        findings[phrase("Backbone {name}", name=row.name)] = finding
    return findings


def _would_take(row: Backbone, machine: Machine) -> Phrase:
    """What it is planned to cost here, in each way that it can be used."""
    ways = [way for way in reversed(WAYS) if gib_of(row, way) is not None]
    costs = {way: time_of(row, way, machine, _JOB.images) for way in ways}
    parts = [
        phrase("{way} {time} and {gib} GiB", way=way, time=duration(cost.seconds), gib=f"{cost.gib:.1f}")
        for way, cost in costs.items()
    ]
    each = Phrase(", ".join(parts), ", ".join(map(spoken, parts)))
    return phrase("{drawings} drawings would take {each}", drawings=f"{_JOB.images:,}", each=each)


def _cache() -> str:
    folder = cache_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return f"{folder} ({free:.1f} GiB free); safe to delete, set DESSIN_CACHE to move it"
