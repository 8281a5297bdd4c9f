"""Parts of a larger model, as ordinary runs in a folder that is begun once; what finished is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.folders import claim_folder
from dessin.progress import duration
from dessin.reading import read_json
from dessin.recipe import Recipe
from dessin.runs.record import read_record
from dessin.statistics.intervals import Estimate
from dessin.studies.executors.job import JobSpec, carry_out_job
from dessin.studies.result import JOBS, RUNS, Job, ended_job

# A job's fold is a number; a run on all of them is known by its recipe.
_NO_FOLD = -1


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


def train_part(out: Path, name: str, recipe: Recipe, *, level: str, what: str) -> Path:
    """Carry out a recipe that says where its data and its split lie, into `out/runs/NAME`; the folder.

    A run that failed or collapsed is refused; `what` says in words what it was to be.
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


class PartRow(NamedTuple):
    """A trained part as a page tells of it, from its run's record."""

    what: str
    run: str
    fold: str
    classes: int
    train: int
    accuracy: Estimate | None
    seconds: str
    backbone: str


def part_row(folder: Path, what: str) -> PartRow:
    record = read_record(folder)
    validation = record.results.get("validation")
    return PartRow(
        what=what,
        run=folder.name,
        fold=str(record.recipe.data.fold),
        classes=record.counts.classes,
        train=record.counts.train,
        accuracy=validation.accuracy if validation else None,
        seconds=duration(sum(record.timings.values())),
        backbone=record.recipe.model.backbones,
    )
