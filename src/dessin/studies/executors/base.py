"""What an executor is, the one function that every executor calls for a job, and a job as text for another
process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dessin.recipe import make_recipe
from dessin.studies.records import Job, JobRecord


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


def to_text(spec: JobSpec) -> str:
    """One line of JSON."""
    return json.dumps(
        {
            "job": spec.job.model_dump(mode="json"),
            "recipe": make_recipe(spec.recipe).model_dump(mode="json"),
            "data": str(spec.data),
            "split": str(spec.split),
            "study": str(spec.study),
            "threads": spec.threads,
            "track": list(spec.track),
        }
    )


def from_text(text: str) -> JobSpec:
    """The job that `to_text` wrote."""
    values = json.loads(text)
    return JobSpec(
        job=Job.model_validate(values["job"]),
        recipe=values["recipe"],
        data=Path(values["data"]),
        split=Path(values["split"]),
        study=Path(values["study"]),
        threads=int(values["threads"]),
        track=tuple(values["track"]),
    )
