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
from dessin.runs.fold_group import is_run, records_of, run_record
from dessin.runs.holdout import looks_below
from dessin.runs.record import FILE, SPLIT_FILE, STUDY_FILE, RunRecord, SetName, SetResults
from dessin.statistics.intervals import Estimate
from dessin.studies.source import StudySource, read_source
from dessin.trust.evaluate.measure import measured


@dataclass(frozen=True)
class RunSource:
    """A run folder, or a group of folds; `split` is None where a run was killed before it wrote its copy.

    `parts` are the records of the group's folds, or the run's own.
    """

    path: Path
    record: RunRecord
    parts: tuple[RunRecord, ...]
    split: Split | None

    @property
    def honest_result(self) -> tuple[SetResults | None, SetName]:
        """The results on the holdout, else those on the validation fold, if there are any."""
        name: SetName = "holdout" if "holdout" in self.record.results else "validation"
        return self.record.results.get(name), name


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
        return (*inside, *(part for run in self.runs for part in run.parts))


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
            studies.append(read_source(folder))
        elif is_run(folder):
            runs.append(RunSource(folder, run_record(folder), records_of(folder), _split(folder)))
        elif committee is not None:
            committees.append(_committee(folder, committee.read(folder)))
        else:
            raise DessinError(
                f"{folder} is no study, run or committee."
                if folder.is_dir()
                else f"{folder} does not exist.",
                allowed=f"A study's folder has a {STUDY_FILE}, a run's a {FILE}.",
                do="Name folders that dessin study, train, ensemble, soup, route or distill wrote.",
            )
    return Sources(tuple(studies), tuple(runs), tuple(committees))


def _committee(folder: Path, results: CommitteeResults) -> CommitteeSource:
    """What was made of several models, with what is known of its holdout."""
    opened = looks_below([folder]).opened
    try:
        home = find_model(folder)
    except DessinError:  # such as students of some folds, of which none is the model
        return CommitteeSource(folder, results, opened)
    answers, split = home / "holdout", _split(home)
    if split is None or not (answers / "predictions.csv").is_file():
        return CommitteeSource(folder, results, opened)
    metrics = measured(read_predictions(answers), split.rows, seed=0)
    return CommitteeSource(folder, results, opened, metrics.accuracy)


def _split(folder: Path) -> Split | None:
    return read_split(folder / SPLIT_FILE) if (folder / SPLIT_FILE).is_file() else None
