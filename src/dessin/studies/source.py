"""A study's folder read as it stands, finished or not, for whoever tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dessin.collection.split.files import Split, read_split
from dessin.errors import DessinError
from dessin.progress import warn
from dessin.reading import read_json, read_text
from dessin.runs.executors.record import JOBS, RUNS, JobRecord
from dessin.runs.record import FILE, SPLIT_FILE, RunRecord, read_record
from dessin.schema import validated
from dessin.studies.result import TEXT_FILE, Job, StudyRecord, StudyResults
from dessin.training.curve import CurveRow, read_curve


@dataclass(frozen=True)
class StudyJob:
    """One job of a study; `ended` is None until it has, `record` where its run folder is not there."""

    job: Job
    ended: JobRecord | None
    record: RunRecord | None
    curve: tuple[CurveRow, ...]


@dataclass(frozen=True)
class StudySource:
    """A study folder; `results` is None until all of it was analysed, `definition` is its YAML or empty."""

    path: Path
    record: StudyRecord
    results: StudyResults | None
    jobs: tuple[StudyJob, ...]
    split: Split | None
    definition: str

    @property
    def ended(self) -> int:
        """How many of the jobs have ended, in whatever way."""
        return sum(job.ended is not None for job in self.jobs)

    @property
    def complete(self) -> bool:
        """Whether every job has ended and is in the results."""
        levels = self.results.levels if self.results else ()
        analysed = sum(level.finished + level.collapsed + level.failed for level in levels)
        return analysed == self.ended == len(self.jobs)

    @property
    def lost(self) -> tuple[StudyJob, ...]:
        """Jobs that ended without a result."""
        return tuple(job for job in self.jobs if job.ended and job.ended.status != "finished")

    @property
    def seconds(self) -> float:
        return sum(job.ended.seconds for job in self.jobs if job.ended)


def read_source(folder: Path) -> StudySource:
    """Read a study folder; a job's run that cannot be read is warned of, and then missing."""
    record, definition, split = StudyRecord.read(folder), folder / TEXT_FILE, folder / SPLIT_FILE
    return StudySource(
        path=folder,
        record=record,
        results=StudyResults.find(folder),
        jobs=tuple(_job(folder, job) for job in record.jobs),
        split=read_split(split) if split.is_file() else None,
        definition=read_text(definition) if definition.is_file() else "",
    )


def _job(folder: Path, job: Job) -> StudyJob:
    ended, run = folder / JOBS / f"{job.name}.json", folder / RUNS / job.name
    record: RunRecord | None = None
    curve: tuple[CurveRow, ...] = ()
    if (run / FILE).is_file():
        try:
            record, curve = read_record(run), read_curve(run / "curve.csv")
        except DessinError as error:
            warn(f"{run} is left out of the curves: {error}")
    # The record of a job speaks for itself: a study may be kept without the folders of its runs.
    done = validated(JobRecord, read_json(ended), str(ended)) if ended.is_file() else None
    return StudyJob(job, done, record, curve)
