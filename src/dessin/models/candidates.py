"""Which backbones of the table a machine should try, each with its reason; pure, and without torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from dessin.decisions import Decision
from dessin.models.default_backbones import ALWAYS, ROWS, TABLE, Backbone
from dessin.models.price import WAYS, Price, Way, gib_of, gmacs_a_second, price
from dessin.progress import duration

# How many beside those that are always tried; and how many more of which only a part, or nothing, is trained.
_MOST, _MOST_OFFERED = {"cuda": 3}, {"cuda": 2}
_MOST_ELSEWHERE = 1
# The share of a budget that the features of all of them may take, and one of them with its training: they are
# ranked by probes, and the best is trained.
_LOOKING, _SHARE = 0.4, 0.5
_USABLE = 0.9
# Four epochs on 64% of the images.
_TUNED_ON = 4 * 0.64
# What people have of the internet. An estimate, as all times here: what is planned with them is measured
# before it begins.
_DOWNLOAD_GB_S = 0.02


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

    @property
    def gmacs_s(self) -> float:
        return gmacs_a_second(self.device, self.memory_gib, self.cores)


@dataclass(frozen=True)
class Job:
    """So many images; `seconds` is the whole budget, None where there is none; `tuned`: not frozen only."""

    images: int
    seconds: float | None
    tuned: bool


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Candidate(Decision[str]):
    """A backbone, what of it is trained, and what that is planned to take at `side` pixels, with AdamW.

    `seconds` are those of its features, its training and fetching its weights.
    """

    way: Way
    side: int
    gib: float
    seconds: float


@dataclass(frozen=True)
class Candidates:
    """Each backbone with its reason.

    `taken` are tried as the job wants them. For that, memory or time does not suffice for the `offered` ones,
    but it does for LoRA or a probe on frozen features (their `way`): a strong body frozen is worth more than
    a weak one tuned. `missed` would have been one of both, were the hub there; `left` are out otherwise.
    """

    taken: tuple[Candidate, ...]
    offered: tuple[Candidate, ...]
    missed: tuple[Candidate, ...]
    left: tuple[Decision[str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of those taken."""
        return tuple(candidate.value for candidate in self.taken)

    def lines(self) -> list[str]:
        """What the taken ones beside the usual are, what is offered, and what a hub would have changed."""
        extra = [candidate for candidate in self.taken if candidate.value not in ALWAYS]
        return [candidate.line() for candidate in (*extra, *self.offered, *self.missed)]


def choose_candidates(machine: Machine, job: Job) -> Candidates:
    """The usual ones, whose weights are packaged, and the strongest of the table that fit memory and time.

    Where the hub does not answer, the strongest of those that are here; `missed` has what it would have
    been, and the reason.
    """
    wants = _wanted(job)
    usual = [_usual(name, wants, machine, job) for name in ALWAYS]
    wanted, left = _fitting(machine, job, ROWS)
    found, missed = wanted, []
    if machine.hub:
        found, _ = _fitting(machine, job, machine.here)
        names = {candidate.value for candidate in found}
        missed = [_missed(candidate, machine) for candidate in wanted if candidate.value not in names]
    taken = [candidate for candidate in found if candidate.way == wants]
    offered = [candidate for candidate in found if candidate.way != wants]
    return Candidates((*usual, *taken), tuple(offered), tuple(missed), left)


def _usual(name: str, wants: Way, machine: Machine, job: Job) -> Candidate:
    backbone, _, weights = name.partition(":")
    reason = (
        "its weights have seen drawings, and come with dessin" if weights else "its weights come as a package"
    )
    return replace(_candidate(ROWS[backbone], wants, machine, job, reason), value=name)


def time_of(row: Backbone, way: Way, machine: Machine, images: int) -> Price:
    """Its features, and four epochs where it is trained, at its own size, in seconds and GiB."""
    return price(
        row,
        way,
        machine.gmacs_s,
        images=images,
        trained_on=_TUNED_ON * images,
    )


def _fitting(
    machine: Machine, job: Job, allowed: Collection[str]
) -> tuple[list[Candidate], tuple[Decision[str], ...]]:
    """The rows beside the usual ones, best first, each in the first way that fits; why others do not."""
    ways = WAYS if job.tuned else WAYS[-1:]
    found: list[Candidate] = []
    left: list[Decision[str]] = []
    for row in TABLE:
        why = _excluded(row, machine)
        if why:
            left.append(Decision("left out", row.name, why))
        elif row.tier != "packaged" and row.name in allowed:
            obstacles = {way: _obstacle(row, way, machine, job, found) for way in ways}
            # What keeps it from being used as the job wants is what people should know.
            why = obstacles[ways[0]]
            fitting = next((way for way, obstacle in obstacles.items() if not obstacle), None)
            if fitting is None:
                left.append(Decision("left out", row.name, why))
            else:
                words = _words(row, fitting, machine, job)
                found.append(_candidate(row, fitting, machine, job, f"{why}; {words}" if why else words))
    return found, tuple(left)


def _excluded(row: Backbone, machine: Machine) -> str:
    """Why this machine never tries a row unasked."""
    if row.tier == "named":
        return f"only when you name it: its licence is its own ({row.licence})"
    return "needs a GPU" if row.tier == "strong" and machine.device != "cuda" else ""


def _obstacle(row: Backbone, way: Way, machine: Machine, job: Job, found: Sequence[Candidate]) -> str:
    """Why it does not fit in this way beside those found before; empty where it does."""
    need, wants = gib_of(row, way), _wanted(job)
    if need is None:
        return "LoRA is not offered for it"
    if need > _USABLE * machine.memory_gib:
        return f"{_DOING[way]} needs {need:.1f} GiB, and {machine.memory_gib:.1f} are free"
    if job.seconds is not None:
        seconds = _seconds(row, way, machine, job)
        if seconds > _SHARE * job.seconds:
            return f"{_DOING[way]} takes about {duration(seconds)}, too much of {duration(job.seconds)}"
        names = (*(each.value for each in found), row.name)
        looking = sum(_seconds(ROWS[name], "frozen", machine, job) for name in names)
        if looking > _LOOKING * job.seconds:
            beside = " with those of stronger ones" if found else ""
            return f"its features{beside} take {duration(looking)}, too much of {duration(job.seconds)}"
    taken = sum(each.way == wants for each in found)
    most = _MOST.get(machine.device, _MOST_ELSEWHERE)
    more = _MOST_OFFERED.get(machine.device, _MOST_ELSEWHERE)
    if taken >= most or (way != wants and len(found) - taken >= more):
        return "as good ones are taken already"
    return ""


def _wanted(job: Job) -> Way:
    return "tuned" if job.tuned else "frozen"


_DOING: dict[Way, str] = {"tuned": "tuning", "lora": "LoRA", "frozen": "a probe"}
_DONE: dict[Way, str] = {"tuned": "tuned", "lora": "LoRA alone", "frozen": "frozen, for a probe"}


def _candidate(row: Backbone, way: Way, machine: Machine, job: Job, reason: str) -> Candidate:
    name = "candidate" if way == _wanted(job) else "offered"
    need = time_of(row, way, machine, job.images).gib
    return Candidate(name, row.name, reason, way, row.size, need, _seconds(row, way, machine, job))


def _missed(candidate: Candidate, machine: Machine) -> Candidate:
    name = {"candidate": "would have been a candidate", "offered": "would have been offered"}[candidate.name]
    reason = f"{machine.hub}; {candidate.reason}"
    return Candidate(
        name, candidate.value, reason, candidate.way, candidate.side, candidate.gib, candidate.seconds
    )


def _words(row: Backbone, way: Way, machine: Machine, job: Job) -> str:
    cost = time_of(row, way, machine, job.images)
    here = row.name in machine.here
    source = "its weights are here" if here else f"{row.gigabytes:.1f} GB from the hub"
    training = f", {_DOING[way]} {duration(cost.training)}" if cost.training else ""
    time = f"about {duration(cost.features)} for features of {job.images:,} images{training}"
    memory = f"{cost.gib:.1f} of {machine.memory_gib:.0f} GiB"
    return f"{row.described}, {_DONE[way]}, {row.size} px, {memory}, {time}, {source}"


def _seconds(row: Backbone, way: Way, machine: Machine, job: Job) -> float:
    """Of fetching its weights, its features and its training."""
    fetching = 0.0 if row.name in machine.here else row.gigabytes / _DOWNLOAD_GB_S
    return fetching + time_of(row, way, machine, job.images).seconds
