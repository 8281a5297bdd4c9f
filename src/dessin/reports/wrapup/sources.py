"""What a wrap-up is written from: study folders and run folders, read as they stand, finished or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.answers.committee import Committee, find_home, find_model
from dessin.answers.predictions import read_predictions
from dessin.collection.split.files import Split, read_split
from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults
from dessin.committees.route.result import RouteResults
from dessin.committees.soup.result import SoupResults
from dessin.errors import DessinError
from dessin.progress import warn
from dessin.reading import read_json, read_text
from dessin.runs.holdout import looks_below
from dessin.runs.record import FILE, SPLIT_FILE, STUDY_FILE, RunRecord, SetName, SetResults, read_record
from dessin.schema import validated
from dessin.statistics.intervals import Estimate
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
from dessin.trust.evaluate.measure import measured


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


CommitteeResults = EnsembleResults | DistillResults | SoupResults | RouteResults | Committee
_COMMITTEES: tuple[type[CommitteeResults], ...] = (
    *(EnsembleResults, DistillResults, SoupResults, RouteResults),
    Committee,
)


@dataclass(frozen=True)
class CommitteeSource:
    """The folder of what was made of several models; `holdout` is what its committee has right there.

    `opened` are the dates on which it, or a model of it, was measured on the holdout.
    """

    path: Path
    results: CommitteeResults
    opened: tuple[str, ...] = ()
    holdout: Estimate | None = None


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
    def folders(self) -> tuple[Path, ...]:
        """Every folder that was given."""
        given: tuple[StudySource | RunSource | CommitteeSource, ...]
        given = (*self.studies, *self.runs, *self.committees)
        return tuple(source.path for source in given)

    @property
    def chosen(self) -> tuple[EnsembleResults | SoupResults, ...]:
        """What was chosen among members, which notes its data and split."""
        found = (source.results for source in self.committees)
        return tuple(each for each in found if isinstance(each, EnsembleResults | SoupResults))

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """The records of every run there is, those of the studies first."""
        inside = [job.record for study in self.studies for job in study.jobs if job.record]
        return (*inside, *(run.record for run in self.runs))


def read_sources(folders: Sequence[Path]) -> Sources:
    """Read the folders of studies, runs, and whatever is made of several runs; refuses others, and one given
    twice."""
    twice = [
        str(path) for path, count in Counter(folder.resolve() for folder in folders).items() if count > 1
    ]
    if twice:
        raise DessinError(f"{twice[0]} was given twice.", do="Name every study and run once.")
    studies, runs, committees = [], [], []
    for folder in map(find_home, folders):
        committee = next((kind for kind in _COMMITTEES if kind.lies_in(folder)), None)
        if (folder / STUDY_FILE).is_file():
            studies.append(read_study(folder))
        elif (folder / FILE).is_file():
            runs.append(RunSource(folder, read_record(folder), _split(folder)))
        elif committee is not None:
            committees.append(_committee(folder, committee.read(folder)))
        else:
            seen = "is no study, run or committee" if folder.is_dir() else "does not exist"
            raise DessinError(
                f"{folder} {seen}.",
                allowed=f"A study's folder has a {STUDY_FILE}, a run's a {FILE}.",
                do="Name folders that dessin study, train, ensemble, soup, route or distill wrote.",
            )
    return Sources(tuple(studies), tuple(runs), tuple(committees))


def _committee(folder: Path, results: CommitteeResults) -> CommitteeSource:
    """What was made of several models, with what is known of its holdout."""
    opened, home = looks_below([folder]).opened, find_model(folder)
    answers, split = home / "holdout", _split(home)
    if split is None or not (answers / "predictions.csv").is_file():
        return CommitteeSource(folder, results, opened)
    metrics = measured(read_predictions(answers), split.rows, seed=0)
    return CommitteeSource(folder, results, opened, metrics.accuracy)


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
