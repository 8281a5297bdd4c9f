"""The verb `study`: planned, carried out job by job, judged; stopped, it goes on when started again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch

from dessin.errors import DessinError
from dessin.language import tr
from dessin.ops import as_texts
from dessin.page.html import PAGE_FILE, write_page
from dessin.page.numbers import number, percent
from dessin.page.tables import terminal_width
from dessin.progress import duration, on_stop, say, warn
from dessin.runs.executors.choose import choose_executor
from dessin.runs.executors.job import Executor, JobSpec
from dessin.runs.executors.local import LocalExecutor, local_devices
from dessin.runs.executors.record import RUNS, ended_job
from dessin.runs.inputs import Inputs, read_inputs
from dessin.runs.machine import package_versions
from dessin.runs.record import SPLIT_FILE, Digests, now
from dessin.studies.definition import read_study
from dessin.studies.estimate import Pace, expected_pace
from dessin.studies.measure import analyse
from dessin.studies.plan import StudyPlan, part_of, plan_study
from dessin.studies.result import Job, StudyRecord, StudyResults, begin, read_begun
from dessin.studies.source import read_source
from dessin.studies.tables import write_tables
from dessin.studies.view import lines, study_page
from dessin.trackers import check_tracker

# What a record has as the study file says it.
_AS_DEFINED = ("name", "hypothesis", "topic", "factors", "base", "levels", "seeds", "matters")


def study(
    file: Annotated[str | Path, "a study's name or file"],
    *,
    data: str | Path,
    split: str | Path,
    out: str | Path | None = None,
    overrides: Annotated[Sequence[str], "--set", "key=value"] = (),
    part: str | None = None,
    threads: Annotated[int | None, "from 1"] = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
    track: Annotated[Sequence[str], "a tracker"] = (),
    dry_run: bool = False,
) -> StudyResults | None:
    """Carry out runs that differ in one factor, and say what follows from them.

    Started again, it goes on where it stopped.

    Args:
        file: Such as mixup (`dessin recipes` lists them), or a YAML file.
        data: The collection.
        split: The split file.
        out: The study's folder; by default `studies/` with the study's name.
        overrides: Override a key of the base recipe, such as image.size=96.
        part: Carry out a share of the runs only, such as 2/4: the second of four machines that share nothing.
            `dessin pack` and `dessin collect` join the parts.
        threads: Threads of each run; by default what this machine has. Parts on machines that differ need the
            same, to give the same last digits.
        executor: This machine's devices, or a Ray cluster.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.
        track: Where every run is also sent: tensorboard, wandb, `wandb(online)`, mlflow,
            `mlflow("http://..")`.
        dry_run: Say the plan and stop there; there are no results then (None).

    Raises:
        DessinError: a study that cannot be carried out, or of which no run finished. A run that fails or
            collapses is recorded, and the others go on.
    """
    definition = read_study(file, as_texts(overrides))
    track = tuple(check_tracker(text) for text in as_texts(track))
    inputs = read_inputs(data, split, definition.recipe.data.curation)
    plan = plan_study(definition, inputs.split)
    runner = choose_executor(executor, address) or LocalExecutor()
    folder = Path(out) if out is not None else Path("studies") / definition.name
    record = _record(plan, inputs, data, split, threads)
    own = plan.jobs if part is None else part_of(plan.jobs, part)
    begun = read_begun(folder, record)
    # Those that failed are tried once more.
    found = {job.name: ended_job(folder, job.name) for job in own}
    ended = {name: end for name, end in found.items() if end is not None and end.status != "failed"}
    record = begun or record
    if begun is not None and threads not in (None, begun.threads):
        raise DessinError(
            f"The study in {folder} was begun with {begun.threads} threads a run, not {threads}.",
            do="Leave --threads out, or choose another --out.",
        )
    for line in plan.lines(ended):
        say(line)
    if part is not None:
        say("  " + tr("part {part}: {n} of these {all} runs", part=part, n=len(own), all=len(plan.jobs)))
    # How many jobs run at a time, as far as that is known here.
    workers = len(local_devices()) if executor == "local" else 1
    share = replace(plan, jobs=own)
    pace = expected_pace(share, inputs, ended, threads=record.threads, workers=workers)
    for line in pace.lines():
        say(f"  {line}")
    if dry_run:
        return None
    record = begin(folder, record, definition.text, inputs.split)
    specs = _specs(plan, [job for job in own if job.name not in ended], record, folder, Path(data), track)
    with on_stop(f"What is trained so far is kept in {folder}: the same command goes on from there."):
        _carry_out(runner, specs, share, pace)
    return conclude(folder, record, own={job.name for job in own})


def _specs(
    plan: StudyPlan,
    left: Sequence[Job],
    record: StudyRecord,
    folder: Path,
    data: Path,
    track: tuple[str, ...],
) -> list[JobSpec]:
    """What is left to do; its paths are absolute, since a worker may stand elsewhere."""
    home, images = folder.resolve(), data.resolve()
    return [
        JobSpec(
            name=job.name,
            recipe=plan.recipe_of(job).model_dump(mode="json"),
            data=images,
            split=home / SPLIT_FILE,
            home=home,
            threads=record.threads,
            track=track,
        )
        for job in left
    ]


def _record(
    plan: StudyPlan, inputs: Inputs, data: str | Path, split: str | Path, threads: int | None
) -> StudyRecord:
    study, parts = plan.study, inputs.split
    digests = Digests(
        manifest=inputs.manifest.digest, split=parts.digest, weights="", curation=parts.curation_digest
    )
    return StudyRecord(
        **{name: getattr(study, name) for name in _AS_DEFINED},
        folds=plan.folds,
        recipe=study.recipe.model_dump(mode="json"),
        data=Path(data).as_posix(),
        split=Path(split).as_posix(),
        # Workers of several devices share the cores.
        threads=threads or max(1, torch.get_num_threads() // len(local_devices())),
        digests=digests,
        jobs=plan.jobs,
        detectable_before=plan.detectable,
        seen_before=plan.seen,
        created=now(),
        versions=package_versions(),
    )


def _carry_out(runner: Executor, specs: Sequence[JobSpec], plan: StudyPlan, pace: Pace) -> None:
    jobs = {job.name: job for job in plan.jobs}
    left = {spec.name for spec in specs}
    for record in runner.run(specs) if specs else ():
        left.discard(record.job)
        job = jobs[record.job]
        pace.note(job, record)
        which = tr("{level}, seed {seed}, fold {fold}", level=job.level, seed=job.seed, fold=job.fold)
        which, spent = f"[{len(jobs) - len(left)}/{len(jobs)}] {which}", duration(record.seconds)
        if record.status == "finished" and record.accuracy is not None:
            accuracy = percent(record.accuracy.value, 1)
            line = tr("{which}: {accuracy} in {time}", which=which, accuracy=accuracy, time=spent)
        else:
            line = tr("{which}: {status} after {time}", which=which, status=record.status, time=spent)
        if left:
            rest = duration(pace.left([jobs[name] for name in left]))
            line = tr("{said}, about {time} left", said=line, time=rest)
        if record.status == "finished" and record.accuracy is not None:
            say(line)
        else:
            warn(f"{line}. {record.reason}")


def conclude(folder: Path, record: StudyRecord, *, own: Collection[str]) -> StudyResults:
    """Judge what has ended of a study, and write its results, tables and page.

    `own` names the jobs that had to be here: of the others it is said that they are missing, and no more.

    Raises:
        DessinError: no run finished.
    """
    results = analyse(folder)
    results.write(folder)
    write_tables(folder, record, results)
    study = read_source(folder)
    drawn = study_page(study)
    write_page(folder / PAGE_FILE, drawn)
    if not any(level.finished for level in results.levels):
        ends = (ended_job(folder, job.name) for job in record.jobs)
        raise DessinError(
            f"None of the {len(record.jobs)} runs of the study finished.",
            allowed=next((f"The first: {end.reason}" for end in ends if end is not None), ""),
            do="Correct what it names and start the study again, with another --out where the study changes.",
        )
    say()
    for line in lines(study, terminal_width()):
        say(line)
    lost = set(own) & set(results.missing)
    if len(results.missing) > len(lost):
        others = number(len(results.missing) - len(lost))
        say(
            tr(
                "This is a part: {n} runs are left to other machines. Pack it (dessin pack {folder} --out "
                "part.dsn), and join all (dessin collect .. --into team).",
                n=others,
                folder=folder,
            )
        )
    if lost:
        warn(
            tr(
                "{n} of {all} runs gave no result. Those that failed are tried again when the study is; to "
                "begin "
                "one anew, move its folder in {folder} away.",
                n=len(lost),
                all=len(own),
                folder=folder / RUNS,
            )
        )
    say(tr("page: {file}", file=folder / PAGE_FILE))
    return results.with_page(drawn, folder)
