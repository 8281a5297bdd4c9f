"""A study folder's files: `study.json` (what it is), `jobs/<job>.json` (how each ended), `results.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dessin.results import Result
from dessin.runs.record import STUDY_FILE, Digests
from dessin.schema import Section
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate

RESULTS_FILE = "results.json"
JOBS = "jobs"
RUNS = "runs"
Topic = Literal["data", "cleaning", "split", "augmentation", "modelling", "ensemble"]
Outcome = Literal["finished", "collapsed", "failed"]


class Level(Section):
    """One named level, or in a grid one pair of levels; `changes` are its overrides of the base recipe.

    `parts` names the level of each factor: one for a plain study, two for a grid.
    """

    name: str
    parts: tuple[str, ...]
    changes: dict[str, Any] = Field({})


class Job(Section):
    """One run of a study: a level, a seed and a fold. Its folder is `runs/<name>` below the study's."""

    name: str
    level: str
    seed: int
    fold: int


class StudyRecord(Result):
    """A study as it was planned, complete, so that another machine can repeat it.

    `base` is the level that the others are compared with. `matters` is the smallest difference of accuracy
    (0..1) that would matter. `threads` is how many each job computes with, on every executor.
    `seen_before` says in words what the design was expected to see before it ran.
    """

    FILE = STUDY_FILE
    WHAT = "the record of a study"
    FOLDER = "study's folder"
    DO = "Name a folder that `dessin study` wrote."

    name: str
    hypothesis: str
    topic: Topic = "modelling"
    factors: tuple[str, ...]
    base: str
    levels: tuple[Level, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    matters: float
    recipe: dict[str, Any]
    data: str
    split: str
    threads: int
    digests: Digests
    jobs: tuple[Job, ...]
    detectable_before: float
    seen_before: str = ""
    created: str
    versions: dict[str, str]


class JobRecord(Section):
    """`jobs/<job>.json`: how a job ended; one file a job, so that two machines never write the same one."""

    job: str
    status: Outcome
    reason: str = ""
    seconds: float
    host: str = ""
    executor: str = "local"
    accuracy: Estimate | None = None
    loss: Estimate | None = None


class LevelResult(Section):
    """What the runs of a level gave; accuracy and loss are means over its runs, None where none finished."""

    level: str
    jobs: int
    finished: int
    collapsed: int
    failed: int
    accuracy: Estimate | None
    loss: Estimate | None
    seconds: float


class StudyResults(Result):
    """The levels, each level against the base, and for a grid each factor's main effects."""

    FILE = RESULTS_FILE
    WHAT = "the results of a study"
    FOLDER = "study's folder"
    DO = "Name a folder that `dessin study` wrote."

    name: str
    levels: tuple[LevelResult, ...]
    comparisons: tuple[Comparison, ...]
    main_effects: tuple[Comparison, ...] = ()
    missing: tuple[str, ...] = ()
    detectable_after: float | None = None
    summary: str
    finished: str
