"""Which backbones of the table a machine should try, each with its reason; pure, and without torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dessin.decisions import Decision
from dessin.models.default_backbones import ALWAYS, ROWS, TABLE, Backbone
from dessin.progress import duration

# How many beside those that are always tried.
_MOST = {"cuda": 3}
_MOST_ELSEWHERE = 1
# The share of a budget that they may take; the rest is for the training of the one that is chosen.
_SHARE = 0.5
_USABLE = 0.9
# Passes over the images: features of an image and its mirror image; four epochs on 64% of them, a step of
# which costs three passes.
_FEATURES, _TUNING = 2.0, 4 * 3 * 0.64
# What people have of the internet, and what a core and GPUs of so many GiB compute, in numbers that are met
# rather than the best. Estimates: what is planned with them is measured before it begins.
_DOWNLOAD_GB_S = 0.02
_CORE_GMACS_S = 12.0
_GPU_GMACS_S = ((45.0, 50_000.0), (20.0, 20_000.0), (0.0, 7_000.0))


@dataclass(frozen=True)
class Machine:
    """What counts for the choice: `device` as `choose_device` names it, and the memory of that device.

    `here` are the backbones whose weights are on this machine, in a package or the hub's cache; `hub` is
    empty where the hub answers, else why it does not.
    """

    device: str
    memory_gib: float
    cores: int
    here: Collection[str]
    hub: str


@dataclass(frozen=True)
class Job:
    """So many images; `seconds` is the whole budget, None where there is none; `tuned`: not frozen only."""

    images: int
    seconds: float | None
    tuned: bool


@dataclass(frozen=True)
class Candidates:
    """Each backbone with its reason: `taken`, `missed` for want of the hub, and `left` out otherwise."""

    taken: tuple[Decision[str], ...]
    missed: tuple[Decision[str], ...]
    left: tuple[Decision[str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(decision.value for decision in self.taken)

    def lines(self) -> list[str]:
        """What the taken ones beside the usual are, and what a hub would have changed."""
        extra = [decision.line() for decision in self.taken if decision.value not in ALWAYS]
        return extra + [decision.line() for decision in self.missed]


def choose_candidates(machine: Machine, job: Job) -> Candidates:
    """The usual ones, whose weights are packaged, and the strongest of the table that fit memory and time.

    Where the hub does not answer, the strongest of those that are here; `missed` has what it would have
    been, and the reason.
    """
    usual = [Decision("candidate", name, "its weights come as a package") for name in ALWAYS]
    wanted, left = _fitting(machine, job, ROWS)
    taken, missed = wanted, []
    if machine.hub:
        taken, _ = _fitting(machine, job, machine.here)
        missed = [
            Decision("would have been a candidate", row.name, f"{machine.hub}; {_words(row, machine, job)}")
            for row in wanted
            if row not in taken
        ]
    extra = [Decision("candidate", row.name, _words(row, machine, job)) for row in taken]
    return Candidates((*usual, *extra), tuple(missed), left)


def _fitting(
    machine: Machine, job: Job, allowed: Collection[str]
) -> tuple[list[Backbone], tuple[Decision[str], ...]]:
    """The rows beside the usual ones, best first, and why others are left out."""
    most = _MOST.get(machine.device, _MOST_ELSEWHERE)
    taken: list[Backbone] = []
    left: list[Decision[str]] = []
    for row in TABLE:
        need = row.tuning_gib if job.tuned else row.features_gib
        seconds = sum(_seconds(each, machine, job) for each in (*taken, row))
        why = ""
        if row.tier == "named":
            why = f"only when you name it: its licence is its own ({row.licence})"
        elif row.tier == "strong" and machine.device != "cuda":
            why = "needs a GPU"
        elif row.tier == "packaged" or row.name not in allowed:
            continue
        elif need > _USABLE * machine.memory_gib:
            why = f"needs {need:.1f} GiB, and {machine.memory_gib:.1f} are free"
        elif job.seconds is not None and seconds > _SHARE * job.seconds:
            why = f"{_minutes(row, machine, job)}, too much of {duration(job.seconds)}"
        elif len(taken) == most:
            why = "as good ones are taken already"
        if why:
            left.append(Decision("left out", row.name, why))
        else:
            taken.append(row)
    return taken, tuple(left)


def _words(row: Backbone, machine: Machine, job: Job) -> str:
    need = row.tuning_gib if job.tuned else row.features_gib
    here = row.name in machine.here
    source = "its weights are here" if here else f"{row.gigabytes:.1f} GB from the hub"
    memory = f"{need:.1f} of {machine.memory_gib:.0f} GiB"
    return f"{row.described}, {row.size} px, {memory}, {_minutes(row, machine, job)}, {source}"


def _minutes(row: Backbone, machine: Machine, job: Job) -> str:
    return f"about {max(1, round(_seconds(row, machine, job) / 60))} min"


def _seconds(row: Backbone, machine: Machine, job: Job) -> float:
    """Of fetching its weights, its features, and where it is tuned four epochs, at its own size."""
    rate = _CORE_GMACS_S * machine.cores
    if machine.device != "cpu":
        rate = next(gmacs for least, gmacs in _GPU_GMACS_S if machine.memory_gib >= least)
    passes = _FEATURES + (_TUNING if job.tuned else 0.0)
    fetching = 0.0 if row.name in machine.here else row.gigabytes / _DOWNLOAD_GB_S
    return fetching + passes * job.images * row.gmacs / rate
