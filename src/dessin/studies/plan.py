"""What a study will do, before anything is done: its jobs, and what such a design can see. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dessin.collection.split.files import Split
from dessin.errors import DessinError, quoted
from dessin.language import retold, tr
from dessin.page.numbers import counted
from dessin.recipe import Recipe
from dessin.statistics.power import expected_detectable
from dessin.studies.definition import Study
from dessin.studies.levels import slug
from dessin.studies.result import Job, Level


@dataclass(frozen=True)
class Question:
    """A contrast of levels: `weights` (level → weight) add up to 0, the positive ones to 1."""

    name: str
    against: str
    weights: Mapping[str, float]


@dataclass(frozen=True)
class StudyPlan:
    """The jobs in the order in which they run, and the smallest difference expected to be seen (0..1).

    `images` and `groups` are validated over the folds; `split_folds` is how many the split has.
    """

    study: Study
    folds: tuple[int, ...]
    split_folds: int
    images: int
    groups: int
    jobs: tuple[Job, ...]
    detectable: float
    seen: str

    def recipe_of(self, job: Job) -> Recipe:
        """The level's recipe with the job's seed and fold."""
        recipe = self.study.recipes[job.level]
        data = recipe.data.model_copy(update={"fold": job.fold})
        return recipe.model_copy(update={"seed": job.seed, "data": data})

    def lines(self, ended: Collection[str]) -> list[str]:
        """The plan for people; `ended` names the jobs that need not run again."""
        study = self.study
        others = ", ".join(level.name for level in study.levels if level.name != study.base)
        others = others if len(others) <= 200 else counted(len(study.levels) - 1, "level").spoken
        seeds, folds = (
            f"{counted(len(numbers), what).spoken} ({', '.join(map(str, numbers))})"
            for numbers, what in ((study.seeds, "seed"), (self.folds, "fold"))
        )
        done = tr(", of which {n} have ended before", n=len(ended)) if ended else ""
        lines = [
            tr("Study {name}: {hypothesis}", name=study.name, hypothesis=study.hypothesis),
            tr(
                "  {factors}: {others}; each against {base}",
                factors=" × ".join(study.factors),
                others=others,
                base=study.base,
            ),
            tr(
                "  runs: {levels} × {seeds} × {folds} = {runs}{done}",
                levels=counted(len(study.levels), "level"),
                seeds=seeds,
                folds=folds,
                runs=len(self.jobs),
                done=done,
            ),
            tr(
                "  validated: {images} in {groups}",
                images=counted(self.images, "image"),
                groups=counted(self.groups, "group"),
            ),
            tr("  what this can see: {seen}", seen=retold(self.seen)),
        ]
        if len(study.seeds) * len(self.folds) == 1:
            lines.append(
                tr(
                    "  one run a level: the verdicts will be about these trained models, "
                    "not about the recipes"
                )
            )
        return lines


def questions(
    levels: Sequence[Level], factors: Sequence[str], base: str
) -> tuple[tuple[Question, ...], tuple[Question, ...]]:
    """Each level against the base, in the order of the file; and for a grid each factor's main effects.

    A main effect is a level's mean over the other factor's levels, against that of the factor's first.
    """
    simple = tuple(
        Question(level.name, base, {level.name: 1.0, base: -1.0}) for level in levels if level.name != base
    )
    effects = []
    for place, factor in enumerate(factors if len(factors) > 1 else ()):
        names = list(dict.fromkeys(level.parts[place] for level in levels))
        members = {name: [level.name for level in levels if level.parts[place] == name] for name in names}
        for name in names[1:]:
            share = 1.0 / len(members[name])
            weights = dict.fromkeys(members[name], share) | dict.fromkeys(members[names[0]], -share)
            effects.append(Question(f"{factor}={name}", f"{factor}={names[0]}", weights))
    return simple, tuple(effects)


def plan_study(study: Study, split: Split) -> StudyPlan:
    """The jobs of a study on a split, seeds and folds first, so that a study cut short is still paired."""
    folds = tuple(range(split.folds)) if study.folds is None else study.folds
    strange = [fold for fold in folds if fold >= split.folds]
    if strange:
        raise DessinError(
            f"{study.path} asks for fold {strange[0]}.",
            allowed=f"The split has folds 0 to {split.folds - 1}.",
            do="Set folds, or make a split with more.",
        )
    rows = [row for fold in folds for row in split.validation(fold)]
    empty = [fold for fold in folds if not split.validation(fold)]
    if empty:
        seen = f"Fold {empty[0]} of the split holds no image."
        raise DessinError(seen, do="Make a split with fewer folds.")
    jobs = tuple(
        Job(name=f"{slug(level.name)}-seed{seed}-fold{fold}", level=level.name, seed=seed, fold=fold)
        for seed, fold, level in itertools.product(study.seeds, folds, study.levels)
    )
    asked, effects = questions(study.levels, study.factors, study.base)
    detectable, seen = expected_detectable(
        len(rows), len(study.seeds), len(folds), comparisons=len(asked) + len(effects)
    )
    return StudyPlan(
        study=study,
        folds=folds,
        split_folds=split.folds,
        images=len(rows),
        groups=len({row.group for row in rows}),
        jobs=jobs,
        detectable=detectable,
        seen=seen,
    )


def part_of(jobs: Sequence[Job], part: str) -> tuple[Job, ...]:
    """The jobs of a part such as `2/4`, in their order; all parts together are all jobs, each once.

    Whole pairs are dealt out, all levels of a seed and a fold, so that each part can be judged by itself;
    where there are fewer of those than parts, single jobs.

    Raises:
        DessinError: no such part, or more parts than jobs.
    """
    written = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", part.strip())
    number, parts = (int(written[1]), int(written[2])) if written else (0, 0)
    if not 1 <= number <= parts <= len(jobs):
        raise DessinError(
            f'The part "{quoted(part)}" is none of this study.',
            allowed=f"It is written 2/4, the second of four; there are {len(jobs)} runs to share.",
        )
    pairs = list(dict.fromkeys((job.seed, job.fold) for job in jobs))
    if len(pairs) < parts:
        return tuple(jobs[number - 1 :: parts])
    own = set(pairs[number - 1 :: parts])
    return tuple(job for job in jobs if (job.seed, job.fold) in own)
