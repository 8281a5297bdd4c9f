"""The verb `train`: one recipe on one split, carried out into a run folder that can be killed and resumed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import torch

from dessin.collection.split.files import write_split
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import claim_folder
from dessin.progress import duration, say
from dessin.recipe import Recipe, check_tracker, read_recipe
from dessin.runs.inputs import read_inputs
from dessin.runs.machine import describe_hardware, git_commit, package_versions
from dessin.runs.prepare import Prepared, complete, prepare
from dessin.runs.record import (
    SPLIT_FILE,
    Counts,
    DecisionRecord,
    Digests,
    RunRecord,
    hold,
    now,
    read_record,
    write_record,
)
from dessin.runs.stages import Job, Stopwatch, carry_out, remove_leftovers
from dessin.runs.tracking.choices import joined, read_trackers
from dessin.runs.tracking.sinks import tracked
from dessin.training.seeding import reproducible

# The digests of what a run begins with.
_INPUTS = {"manifest", "split", "weights", "training_curation", "teacher"}


def train(
    recipe: str | Path | Recipe | None = None,
    *,
    data: str | Path | None = None,
    split: str | Path | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    resume: str | Path | None = None,
    workers: int = 0,
    threads: int | None = None,
    track: Sequence[str] = (),
    seconds_allowed: float | None = None,
) -> Path:
    """Carry out a recipe and return the run folder.

    Args:
        recipe: a YAML file, or a recipe made in Python; not needed with `resume`.
        data: the collection; by default the recipe's `data.path`.
        split: the split file; by default the recipe's `data.split`.
        overrides: `key.sub=value` for a recipe file.
        out: the new run folder; by default `runs/<recipe>-<n>`.
        resume: a run folder to go on with; it ends with the weights that it would have had uninterrupted.
        workers: threads that read ahead; they change no result.
        threads: of the computation (default: torch's own number); they change the order of float sums. A
            resumed run keeps those that it began with.
        track: trackers beside the recipe's own, also of a run that is resumed; the same one replaces it.
        seconds_allowed: begin no epoch that would end later; the record says where training stopped.

    Raises:
        DessinError: anything that a user can put right; a run that had begun is then marked `failed`.
    """
    if resume is not None:
        if recipe is not None or out is not None or overrides:
            raise DessinError(
                "A resumed run has its recipe, its folder and its settings already.",
                do="Give --resume alone, or with --data where the images have moved.",
            )
        folder = Path(resume)
        read_record(folder)
        with hold(folder, wait=False):
            return _resume(folder, data=data, workers=workers, track=track)
    if recipe is None:
        raise DessinError("No recipe was given.", do="Name a recipe file, or a run with --resume.")
    name = recipe.model.backbone if isinstance(recipe, Recipe) else Path(recipe).stem
    wanted, usual = complete(_tracked(located(as_recipe(recipe, overrides), data, split), track))
    inputs = read_inputs(wanted.data.path, wanted.data.split, wanted.data.curation)
    prepared = prepare(wanted, inputs, usual=usual)
    folder = claim_name(name) if out is None else Path(out)
    claim_folder(folder, what="a run")
    for line in prepared.plan.lines():
        say(line)
    with hold(folder, wait=False):
        threads = threads or torch.get_num_threads()
        _begin(folder, prepared, threads)
        return _carry_out(folder, prepared, threads, workers, seconds_allowed)


def as_recipe(recipe: str | Path | Recipe, overrides: Sequence[str]) -> Recipe:
    if not isinstance(recipe, Recipe):
        return read_recipe(Path(recipe), overrides=overrides)
    if overrides:
        raise DessinError(
            "Overrides change a recipe file, and a recipe made in Python was given.",
            do="Change the recipe itself.",
        )
    return recipe


def located(recipe: Recipe, data: str | Path | None, split: str | Path | None) -> Recipe:
    """The recipe with the paths that were given in the call."""
    given = {"path": data, "split": split}
    update = {key: Path(value).as_posix() for key, value in given.items() if value is not None}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=update)})


def _tracked(recipe: Recipe, track: Sequence[str]) -> Recipe:
    """The recipe with the trackers that were given in the call, all of them checked."""
    given = tuple(check_tracker(text) for text in track)
    texts = joined(recipe.track, given)
    read_trackers(texts)
    return recipe.model_copy(update={"track": texts})


def claim_name(name: str) -> Path:
    """The first `runs/<name>-<n>` that does not exist; made at once, so that two runs cannot share it."""
    for number in itertools.count(1):
        folder = Path("runs") / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise DessinError(f"{folder} cannot be made: {error.strerror}.", do="Give --out.") from None
        return folder
    raise AssertionError("unreachable: count() does not end")


def _begin(folder: Path, prepared: Prepared, threads: int) -> None:
    """Write the record, which makes the folder a run, and beside it the split."""
    plan, split = prepared.plan, prepared.inputs.split
    record = RunRecord(
        name=folder.resolve().name,
        status="running",
        started=(now(),),
        seed=plan.recipe.seed,
        recipe=plan.recipe,
        digests=Digests(
            manifest=prepared.inputs.manifest.digest,
            split=split.digest,
            weights=prepared.weights.sha256,
            curation=split.curation_digest,
            training_curation=plan.curation_digest,
            teacher=prepared.teacher.digest if prepared.teacher else "",
        ),
        counts=Counts(
            classes=len(plan.classes),
            train=len(plan.train),
            validation=len(plan.validation),
            holdout=plan.held_out,
        ),
        git_commit=git_commit(),
        versions=package_versions(),
        hardware=describe_hardware(threads),
        decisions=tuple(DecisionRecord(**decision.__dict__) for decision in plan.decisions),
    )
    write_record(folder, record)
    write_split(split, folder / SPLIT_FILE)


def _resume(folder: Path, *, data: str | Path | None, workers: int, track: Sequence[str]) -> Path:
    record = read_record(folder)
    if record.status == "finished":
        remove_leftovers(folder)
        say(f"{folder} is finished already; there is nothing to resume.")
        return folder
    if record.status == "collapsed":
        raise DessinError(
            f"The training of {folder} collapsed in each of its {len(record.attempts)} attempts.",
            do="Start a new run with a much lower optimizer.lr, or with optimizer.lr: auto.",
        )
    recipe = _tracked(located(record.recipe, data, None), track)
    inputs = read_inputs(recipe.data.path, split_of(folder, record), None)
    prepared = prepare(recipe, inputs, decided=[Decision(**d.model_dump()) for d in record.decisions])
    _check_unchanged(record, prepared)
    say(f"resuming {folder}, begun {record.started[0]}")
    record = record.changed(recipe=recipe, status="running", reason="", started=(*record.started, now()))
    write_record(folder, record)
    write_split(inputs.split, folder / SPLIT_FILE)
    return _carry_out(folder, prepared, record.hardware.threads, workers)


def split_of(folder: Path, record: RunRecord) -> Path:
    """The run's own copy of its split; a run killed in its first moment has none yet."""
    own = folder / SPLIT_FILE
    return own if own.is_file() else Path(record.recipe.data.split or own)


def _check_unchanged(record: RunRecord, prepared: Prepared) -> None:
    """Refuse to go on with other inputs or other libraries than the run began with."""
    before = record.digests.model_dump(include=_INPUTS) | {
        f"version of {name}": found for name, found in record.versions.items()
    }
    today = {
        "manifest": prepared.inputs.manifest.digest,
        "split": prepared.inputs.split.digest,
        "weights": prepared.weights.sha256,
        "training_curation": prepared.plan.curation_digest,
        "teacher": prepared.teacher.digest if prepared.teacher else "",
    } | {f"version of {name}": found for name, found in package_versions().items()}
    changed = [name for name, value in before.items() if today.get(name) != value]
    if changed:
        details = ", ".join(f"{name} (was {before[name][:12]}, is {today[name][:12]})" for name in changed)
        raise DessinError(
            f"The run cannot be resumed to the same weights, for these have changed: {details}.",
            do="Restore them, or start a new run.",
        )


def _carry_out(
    folder: Path,
    prepared: Prepared,
    threads: int,
    workers: int,
    seconds_allowed: float | None = None,
) -> Path:
    plan = prepared.plan
    job = Job(
        folder=folder,
        plan=plan,
        inputs=prepared.inputs,
        info=prepared.info,
        weights=prepared.weights,
        model=prepared.model,
        build=prepared.build,
        teacher=prepared.teacher,
        workers=workers,
        seconds_allowed=seconds_allowed,
        watch=Stopwatch(),
    )
    with tracked(plan.recipe.track, folder) as sinks:
        job.on_epoch = sinks.epoch
        try:
            with reproducible(torch.device(str(plan.decided("device"))), threads):
                record = carry_out(job)
        except Exception as error:
            _mark_failed(folder, job, error)
            raise
    for name, results in record.results.items():
        say(f"{name}: accuracy {results.accuracy}; top-5 {results.top5}")
        say(f"{name}: macro-F1 {results.macro_f1}; loss {results.loss.plain()}")
    say(f"finished in {duration(sum(record.timings.values()))}: {folder} (its model: {folder / 'bundle'})")
    return folder


def _mark_failed(folder: Path, job: Job, error: Exception) -> None:
    """Say in the record why the run ended; if even that cannot be written, the first error is what counts."""
    reason = str(error) if isinstance(error, DessinError) else f"{type(error).__name__}: {error}"
    with contextlib.suppress(DessinError):
        record = read_record(folder).with_seconds(job.watch.seconds)
        collapsed = bool(record.attempts) and record.attempts[-1].outcome == "collapsed"
        write_record(folder, record.changed(status="collapsed" if collapsed else "failed", reason=reason))
