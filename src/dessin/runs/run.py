"""One recipe on one split, carried out into a run folder that can be killed and resumed."""

from __future__ import annotations

import contextlib
import itertools
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from dessin.collection.split.files import read_split, write_split
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.files import digest_of
from dessin.folders import claim_folder, hold
from dessin.language import tr
from dessin.plugins import plugin_packages
from dessin.progress import duration, on_stop, say
from dessin.recipe import Recipe, read_recipe
from dessin.runs.inputs import read_inputs
from dessin.runs.machine import PACKAGES, describe_hardware, git_commit, package_versions, who
from dessin.runs.prepare import Prepared, complete, prepare
from dessin.runs.record import SPLIT_FILE, Counts, Digests, RunRecord, now, read_record, write_record
from dessin.runs.same import asked_of, check_same
from dessin.runs.stages import Job, carry_out, remove_leftovers
from dessin.runs.tracking.sinks import tracked
from dessin.statistics.headline import metric_lines
from dessin.trackers import check_tracker, check_trackers, joined
from dessin.training.seeding import reproducible

# The digests of what a run begins with.
_INPUTS = {"manifest", "split", "weights", "beside", "training_curation", "teacher", "text"}


@dataclass(frozen=True)
class Order:
    """A recipe to carry out, and how; its `data` says where the images and the split are.

    Attributes:
        name: of the recipe, for the folder where none is given.
        out: the new folder; by default `runs/<name>-<n>`.
        track: trackers beside the recipe's own; the same one replaces it.
        threads: of the computation (default: torch's own number); they change the order of float sums.
        workers: threads that read ahead; they change no result.
        seconds_allowed: begin no epoch that would end later; the record says where training stopped.
        page: why the recipe has the page in photographs looked for, where dessin itself decided it.
        said: lines of plans that were said before, for runs that belong together; only others are.
    """

    recipe: Recipe
    name: str = ""
    out: Path | None = None
    track: tuple[str, ...] = ()
    threads: int | None = None
    workers: int = 0
    seconds_allowed: float | None = None
    page: Decision[str] | None = None
    said: set[str] = field(default_factory=set)


def begin_run(order: Order) -> Path:
    """Carry out a recipe and return the run folder; this very run, unfinished, is gone on with.

    Raises:
        DessinError: anything that a user can put right; a run that had begun is then marked `failed`.
    """
    recipe = _tracked(order.recipe, order.track)
    check_trackers(recipe.track)
    wanted, usual = complete(recipe)
    if order.out is not None and _is_unfinished(order.out):
        return _go_on(order, order.out, wanted)
    inputs = read_inputs(wanted.data.path, wanted.data.split, wanted.data.curation)
    prepared = prepare(wanted, inputs, usual=usual, page=order.page)
    folder = order.out or claim_name(order.name or wanted.model.backbone)
    with hold(folder, wait=False), _told_how_to_go_on(folder):
        found = RunRecord.find(folder)
        if found is not None and found.status == "finished":
            # One that was killed as it tidied up.
            remove_leftovers(folder)
        claim_folder(folder, what="a run")
        for line in prepared.plan.lines():
            if line not in order.said:
                say(line)
                order.said.add(line)
        threads = order.threads or torch.get_num_threads()
        _begin(folder, prepared, threads)
        job = Job(folder, prepared, prepared.model, order.workers, order.seconds_allowed)
        return _carry_out(job, threads)


def _is_unfinished(folder: Path) -> bool:
    return (folder / RunRecord.FILE).is_file() and read_record(folder).status in ("running", "failed")


def _go_on(order: Order, folder: Path, wanted: Recipe) -> Path:
    """Resume the run in a folder, which must be the one that was asked for."""
    record = read_record(folder)
    was, now_asked = asked_of(record.recipe), asked_of(wanted)
    was["split"] = record.digests.split
    now_asked["split"] = read_split(Path(wanted.data.split)).digest if wanted.data.split else was["split"]
    was["threads"], now_asked["threads"] = record.hardware.threads, order.threads or record.hardware.threads
    check_same(folder, "a run", was, now_asked)
    say(tr("{folder} holds this run, unfinished: it goes on.", folder=folder))
    return resume_run(
        folder,
        data=wanted.data.path,
        workers=order.workers,
        track=order.track,
        seconds_allowed=order.seconds_allowed,
    )


@contextlib.contextmanager
def _told_how_to_go_on(folder: Path) -> Iterator[None]:
    with on_stop(
        f"What is trained so far is kept in {folder}; go on with: "
        f"dessin train --resume {shlex.quote(str(folder))}"
    ):
        yield


def resume_run(
    folder: Path,
    *,
    data: str | Path | None = None,
    workers: int = 0,
    track: Sequence[str] = (),
    seconds_allowed: float | None = None,
) -> Path:
    """Go on with a run; it ends with the weights that it would have had uninterrupted.

    It keeps the number of threads that it began with. Raises like `begin_run`.
    """
    read_record(folder)
    with hold(folder, wait=False), _told_how_to_go_on(folder):
        record = read_record(folder)
        if record.status == "finished":
            remove_leftovers(folder)
            say(tr("{folder} is finished already; there is nothing to resume.", folder=folder))
            return folder
        if record.status == "collapsed":
            raise DessinError(
                f"The training of {folder} collapsed in each of its {len(record.attempts)} attempts.",
                do="Start a new run with a much lower optimizer.lr, or with optimizer.lr: auto.",
            )
        recipe = _tracked(located(record.recipe, data, None), track)
        inputs = read_inputs(recipe.data.path, split_of(folder, record), None)
        prepared = prepare(recipe, inputs, decided=record.decisions)
        _check_unchanged(record, prepared)
        say(tr("resuming {folder}, begun {when}", folder=folder, when=record.started[0]))
        begun = (*record.started, now())
        write_record(folder, record.changed(recipe=recipe, status="running", reason="", started=begun))
        write_split(inputs.split, folder / SPLIT_FILE)
        return _carry_out(
            Job(folder, prepared, prepared.model, workers, seconds_allowed), record.hardware.threads
        )


def _tracked(recipe: Recipe, track: Sequence[str]) -> Recipe:
    """The recipe with the trackers that were given in the call, which are checked."""
    return recipe.model_copy(update={"track": joined(recipe.track, map(check_tracker, track))})


def as_recipe(recipe: str | Path | Recipe, overrides: Sequence[str]) -> Recipe:
    """A recipe from its file, or as it was made."""
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
    plan = prepared.plan
    parts = {"train": len(plan.train), "validation": len(plan.validation), "holdout": plan.held_out}
    record = RunRecord(
        name=folder.resolve().name,
        status="running",
        started=(now(),),
        seed=plan.recipe.seed,
        recipe=plan.recipe,
        digests=_digests(prepared),
        counts=Counts(classes=len(plan.classes), **parts),
        git_commit=git_commit(),
        versions=package_versions(),
        hardware=describe_hardware(threads),
        who=who(),
        decisions=plan.decisions,
    )
    write_record(folder, record)
    write_split(prepared.inputs.split, folder / SPLIT_FILE)


def _digests(prepared: Prepared) -> Digests:
    """Of all that a run begins with."""
    split, beside = prepared.inputs.split, prepared.pretrained.beside
    return Digests(
        manifest=prepared.inputs.manifest.digest,
        split=split.digest,
        weights=prepared.weights.sha256,
        beside=digest_of([[body.info.name, body.weights.sha256] for body in beside]) if beside else "",
        text=prepared.text.sha256 if prepared.text else "",
        curation=split.curation_digest,
        training_curation=prepared.plan.curation_digest,
        teacher=prepared.teacher.digest if prepared.teacher else "",
    )


def split_of(folder: Path, record: RunRecord) -> Path:
    """The run's own copy of its split; a run killed in its first moment has none yet."""
    own = folder / SPLIT_FILE
    return own if own.is_file() else Path(record.recipe.data.split or own)


def _check_unchanged(record: RunRecord, prepared: Prepared) -> None:
    """Refuse to go on with other inputs or other libraries than the run began with."""
    # Of what plugins add, the digests hold all but ops and losses; a tracker may come and go.
    packages = {"python", *PACKAGES, *plugin_packages("op", "loss")}
    before, today = record.digests.model_dump(include=_INPUTS), _digests(prepared).model_dump(include=_INPUTS)
    for facts, versions in ((before, record.versions), (today, package_versions())):
        facts |= {f"version of {name}": found for name, found in versions.items() if name in packages}
    changed = [name for name, value in before.items() if today.get(name) != value]
    if changed:
        details = ", ".join(f"{name} (was {before[name][:12]}, is {today[name][:12]})" for name in changed)
        raise DessinError(
            f"The run cannot be resumed to the same weights, for these have changed: {details}.",
            do="Restore them, or start a new run.",
        )


def _carry_out(job: Job, threads: int) -> Path:
    folder = job.folder
    with tracked(job.recipe.track, folder) as sinks:
        job.on_epoch = sinks.epoch
        try:
            with reproducible(job.prepared.device, threads):
                record = carry_out(job)
        except Exception as error:
            reason = str(error) if isinstance(error, DessinError) else f"{type(error).__name__}: {error}"
            # If even that cannot be written, the first error is what counts.
            with contextlib.suppress(DessinError):
                record = read_record(folder).with_seconds(job.watch.seconds)
                collapsed = bool(record.attempts) and record.attempts[-1].outcome == "collapsed"
                status = "collapsed" if collapsed else "failed"
                write_record(folder, record.changed(status=status, reason=reason))
            raise
    for name, results in record.results.items():
        for line in metric_lines(name, results.items(), record.counts.classes):
            say(line)
    took = duration(sum(record.timings.values()))
    bundle = folder / "bundle"
    say(tr("finished in {time}: {folder} (its model: {bundle})", time=took, folder=folder, bundle=bundle))
    return folder
