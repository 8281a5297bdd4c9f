"""What an executor is, and the one function that every executor calls for a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dessin.experiments.study.records import Job, JobRecord


@dataclass(frozen=True)
class JobSpec:
    """A job, whole and plain, so that it can be sent to another process or machine.

    `recipe` is complete (a dumped `Recipe`). `study` is the study's folder: the job works in `runs/<name>`
    below it and, as its last act, writes `jobs/<name>.json`. `split` is the study's own copy.
    """

    job: Job
    recipe: Mapping[str, Any]
    data: Path
    split: Path
    study: Path
    threads: int
    track: tuple[str, ...] = ()


class Executor(Protocol):
    """Carries out jobs; yields each job's record as it ends, in any order, each job exactly once."""

    name: str

    def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]: ...
