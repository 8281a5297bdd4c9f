"""A job from every state that its run folder can be in."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_run import tiny_recipe

from dessin.errors import DessinError
from dessin.folders import hold
from dessin.recipe import make_recipe
from dessin.runs import stages
from dessin.runs.executors.job import JobSpec, carry_out_job, from_text, thread_environment
from dessin.runs.executors.record import JobRecord
from dessin.runs.record import read_record

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def shared_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESSIN_CACHE", str(home / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def spec(home: Path, tmp_path: Path) -> JobSpec:
    recipe = tiny_recipe("full", train={"epochs": 1, "batch_size": 8})
    return JobSpec(
        name="a-seed0-fold0",
        recipe=recipe.model_dump(mode="json"),
        data=home / "data",
        split=home / "split.csv",
        home=tmp_path / "study",
        threads=1,
    )


def run_of(spec: JobSpec) -> Path:
    return spec.home / "runs" / spec.name


def weights_of(spec: JobSpec) -> str:
    return hashlib.sha256((run_of(spec) / "bundle" / "model.safetensors").read_bytes()).hexdigest()


def job_file(spec: JobSpec) -> Path:
    return spec.home / "jobs" / f"{spec.name}.json"


class Killed(BaseException):
    """Stands for SIGKILL: no handler may touch it."""


def killed_in(spec: JobSpec, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin the job, and let it die where the function `stage` of the stages is called."""

    def die(*_args: object, **_kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(stages, stage, die)
        with pytest.raises(Killed):
            carry_out_job(spec, "local")
    assert not job_file(spec).exists()


def test_a_job_is_a_run_and_a_record(spec: JobSpec) -> None:
    record = carry_out_job(spec, "somewhere")
    run = read_record(run_of(spec))
    assert (record.job, record.status, record.reason) == ("a-seed0-fold0", "finished", "")
    assert record.executor == "somewhere"
    assert record.accuracy == run.results["validation"].accuracy
    assert record.loss == run.results["validation"].loss
    assert record.seconds >= sum(run.timings.values()) > 0
    assert json.loads(job_file(spec).read_text()) == record.model_dump(mode="json")
    assert run.hardware.threads == 1


def test_a_finished_job_is_not_touched_again(spec: JobSpec) -> None:
    first = carry_out_job(spec, "local")
    before = {path: path.stat().st_mtime_ns for path in spec.home.rglob("*") if path.is_file()}
    assert carry_out_job(spec, "other") == first
    assert {path: path.stat().st_mtime_ns for path in spec.home.rglob("*") if path.is_file()} == before


def test_a_finished_run_without_a_record_is_only_recorded(spec: JobSpec) -> None:
    """The machine died between the end of the run and that of the job, as its checkpoint was removed."""
    first = carry_out_job(spec, "local")
    job_file(spec).unlink()
    (run_of(spec) / "checkpoint" / "step-00000001").mkdir(parents=True)
    before = (run_of(spec) / "record.json").stat().st_mtime_ns
    again = carry_out_job(spec, "local")
    assert (run_of(spec) / "record.json").stat().st_mtime_ns == before
    assert (again.status, again.accuracy, again.loss) == ("finished", first.accuracy, first.loss)
    assert not (run_of(spec) / "checkpoint").exists()


def test_a_run_that_was_killed_is_gone_on_with(
    spec: JobSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_in(spec, "save_bundle", monkeypatch)
    began = read_record(run_of(spec)).started
    assert carry_out_job(spec, "local").status == "finished"
    record = read_record(run_of(spec))
    assert record.started[:1] == began
    assert len(record.started) == 2
    whole = replace(spec, home=tmp_path / "whole")
    carry_out_job(whole, "local")
    assert weights_of(spec) == weights_of(whole)


@pytest.mark.parametrize(
    "damage", ["no record", "half a record", "no format", "another recipe", "an empty folder"]
)
def test_a_damaged_run_is_set_aside_and_begun_anew(
    damage: str, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_in(spec, "save_bundle", monkeypatch)
    path = run_of(spec) / "record.json"
    if damage == "no record":
        path.unlink()
    elif damage == "half a record":
        path.write_text(path.read_text()[:100])
    elif damage == "no format":
        path.write_text("{}")
    elif damage == "another recipe":
        spec = replace(spec, recipe=spec.recipe | {"loss": "focal(2.0)"})
    else:
        for file in sorted(run_of(spec).rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
    assert carry_out_job(spec, "local").status == "finished"
    aside = sorted(p.name for p in run_of(spec).parent.iterdir() if p != run_of(spec))
    kind = "other" if damage == "another recipe" else "damaged"
    assert aside == ([] if damage == "an empty folder" else [f"a-seed0-fold0.{kind}-1"])
    assert len(read_record(run_of(spec)).started) == 1


def test_a_run_of_a_newer_dessin_is_left_alone(spec: JobSpec) -> None:
    carry_out_job(spec, "local")
    job_file(spec).unlink()
    path = run_of(spec) / "record.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    record = carry_out_job(spec, "local")
    assert record.status == "failed"
    assert "newer dessin" in record.reason
    assert run_of(spec).is_dir()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DessinError("The disk is full."), "The disk is full."),
        (MemoryError("too much"), "MemoryError: too much"),
        (RuntimeError("CUDA out of memory"), "RuntimeError: CUDA out of memory"),
        (OSError(28, "No space left"), "No space left"),
    ],
)
def test_what_goes_wrong_is_a_record_and_may_be_cured(
    error: Exception, reason: str, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(stages, "predict_rows", fail)
        record = carry_out_job(spec, "local")
    assert record.status == "failed"
    assert reason in record.reason
    assert record.accuracy is None
    assert read_record(run_of(spec)).status == "failed"
    assert carry_out_job(spec, "local").status == "finished"
    assert len(read_record(run_of(spec)).started) == 2


def test_an_interruption_by_the_user_passes(spec: JobSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "predict_rows", interrupt)
    with pytest.raises(KeyboardInterrupt):
        carry_out_job(spec, "local")
    assert not job_file(spec).exists()


def test_a_recipe_that_cannot_begin_fails_without_a_run(spec: JobSpec) -> None:
    hopeless = replace(spec, recipe=spec.recipe | {"model": {"backbone": "test_vit", "weights": "/nowhere"}})
    record = carry_out_job(hopeless, "local")
    assert record.status == "failed"
    assert "/nowhere" in record.reason
    assert record.seconds >= 0


def test_a_collapsed_run_stays_collapsed(spec: JobSpec) -> None:
    recipe = spec.recipe | {
        "optimizer": {"name": "sgd", "lr": 10.0, "warmup_epochs": 0.0},
        "train": {"epochs": 2, "batch_size": 8, "attempts": 1},
        "finetune": {"mode": "full", "batch_norm": "frozen"},
    }
    wild = replace(spec, recipe=recipe)
    record = carry_out_job(wild, "local")
    assert record.status == "collapsed"
    assert "collapsed" in record.reason
    before = (run_of(wild) / "record.json").read_bytes()
    assert carry_out_job(wild, "local") == record
    job_file(wild).unlink()
    again = carry_out_job(wild, "local")
    assert (again.status, again.reason) == (record.status, record.reason)
    assert (run_of(wild) / "record.json").read_bytes() == before


def test_two_at_once_do_the_job_once(spec: JobSpec) -> None:
    records = []
    threads = [
        threading.Thread(target=lambda: records.append(carry_out_job(spec, "local"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert records[0] == records[1]
    assert len(read_record(run_of(spec)).started) == 1


def test_a_run_that_somebody_else_works_on_is_waited_for(
    spec: JobSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(spec, home=tmp_path / "whole")
    carry_out_job(whole, "local")
    killed_in(spec, "save_bundle", monkeypatch)
    records: list[JobRecord] = []
    worker = threading.Thread(target=lambda: records.append(carry_out_job(spec, "local")))
    with hold(run_of(spec), wait=True):
        worker.start()
        # The other process ends the run; a worker that does not wait finds it unfinished, or held.
        shutil.copytree(run_of(whole), run_of(spec), dirs_exist_ok=True)
    worker.join()
    assert records[0].status == "finished"
    assert (run_of(spec) / "record.json").read_bytes() == (run_of(whole) / "record.json").read_bytes()


def test_a_job_survives_being_sent(spec: JobSpec) -> None:
    there = from_text(spec.to_text())
    assert make_recipe(there.recipe) == make_recipe(spec.recipe)
    assert replace(there, recipe={}) == replace(spec, recipe={})
    assert "\n" not in spec.to_text()


def test_threads_are_the_same_for_all_libraries() -> None:
    environment = thread_environment(3)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert set(environment.values()) == {"3"}
