"""How a job ended: `jobs/<job>.json` below the folder that it belongs to, beside the runs themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.progress import warn
from dessin.reading import read_json
from dessin.runs.record import read_record
from dessin.schema import Section, validated
from dessin.statistics.intervals import Estimate

JOBS = "jobs"
RUNS = "runs"
Outcome = Literal["finished", "collapsed", "failed"]


class JobRecord(Section):
    """`jobs/<job>.json`: how a job ended; one file a job, so that two machines never write the same one.

    `memory` is the most that its process had, in bytes.
    """

    job: str
    status: Outcome
    reason: str = ""
    seconds: float
    host: str = ""
    executor: str = "local"
    accuracy: Estimate | None = None
    loss: Estimate | None = None
    memory: int = Field(0, exclude_if=lambda memory: not memory)


def ended_job(folder: Path, name: str, runs: str = RUNS) -> JobRecord | None:
    """How a job ended, or None: not yet, its file is damaged, or its run in the folder `runs` is gone."""
    path = folder / JOBS / f"{name}.json"
    if not path.is_file():
        return None
    try:
        record = validated(JobRecord, read_json(path), str(path))
        if record.status == "failed" or read_record(folder / runs / name).status == record.status:
            return record
    except DessinError as error:
        warn(f"The job {name} is looked at again: {error.seen}")
    return None


def write_job(folder: Path, record: JobRecord) -> None:
    """Write `jobs/<job>.json`."""
    write_json(folder / JOBS / f"{record.job}.json", record.model_dump(mode="json"))
