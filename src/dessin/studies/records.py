"""A study folder's files: `study.json` (what it is), `jobs/<job>.json` (how each ended), `results.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dessin.runs.record import Digests, Result
from dessin.schema import Section

FORMAT = 1
STUDY_FILE = "study.json"
RESULTS_FILE = "results.json"
JOBS = "jobs"
RUNS = "runs"
Topic = Literal["data", "cleaning", "split", "augmentation", "modelling", "ensemble"]
Outcome = Literal["finished", "collapsed", "failed"]
Verdict = Literal["better", "worse", "no difference", "cannot tell"]


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


class StudyRecord(Section):
    """`study.json`: a study as it was planned, complete, so that another machine can repeat it.

    `base` is the level that the others are compared with. `matters` is the smallest difference of accuracy
    (0..1) that would matter. `threads` is how many each job computes with, on every executor.
    `seen_before` says in words what the design was expected to see before it ran.
    """

    format: int = FORMAT
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
    accuracy: Result | None = None
    loss: Result | None = None


class McNemar(Section):
    """One seed's runs of two levels on the same images: how many each alone got right, and the exact p."""

    seed: int
    level_alone: int
    base_alone: int
    p: float


class Comparison(Section):
    """A level (or a factor's level over all of the other's) minus its base, in accuracy (-1..1).

    `difference` has the interval that the verdict rests on: it counts what images and what runs vary.
    `by_image` resamples groups of images alone; `by_seed` is Student's over seeds' differences (None with one
    seed); `by_fold` is Nadeau and Bengio's over folds (None with one). `p` is that of `difference`, `p_holm`
    the same after Holm's correction over the study. `detectable` is the smallest difference that this design
    finds in 80 of 100 studies. `verdict_text` says all of it in a sentence.
    """

    name: str
    against: str
    cells: int
    images: int
    difference: Result
    by_image: Result
    by_seed: Result | None = None
    by_fold: Result | None = None
    seed_differences: tuple[float, ...]
    sign_flip_p: float | None = None
    mcnemar: tuple[McNemar, ...] = ()
    p: float
    p_holm: float
    detectable: float
    scope: Literal["recipes", "these runs"]
    verdict: Verdict
    verdict_text: str


class LevelResult(Section):
    """What the runs of a level gave; accuracy and loss are means over its runs, None where none finished."""

    level: str
    jobs: int
    finished: int
    collapsed: int
    failed: int
    accuracy: Result | None
    loss: Result | None
    seconds: float


class StudyResults(Section):
    """`results.json`: the levels, each level against the base, and for a grid each factor's main effects."""

    format: int = FORMAT
    name: str
    levels: tuple[LevelResult, ...]
    comparisons: tuple[Comparison, ...]
    main_effects: tuple[Comparison, ...] = ()
    missing: tuple[str, ...] = ()
    detectable_after: float | None = None
    summary: str
    finished: str
