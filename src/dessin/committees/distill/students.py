"""Students with and without a teacher, as ordinary runs; what is finished is kept when begun again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dessin.collection.split.files import write_split
from dessin.committees.distill.labels import labels_folder
from dessin.committees.distill.plan import DistillPlan, Planned, run_recipe
from dessin.committees.distill.result import LabelsRow
from dessin.committees.part_runs import train_part
from dessin.errors import DessinError
from dessin.progress import say
from dessin.runs.record import SPLIT_FILE, read_record


@dataclass(frozen=True)
class TrainedRun:
    """A finished run with its folder."""

    planned: Planned
    folder: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"


def train_students(plan: DistillPlan, out: Path, labels: Sequence[LabelsRow]) -> Mapping[str, TrainedRun]:
    """Train every run of the plan into `out/runs/<name>`; by name.

    Raises:
        DessinError: a run that failed or collapsed (begun again, the finished ones are kept), or one that
            was taught by other labels than these.
    """
    split = out / SPLIT_FILE
    write_split(plan.subject.inputs.split, split)
    trained = {run.name: _trained(plan, run, out, split) for run in plan.runs()}
    digests = {row.fold: row.digest for row in labels}
    for run in trained.values():
        taught_by = read_record(run.folder).digests.teacher
        if taught_by != (digests[str(run.planned.fold)] if run.planned.taught else ""):
            raise DessinError(
                f"{run.folder} was taught by other labels than those in "
                f"{labels_folder(out, run.planned.fold)}.",
                do="Remove both, and begin again.",
            )
    return trained


def _trained(plan: DistillPlan, run: Planned, out: Path, split: Path) -> TrainedRun:
    say(run.what)
    recipe = run_recipe(plan, run, labels=labels_folder(out, run.fold), split=split)
    level = run.name.partition("-")[0]
    return TrainedRun(run, train_part(out, run.name, recipe, level=level, what=f"run {run.name}"))
