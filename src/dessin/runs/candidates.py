"""The backbones that this machine should try where nobody names one: its memory, its weights, the hub."""

from __future__ import annotations

import os
from dataclasses import replace

import torch

from dessin.models.candidates import Candidates, Job, Machine, choose_candidates
from dessin.models.default_backbones import TABLE
from dessin.models.hub import hub_silence
from dessin.models.weights import weights_are_here
from dessin.training.device import choose_device, free_memory


def this_machine(*, hub: str = "") -> Machine:
    """This machine as it is now; `hub` is what `hub_silence` said."""
    device = choose_device().value
    here = frozenset(row.name for row in TABLE if weights_are_here(row.name))
    memory = free_memory(torch.device(device)) / 2**30
    return Machine(device, memory, os.cpu_count() or 1, here, hub)


def candidates_here(job: Job) -> Candidates:
    """The candidates for a job on this machine; the hub is asked only where its answer changes them."""
    machine = this_machine()
    without = choose_candidates(replace(machine, hub="not asked"), job)
    if not without.missed:
        return without
    return choose_candidates(replace(machine, hub=hub_silence()), job)
