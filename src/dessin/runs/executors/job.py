"""A run as a job: as it is sent to another process or machine, and how it is carried out there."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from dessin.collection.split.files import read_split
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import locked
from dessin.folders import contents, hold
from dessin.progress import warn
from dessin.recipe import Recipe, make_recipe
from dessin.runs.executors.record import JOBS, RUNS, JobRecord, Outcome, ended_job, write_job
from dessin.runs.prepare import complete
from dessin.runs.record import RunRecord, read_record
from dessin.runs.run import Order, begin_run, located, resume_run
from dessin.runs.same import recipe_alone
from dessin.runs.stages import remove_leftovers
from dessin.schema import NewerFormat
from dessin.system import most_memory


@dataclass(frozen=True)
class JobSpec:
    """A job, whole and plain, so that it can be sent to another process or machine.

    `recipe` is complete (a dumped `Recipe`). `home` is the folder of a study or of whatever else is made of
    runs: the job works below it in `runs`/`name` and, as its last act, writes `jobs/<name>.json`. `split` is
    the home's own copy. `seconds_allowed` and `page` are those of an `Order`.
    """

    name: str
    recipe: Mapping[str, Any]
    data: Path
    split: Path
    home: Path
    threads: int
    track: tuple[str, ...] = ()
    runs: str = RUNS
    seconds_allowed: float | None = None
    page: Decision[str] | None = None

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.home / self.runs / self.name

    @property
    def ended(self) -> JobRecord | None:
        """How the job ended, where it has."""
        return ended_job(self.home, self.name, self.runs)

    def to_text(self) -> str:
        """One line of JSON, which `from_text` reads."""
        return _SPEC.dump_json(self).decode()


_SPEC = TypeAdapter(JobSpec)
from_text = _SPEC.validate_json


class Executor(Protocol):
    """Carries out jobs; yields each job's record as it ends, in any order, each job exactly once."""

    name: str

    def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]: ...

    def places(self, threads: int) -> int:
        """How many jobs of so many threads it carries out at a time, at least 1."""
        ...


def carry_out_job(spec: JobSpec, executor: str) -> JobRecord:
    """Train, go on with, or merely record a job; `jobs/<name>.json` is written as the last act.

    Whatever a run can do wrong becomes a record of status `failed`, or `collapsed`; only an interruption by
    the user passes. Two processes with the same job: the second waits, and takes what the first wrote.
    """
    name, started = spec.name, time.monotonic()
    before = spec.ended
    with locked(spec.home / JOBS / f".{name}.lock"):
        after = spec.ended
        if after is not None and (after != before or after.status != "failed"):
            return after
        run = spec.run
        reason = ""
        try:
            _carry_out(spec, run)
        except Exception as error:
            reason = str(error) if isinstance(error, DessinError) else f"{type(error).__name__}: {error}"
        record = _describe(name, run, reason, time.monotonic() - started, executor)
        write_job(spec.home, record)
    return record


def thread_environment(threads: int) -> dict[str, str]:
    """Environment of a process that computes with so many threads, set before torch and numpy are imported.

    How many there are decides in which order floats are summed, so every executor sets the same.
    """
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))


def _carry_out(spec: JobSpec, run: Path) -> None:
    """Leave the run folder with a run that ended; raises whatever ended it early."""
    recipe = make_recipe(spec.recipe, where=f"the recipe of the job {spec.name}")
    found = None
    if run.is_dir():
        with hold(run, wait=True):
            found = _recover(run, recipe, spec.split)
            if found is not None and found.status == "finished":
                # One that was killed as it tidied up.
                remove_leftovers(run)
    if found is None:
        order = Order(
            located(recipe, spec.data, spec.split),
            out=run,
            track=spec.track,
            threads=spec.threads,
            seconds_allowed=spec.seconds_allowed,
            page=spec.page,
        )
        begin_run(order)
    elif found.status == "collapsed":
        raise DessinError(found.reason)
    elif found.status != "finished":
        resume_run(run, data=spec.data, track=spec.track, seconds_allowed=spec.seconds_allowed)


def _recover(run: Path, recipe: Recipe, split: Path) -> RunRecord | None:
    """The run in a folder; None where there is none, after moving aside what can not be gone on with."""
    if not contents(run):
        return None
    try:
        record = read_record(run)
    except NewerFormat:
        raise
    except DessinError as error:
        _set_aside(run, "damaged", str(error))
        return None
    before, now = (complete(recipe_alone(one))[0] for one in (record.recipe, recipe))
    if before != now or record.digests.split != read_split(split).digest:
        _set_aside(run, "other", "It holds a run of another recipe or another split.")
        return None
    return record


def _set_aside(run: Path, why: str, detail: str) -> None:
    names = (run.with_name(f"{run.name}.{why}-{number}") for number in itertools.count(1))
    aside = next(path for path in names if not path.exists())
    run.rename(aside)
    warn(f"{run} cannot be gone on with and is now {aside.name}; the run begins anew. {detail}")


def _describe(name: str, run: Path, reason: str, elapsed: float, executor: str) -> JobRecord:
    """How the job ended; its time counts earlier beginnings too."""
    found = None
    with suppress(DessinError):
        found = read_record(run)
    spent = sum(found.timings.values()) if found else 0.0
    reason = reason or ("" if found and found.status == "finished" else "the run left no record")
    results = None if reason or found is None else found.results.get("validation")
    status: Outcome = "failed" if reason else "finished"
    if reason and found and found.status == "collapsed":
        status = "collapsed"
    return JobRecord(
        job=name,
        status=status,
        reason=reason,
        seconds=round(max(elapsed, spent), 2),
        host=socket.gethostname(),
        executor=executor,
        accuracy=results.accuracy if results else None,
        loss=results.loss if results else None,
        memory=most_memory(),
    )
