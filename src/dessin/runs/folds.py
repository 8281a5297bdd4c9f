"""One recipe on several folds: ordinary runs in `fold-0`, `fold-1`, .., joined out of fold, voting as one."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch

from dessin.answers.committee import Committee, write_committee
from dessin.answers.predictions import join_out_of_fold, to_predictions, write_predictions
from dessin.answers.tree import Ballot, ModelNode, VoteNode
from dessin.collection.split.files import Split, read_split, write_split
from dessin.errors import DessinError
from dessin.folders import claim_folder, hold
from dessin.language import tr
from dessin.models.card import read_card
from dessin.progress import duration, on_stop, say
from dessin.recipe import Recipe
from dessin.runs.executors.job import Executor, JobSpec
from dessin.runs.executors.record import JOBS
from dessin.runs.fold_group import FoldGroup, fold_folder
from dessin.runs.inputs import read_inputs
from dessin.runs.joined import finished_record, own_predictions
from dessin.runs.plan import rows_of
from dessin.runs.prepare import complete, prepare
from dessin.runs.record import FILE, SPLIT_FILE, RunRecord, SetResults, read_record
from dessin.runs.run import Order, begin_run, claim_name, located, resume_run
from dessin.runs.same import asked_of, check_same
from dessin.runs.stages import remove_leftovers
from dessin.statistics.headline import metric_lines
from dessin.statistics.metrics import measure

ALL = "all"
MADE_BY = "folds"
VALIDATION: Literal["validation"] = "validation"


def begin_folds(order: Order, folds: str | Sequence[int], executor: Executor | None = None) -> Path:
    """Train a recipe on each of the folds (`all`, or their numbers) and join them; returns the folder.

    They are trained one after the other here, or by an `executor`, with the same bytes.

    Raises:
        DessinError: no such fold, or what `begin_run` refuses; begun again with `resume_folds`, the finished
            folds are kept.
    """
    recipe = order.recipe
    completed, usual = complete(recipe)
    inputs = read_inputs(recipe.data.path, recipe.data.split, recipe.data.curation)
    numbers = _numbers(folds, inputs.split)
    # What would stop a later fold is said before the first one is trained.
    for number in numbers:
        rows_of(inputs.split, _on_fold(recipe, number))
    prepare(_on_fold(completed, numbers[0]), inputs, usual=usual)
    folder = order.out or claim_name(order.name or "folds")
    group = FoldGroup(
        name=folder.resolve().name,
        recipe=recipe,
        folds=numbers,
        threads=order.threads or torch.get_num_threads(),
        split=inputs.split.digest,
    )
    with _held(folder):
        found = FoldGroup.find(folder)
        if found is not None and found.results is None:
            # Threads that were not asked for are those that it began with.
            same = group if order.threads else group.model_copy(update={"threads": found.threads})
            check_same(folder, "a group of folds", _made_of(found), _made_of(same))
            say(f"{folder} holds this group of folds, unfinished: it goes on.")
            group = same
        else:
            claim_folder(folder, what="a group of folds")
            group.write(folder)
        write_split(inputs.split, folder / SPLIT_FILE)
        return _carry_out(folder, group, executor, workers=order.workers, track=order.track)


def _made_of(group: FoldGroup) -> dict[str, object]:
    """What decides the group's results."""
    own = {"folds": list(group.folds), "threads": group.threads, "split": group.split}
    return {**asked_of(group.recipe), **own}


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    again = f"dessin train --resume {shlex.quote(str(folder))}"
    kept = f"The folds that are trained, and what is of the one under way, are kept in {folder}; go on with: "
    with hold(folder, wait=False), on_stop(f"{kept}{again}"):
        yield


def resume_folds(
    folder: Path,
    *,
    data: str | Path | None = None,
    workers: int = 0,
    track: Sequence[str] = (),
    executor: Executor | None = None,
) -> Path:
    """Go on with a group: finished folds are kept, a begun one is resumed, the others are trained."""
    group = FoldGroup.read(folder)
    with _held(folder):
        if not (folder / SPLIT_FILE).is_file():
            write_split(read_split(Path(str(group.recipe.data.split))), folder / SPLIT_FILE)
        moved = group.model_copy(update={"recipe": located(group.recipe, data, None)})
        return _carry_out(folder, moved, executor, workers=workers, track=track)


def _numbers(folds: str | Sequence[int], split: Split) -> tuple[int, ...]:
    if folds == ALL:
        return tuple(range(split.folds))
    asked = folds.split(",") if isinstance(folds, str) else [str(fold) for fold in folds]
    numbers = [int(text) for text in asked if text.strip().isdigit()]
    wrong = len(numbers) < len(asked) or any(number >= split.folds for number in numbers)
    if wrong or not numbers or len(set(numbers)) < len(numbers):
        raise DessinError(
            f"The folds were to be {', '.join(text.strip() for text in asked)}.",
            allowed=f"They are `{ALL}`, or some of 0 to {split.folds - 1}, each once, such as 0,1.",
        )
    return tuple(sorted(numbers))


def _on_fold(recipe: Recipe, fold: int) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"fold": fold})})


def _carry_out(
    folder: Path, group: FoldGroup, executor: Executor | None, *, workers: int, track: Sequence[str]
) -> Path:
    recipe = located(group.recipe, None, folder / SPLIT_FILE)
    if executor is not None:
        _carry_out_elsewhere(folder, group, executor, recipe, track)
        return _join(folder, group)
    # One plan for all: a further fold says only where its own differs.
    said: set[str] = set()
    for place, fold in enumerate(group.folds, start=1):
        run = fold_folder(folder, fold)
        say(f"fold {fold} ({place} of {len(group.folds)}): {run}")
        if not (run / FILE).is_file():
            order = Order(
                _on_fold(recipe, fold),
                out=run,
                track=tuple(track),
                threads=group.threads,
                workers=workers,
                said=said,
            )
            begin_run(order)
        elif read_record(run).status != "finished":
            resume_run(run, data=recipe.data.path, workers=workers, track=track)
        else:
            # One that was killed as it tidied up.
            remove_leftovers(run)
    return _join(folder, group)


def _carry_out_elsewhere(
    folder: Path, group: FoldGroup, executor: Executor, recipe: Recipe, track: Sequence[str]
) -> None:
    """Each fold that is not finished as a job of its own; how each ended is kept until all have.

    Raises:
        DessinError: a fold failed or collapsed; the others were carried out.
    """
    # Absolute, since a worker may stand elsewhere.
    home, images = folder.resolve(), Path(str(recipe.data.path)).resolve()
    specs = [
        JobSpec(
            name=fold_folder(folder, fold).name,
            recipe=_on_fold(recipe, fold).model_dump(mode="json"),
            data=images,
            split=home / SPLIT_FILE,
            home=home,
            threads=group.threads,
            track=tuple(track),
            runs=".",
        )
        for fold in group.folds
    ]
    left = [spec for spec in specs if spec.ended is None or spec.ended.status == "failed"]
    lost = []
    for ended in executor.run(left):
        say(
            tr(
                "{name}: {status} after {time}",
                name=ended.job,
                status=ended.status,
                time=duration(ended.seconds),
            )
        )
        if ended.status != "finished":
            lost.append(ended)
    if lost:
        raise DessinError(
            f"The job {lost[0].job} has {lost[0].status}: {lost[0].reason}",
            allowed=f"{len(specs) - len(lost)} of {len(specs)} folds are kept in {folder}.",
            do="Put it right, and give the same command again.",
        )
    shutil.rmtree(home / JOBS, ignore_errors=True)


def _join(folder: Path, group: FoldGroup) -> Path:
    """The table of all out-of-fold answers, its results, and the committee of the folds' models."""
    split = read_split(folder / SPLIT_FILE)
    records = {fold: finished_record(fold_folder(folder, fold)) for fold in group.folds}
    # Every image of the folds as its own fold's model answered it, in the split's order.
    rows = [row for row in split.rows if row.fold in records]
    parts = [
        own_predictions(fold_folder(folder, n), record, split, VALIDATION) for n, record in records.items()
    ]
    classes = group.recipe.data.classes(split.classes)
    joined = to_predictions(join_out_of_fold(parts, rows, classes), rows, classes)
    groups = [row.group for row in rows]
    metrics = measure(joined.probabilities, joined.targets, groups, classes, seed=group.recipe.seed)
    write_predictions(joined, folder / VALIDATION)
    by_fold = {fold: record.results[VALIDATION].accuracy for fold, record in records.items()}
    update = {"results": SetResults(**metrics.results), "by_fold": by_fold}
    group.model_copy(update=update).write(folder)
    write_committee(folder, _committee(folder, group, split, records, str(metrics.accuracy)))
    for fold, accuracy in by_fold.items():
        say(f"fold {fold}: accuracy {accuracy}")
    for line in metric_lines(
        f"out of fold, all {len(by_fold)} together", metrics.items(), len(metrics.per_class)
    ):
        say(line)
    say(f"{folder} is one model now: its {len(by_fold)} folds vote (dessin predict {folder} ..)")
    return folder


def _committee(
    folder: Path, group: FoldGroup, split: Split, records: dict[int, RunRecord], accuracy: str
) -> Committee:
    paths = [f"{fold_folder(folder, fold).name}/bundle" for fold in records]
    cards = [read_card(folder / path) for path in paths]
    return Committee(
        name=group.name,
        classes=group.recipe.data.classes(split.classes),
        names={label: name for card in cards for label, name in card.names.items()},
        root=VoteNode(ballots=tuple(Ballot(node=ModelNode(bundle=path)) for path in paths)),
        digests={"split": split.digest, "manifest": next(iter(records.values())).digests.manifest},
        provenance={
            "made_by": MADE_BY,
            "folds": ",".join(map(str, records)),
            "data": group.recipe.data.path or "",
            "validation_accuracy": accuracy,
            "dessin": version("dessin"),
        },
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
    )
