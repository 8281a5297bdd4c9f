"""A part of a larger model, trained as an ordinary run; what is finished is kept when begun again."""

from __future__ import annotations

from pathlib import Path

import torch

from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.studies.executors.base import JobSpec
from dessin.studies.executors.job import carry_out_job
from dessin.studies.records import RUNS, Job

# A job's fold is a number; a run on all of them is known by its recipe.
_NO_FOLD = -1


def train_part(out: Path, name: str, recipe: Recipe, *, level: str, what: str) -> Path:
    """Carry out a recipe that says where its data and its split lie, into `out/runs/NAME`; the folder.

    Raises:
        DessinError: the run failed or collapsed; `what` says in words what it was to be.
    """
    data, fold = recipe.data, recipe.data.fold
    spec = JobSpec(
        job=Job(name=name, level=level, seed=recipe.seed, fold=_NO_FOLD if fold == "none" else fold),
        recipe=recipe.model_dump(mode="json"),
        data=Path(str(data.path)),
        split=Path(str(data.split)),
        study=out,
        threads=torch.get_num_threads(),
    )
    ended = carry_out_job(spec, "local")
    if ended.status != "finished":
        raise DessinError(
            f"The {what} {ended.status}: {ended.reason}",
            do=f"Put it right and begin again with the same --out {out}; finished runs are kept.",
        )
    return out / RUNS / name
