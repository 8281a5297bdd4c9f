"""What a wrap-up is written from: study folders and run folders, read as they stand, finished or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.split.files import Split, read_split
from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults
from dessin.errors import DessinError
from dessin.progress import warn
from dessin.reading import read_json, read_text
from dessin.runs.record import FILE, SPLIT_FILE, STUDY_FILE, RunRecord, SetName, SetResults, read_record
from dessin.schema import validated
from dessin.studies.result import (
    JOBS,
    RUNS,
    TEXT_FILE,
    Job,
    JobRecord,
    StudyRecord,
    StudyResults,
)
from dessin.training.curve import CurveRow, read_curve


@dataclass(frozen=True)
class RunSource:
    """A run folder; `split` is None where the run was killed before it wrote its copy."""

    path: Path
    record: RunRecord
    split: Split | None

    @property
    def honest_result(self) -> tuple[SetResults | None, SetName]:
        """The results on the holdout, else those on the validation fold, if there are any."""
        name: SetName = "holdout" if "holdout" in self.record.results else "validation"
        return self.record.results.get(name), name


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
    def seconds(self) -> float:
        return sum(job.ended.seconds for job in self.jobs if job.ended)


@dataclass(frozen=True)
class CommitteeSource:
    """The folder of an ensemble or of a distillation."""

    path: Path
    results: EnsembleResults | DistillResults


@dataclass(frozen=True)
class Sources:
    """Everything that was given, in the order given; the last run is the final one."""

    studies: tuple[StudySource, ...]
    runs: tuple[RunSource, ...]
    committees: tuple[CommitteeSource, ...] = ()

    @property
    def final(self) -> RunSource | None:
        return self.runs[-1] if self.runs else None

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """The records of every run there is, those of the studies first."""
        inside = [job.record for study in self.studies for job in study.jobs if job.record]
        return (*inside, *(run.record for run in self.runs))


def read_sources(folders: Sequence[Path]) -> Sources:
    """Read the folders of studies, ensembles, distillations and runs; refuses others, and one given twice."""
    twice = [
        str(path) for path, count in Counter(folder.resolve() for folder in folders).items() if count > 1
    ]
    if twice:
        raise DessinError(f"{twice[0]} was given twice.", do="Name every study and run once.")
    studies, runs, committees = [], [], []
    for folder in folders:
        if (folder / STUDY_FILE).is_file():
            studies.append(read_study(folder))
        elif (folder / FILE).is_file():
            runs.append(RunSource(folder, read_record(folder), _split(folder)))
        elif EnsembleResults.lies_in(folder):
            committees.append(CommitteeSource(folder, EnsembleResults.read(folder)))
        elif DistillResults.lies_in(folder):
            committees.append(CommitteeSource(folder, DistillResults.read(folder)))
        else:
            seen = "is no study, run, ensemble or distillation" if folder.is_dir() else "does not exist"
            raise DessinError(
                f"{folder} {seen}.",
                allowed=f"A study's folder has a {STUDY_FILE}, a run's a {FILE}.",
                do="Name folders that dessin study, train, ensemble or distill wrote.",
            )
    return Sources(tuple(studies), tuple(runs), tuple(committees))


def read_study(folder: Path) -> StudySource:
    """Read a study folder; a job's run that cannot be read is warned of, and then missing."""
    record, definition = StudyRecord.read(folder), folder / TEXT_FILE
    return StudySource(
        path=folder,
        record=record,
        results=StudyResults.find(folder),
        jobs=tuple(_job(folder, job) for job in record.jobs),
        split=_split(folder),
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


def _split(folder: Path) -> Split | None:
    return read_split(folder / SPLIT_FILE) if (folder / SPLIT_FILE).is_file() else None
