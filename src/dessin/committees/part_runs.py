"""Parts of a larger model, as ordinary runs in a folder that is begun once; what finished is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.folders import claim_folder
from dessin.language import tr
from dessin.progress import duration, say
from dessin.reading import read_json
from dessin.recipe import Recipe
from dessin.runs.executors.job import Executor, JobSpec, carry_out_job
from dessin.runs.executors.record import JOBS, JobRecord, ended_job


def begin(
    path: Path,
    made_of: Mapping[str, Any],
    made_otherwise: Callable[[Any], Iterable[str]],
    *,
    what: str,
    done: bool = False,
) -> None:
    """Make the folder of the file `path`, or find that what is finished in it is made of the same.

    The last of `made_of` is recipes: where no run that they change has finished, they may be corrected, but
    not once all is `done`. `made_otherwise` names these runs, by the recipes that the folder was begun with.

    Raises:
        DessinError: the folder holds something else, or finished runs that were made otherwise.
    """
    *facts, recipes = made_of
    if not path.is_file():
        claim_folder(path.parent, what=what)
    else:
        found = read_json(path)
        before: dict[str, Any] = found if isinstance(found, dict) else {}
        changed = [key for key in facts if before.get(key) != made_of[key]]
        different = list(made_otherwise(before.get(recipes)))
        ended = [ended_job(path.parent, name) for name in different]
        finished = any(record is not None and record.status == "finished" for record in ended)
        if finished or (done and before.get(recipes) != made_of[recipes]):
            changed.append("set of recipes" if recipes == "recipes" else recipes)
        if changed:
            raise DessinError(
                f"{path.parent} was begun with another {' and another '.join(changed)}.",
                do="Choose another --out, or repeat the command that it was begun with.",
            )
        for name in different:
            # How a run ended with the other recipe says nothing of this one.
            (path.parent / JOBS / f"{name}.json").unlink(missing_ok=True)
    write_json(path, dict(made_of))


def train_part(out: Path, name: str, recipe: Recipe, *, what: str) -> Path:
    """Carry out a recipe that says where its data and its split lie, into `out/runs/NAME`; the folder.

    A run that failed or collapsed is refused; `what` says in words what it was to be.
    """
    spec = part_job(out, name, recipe)
    _check_ended(carry_out_job(spec, "local"), out, what)
    return spec.run


def train_elsewhere(parts: Mapping[str, JobSpec], out: Path, executor: Executor) -> None:
    """Carry out parts, by what they are in words, on an executor whose workers may stand elsewhere.

    Raises:
        DessinError: one of them failed or collapsed; the others were carried out.
    """
    words = {spec.name: what for what, spec in parts.items()}
    ends = []
    jobs = [
        replace(spec, data=spec.data.resolve(), split=spec.split.resolve(), home=spec.home.resolve())
        for spec in parts.values()
    ]
    for ended in executor.run(jobs):
        spent_s = duration(ended.seconds)
        say(tr("{name}: {status} after {time}", name=words[ended.job], status=ended.status, time=spent_s))
        ends.append(ended)
    for ended in ends:
        _check_ended(ended, out, words[ended.job])


def part_job(out: Path, name: str, recipe: Recipe) -> JobSpec:
    """A recipe that says where its data and its split lie, as a job whose run is `out/runs/NAME`."""
    data = recipe.data
    return JobSpec(
        name=name,
        recipe=recipe.model_dump(mode="json"),
        data=Path(str(data.path)),
        split=Path(str(data.split)),
        home=out,
        threads=torch.get_num_threads(),
    )


def _check_ended(ended: JobRecord, out: Path, what: str) -> None:
    if ended.status != "finished":
        raise DessinError(
            f"The {what} has {ended.status}: {ended.reason}",
            do=f"Put it right and begin again with the same --out {out}; finished runs are kept.",
        )
