"""Jobs on real Ray clusters: a node that is killed, one that shares nothing, one that never answers."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from ray_kit import cluster_of
from tiny_run import make_drawings, make_tiny_split, tiny_recipe

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.parallel import ray_connection
from dessin.parallel.ray_queue import queued
from dessin.runs.executors import ray_cluster
from dessin.runs.executors.job import JobSpec, carry_out_job
from dessin.runs.executors.ray_cluster import RayExecutor
from dessin.runs.executors.ray_task import Order, do, pack, unpack
from dessin.runs.executors.record import JobRecord, ended_job, write_job
from dessin.runs.fold_group import FoldGroup
from dessin.runs.machine import NOBODY, who
from dessin.runs.record import read_record
from dessin.runs.train import train

pytestmark = pytest.mark.slow

PATIENCE_S = 40.0


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> None:
    """Without Ray the tests are skipped loudly, and in CI they fail."""
    if importlib.util.find_spec("ray") is None:
        message = "Ray is not installed, so the executor was NOT tested (pip install 'dessin[cluster]')."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("drawings")
    data = make_drawings(folder / "data")
    return data, make_tiny_split(data, folder / "split.csv")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One steady node."""
    with cluster_of(1, tmp_path_factory.mktemp("nodes")) as made:
        yield made


def jobs(study: Path, drawings: tuple[Path, Path], seeds: int) -> list[JobSpec]:
    """A study's folder with its split, and one job a seed."""
    data, split = drawings
    study.mkdir()
    shutil.copy(split, study / "split.csv")
    short = {"epochs": 1, "batch_size": 8}
    recipes = [tiny_recipe(train=short, seed=seed).model_dump(mode="json") for seed in range(seeds)]
    return [
        JobSpec(
            f"plain-{seed}",
            recipe,
            data,
            study / "split.csv",
            study,
            threads=1,
        )
        for seed, recipe in enumerate(recipes)
    ]


def weights(study: Path, seeds: int) -> list[str]:
    runs = [study / "runs" / f"plain-{seed}" for seed in range(seeds)]
    return [sha256_file(run / "bundle" / "model.safetensors") for run in runs]


def carried_out_here(study: Path, drawings: tuple[Path, Path], seeds: int) -> list[JobRecord]:
    torch.set_num_threads(1)
    return [carry_out_job(spec, "local") for spec in jobs(study, drawings, seeds)]


def numbers(records: list[JobRecord]) -> list[object]:
    ordered = sorted(records, key=lambda record: record.job)
    return [(record.job, record.status, record.accuracy, record.loss) for record in ordered]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s in vain for {what}"
        os.sched_yield()


def lose(cluster: Any, node: Any) -> None:
    """What a power failure does: every process of the node is gone at once, also those that compute."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    workers = raylet.children(recursive=True)
    assert workers
    for process in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    cluster.remove_node(node, allow_graceful=False)


@pytest.mark.cluster
def test_folds_on_two_nodes_of_which_one_dies_are_those_of_one_machine(
    cluster: Any, drawings: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, group, here = drawings[0], tmp_path / "group", tmp_path / "here"
    split = make_tiny_split(data, tmp_path / "split.csv", folds=5)
    recipe = tiny_recipe(train={"epochs": 24, "batch_size": 8})
    asked: dict[str, Any] = {"data": data, "split": split, "folds": "all", "threads": 1}
    doomed = cluster.add_node(num_cpus=1)
    import ray

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(train, recipe, out=group, executor="ray", address=cluster.address, **asked)

        def both_train() -> bool:
            assert not ended.done(), ended.result()
            return len(list(group.glob("fold-*/checkpoint"))) >= 2

        until(both_train, "two folds on two nodes")
        seen = queued(ray)
        lose(cluster, doomed)
        ended.result(timeout=3 * PATIENCE_S)

    train(recipe, out=here, **asked)
    assert [job.state for job in seen] == ["running"] * 2 + ["waiting"] * (len(seen) - 2)
    assert {(job.folder, job.who) for job in seen} == {(str(group), who() or NOBODY)}
    assert len({job.node_id for job in seen} - {""}) == 2
    starts = [len(read_record(group / f"fold-{fold}").started) for fold in range(5)]
    assert sorted(starts) == [1, 1, 1, 1, 2], "one fold was killed, and gone on with"
    for name in (
        *(f"fold-{fold}/bundle/model.safetensors" for fold in range(5)),
        "validation/probabilities.npy",
    ):
        assert sha256_file(group / name) == sha256_file(here / name), name
    assert FoldGroup.read(group).results == FoldGroup.read(here).results
    assert {path.name for path in group.iterdir()} == {path.name for path in here.iterdir()}
    assert capfd.readouterr().err == ""


@pytest.mark.cluster
def test_a_node_that_shares_no_folder_sends_the_same_run_back(
    cluster: Any, drawings: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unseen(study: Path) -> Iterator[tuple[Path, str]]:
        yield study / "no such file", "secret"

    monkeypatch.setattr(ray_cluster, "_token", unseen)
    study = tmp_path / "study"
    specs = jobs(study, drawings, 2)
    half_done = study / "runs" / "plain-0"
    half_done.mkdir(parents=True)
    (half_done / "junk").write_text("what another executor left")
    absent = replace(specs[1], data=tmp_path / "elsewhere", name="absent")

    broken = replace(
        specs[1],
        recipe=tiny_recipe(model={"backbone": "test_efficientnet", "weights": "no.bin"}).model_dump(
            mode="json"
        ),
        name="broken",
    )

    run = RayExecutor(cluster.address).run([*specs, absent, broken])
    records = {record.job: record for record in run}

    here = carried_out_here(tmp_path / "here", drawings, 2)
    assert numbers([records["plain-0"], records["plain-1"]]) == numbers(here)
    assert weights(study, 2) == weights(tmp_path / "here", 2)
    assert ray_cluster._known_memory(study) >= records["plain-0"].memory > 2**27, "torch alone takes more"
    sent, local = (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for root in (study / "runs" / "plain-0", tmp_path / "here" / "runs" / "plain-0")
    )
    assert sent == local
    named = read_record(study / "runs" / "plain-0").recipe.data
    assert (named.path, named.split) == (str(drawings[0]), str(study / "split.csv"))
    assert records["absent"].status == "failed"
    assert f"has no {tmp_path / 'elsewhere'}" in records["absent"].reason
    assert records["broken"].status == "failed"
    assert "no.bin" in records["broken"].reason
    assert all(ended_job(study, name) == record for name, record in records.items())


@pytest.mark.cluster
def test_a_job_for_which_no_node_is_large_enough_is_refused(
    cluster: Any, drawings: tuple[Path, Path], tmp_path: Path
) -> None:
    spec = replace(jobs(tmp_path / "study", drawings, 1)[0], threads=7)
    with pytest.raises(DessinError, match="computes with 7 threads, and the largest node of Ray has 1 cores"):
        list(RayExecutor(cluster.address).run([spec]))


@pytest.mark.cluster
def test_a_ray_of_this_machine_gives_the_bytes_of_this_machine(
    drawings: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    specs = [replace(spec, home=Path("study")) for spec in jobs(tmp_path / "study", drawings, 1)]
    records = list(RayExecutor().run(specs))
    assert numbers(records) == numbers(carried_out_here(tmp_path / "here", drawings, 1))
    assert weights(Path("study"), 1) == weights(tmp_path / "here", 1)
    assert [record.executor for record in records] == ["ray"]


def order(spec: JobSpec, **changes: Any) -> Order:
    """What the driver would send for a job whose folder the node sees."""
    token = spec.home / "token"
    token.write_text("secret")
    return replace(ray_cluster._order(spec, token, "secret"), **changes)


def test_a_task_that_begins_again_takes_the_record_that_it_left(
    drawings: tuple[Path, Path], tmp_path: Path
) -> None:
    spec = jobs(tmp_path / "study", drawings, 1)[0]
    sent = order(spec)
    left = JobRecord(job=spec.name, status="failed", reason="of old", seconds=1.0, executor="ray")
    write_job(spec.home, left)
    assert JobRecord.model_validate_json(do(sent).record) == left
    assert not (spec.home / "runs").exists()
    # A failure from before the study was started again is no answer to the new order.
    torch.set_num_threads(1)
    assert JobRecord.model_validate_json(do(order(spec)).record).status == "finished"


def test_later_jobs_ask_for_the_memory_that_earlier_ones_took(tmp_path: Path) -> None:
    assert ray_cluster._known_memory(tmp_path) == 0
    for name, memory in (("a", 2**30), ("b", 2**29)):
        write_job(tmp_path, JobRecord(job=name, status="finished", seconds=1.0, memory=memory))
    (tmp_path / "jobs" / "c.json").write_text("{")
    assert ray_cluster._known_memory(tmp_path) == 2**30


def test_a_node_with_other_versions_says_so(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    spec = jobs(tmp_path / "study", drawings, 1)[0]
    sent = order(spec)
    answer = do(replace(sent, versions={**sent.versions, "torch": "1.0"}))
    record = JobRecord.model_validate_json(answer.record)
    assert record.status == "failed"
    assert f"torch {sent.versions['torch']} (not 1.0)" in record.reason
    assert not (spec.home / "runs").exists()


@pytest.mark.cluster
def test_a_cluster_that_does_not_answer_is_an_error_at_once(
    drawings: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spec = jobs(tmp_path / "study", drawings, 1)[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(ray_connection, "_JOIN_S", 3.0)
        with pytest.raises(DessinError, match="did not answer as a Ray cluster does"):
            list(RayExecutor(f"127.0.0.1:{port}").run([spec]))
    with pytest.raises(DessinError, match=f"127.0.0.1:{port} cannot be reached: Connection refused"):
        list(RayExecutor(f"127.0.0.1:{port}").run([spec]))
    for wrong in ("ray://host:1", "host", "host:99999", ":1"):
        with pytest.raises(DessinError, match="is no address of a Ray cluster"):
            list(RayExecutor(wrong).run([spec]))
    assert capfd.readouterr().err == ""
    assert not list((tmp_path / "study").glob(".shared-*"))


def test_a_folder_survives_the_journey(tmp_path: Path) -> None:
    (tmp_path / "run" / "deep").mkdir(parents=True)
    (tmp_path / "run" / "record.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "run" / "deep" / "x.bin").write_bytes(bytes(range(256)))
    (tmp_path / "run" / "link").symlink_to("/etc/hostname")
    files = pack(tmp_path / "run")
    unpack(files, tmp_path / "there")
    assert pack(tmp_path / "there") == files
    assert sorted(files) == ["deep/x.bin", "record.json"]


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\b", "", ".", "C:evil", "a//b", "a\0"]
)
def test_a_file_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DessinError, match="not inside its run folder"):
        unpack({"good": b"", name: b""}, tmp_path / "deep" / "run")
    assert not list(tmp_path.iterdir())
