"""Every tracker gets the run for real: what it wrote is read back with its own reader or by a real server."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
from loopback_servers import WandbServer, WatchingProxy, free_port, serving, silent_server
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe
from tracked_run import KEY, Seen, need, read_mlflow, read_tensorboard, seen_by_wandb, sync_wandb

from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.runs import stages
from dessin.runs.record import read_record
from dessin.runs.tracking.messages import Begin
from dessin.runs.tracking.sinks import TrackerProcess
from dessin.runs.tracking.to_mlflow import MlFlow
from dessin.runs.train import train
from dessin.training.checkpoint import Checkpoints

pytestmark = pytest.mark.trackers
ALL = ("tensorboard", "wandb(offline)", "mlflow")
CURVE = ("train_loss", "validation_loss", "validation_accuracy", "lr")
EPOCHS = 3


class Killed(BaseException):
    """Stands for a kill: nothing of dessin catches it."""


@contextmanager
def killed_after(epoch: int, *, with_trackers: bool = False) -> Iterator[None]:
    """The run in the block dies after the checkpoint of an epoch; its trackers end in order, or die too.

    Every epoch is made as long as its trackers need, as epochs are that are worth tracking.
    """
    save, send = Checkpoints.save, TrackerProcess.send

    def patient(self: TrackerProcess, message: Any) -> None:
        send(self, message)
        self.settle()

    def deadly(self: Checkpoints, state: Any, *rest: Any) -> None:
        save(self, state, *rest)
        if state.epochs_done == epoch:
            for child in psutil.Process().children() if with_trackers else ():
                if "dessin.runs.tracking.worker" in child.cmdline():
                    child.kill()
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", deadly)
        patch.setattr(TrackerProcess, "send", patient)
        with pytest.raises(Killed):
            yield


@dataclass(frozen=True)
class Place:
    """A collection, its split, and what `train` makes of them."""

    data: Path
    split: Path

    def train(self, out: Path, recipe: Recipe | None = None, **options: Any) -> Path:
        return train(recipe or a_recipe(), data=self.data, split=self.split, out=out, **options)


def a_recipe(**train_section: object) -> Recipe:
    return tiny_recipe(train={"epochs": EPOCHS, "batch_size": 8, **train_section})


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    need("tensorboard", "wandb", "mlflow")


@pytest.fixture(autouse=True)
def nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, which answers after a while."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    command = [
        "mlflow",
        "server",
        "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}",
        "--workers",
        "1",
    ]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield f"http://127.0.0.1:{port}"
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with apart(tmp_path_factory.mktemp("drawings")) as folder:
        data = make_drawings(folder / "data")
        yield Place(data, make_tiny_split(data, folder / "split.csv"))


@pytest.fixture(scope="module")
def tracked(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that goes to all three; its folder's name is one that addresses do not like."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        runs = tmp_path_factory.mktemp("runs") / "all my #1 runs %20é"
        return place.train(runs / "one", a_recipe(average_last=2), track=ALL)


@pytest.fixture(scope="module")
def plain(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return place.train(tmp_path_factory.mktemp("plain") / "run", a_recipe(average_last=2))


@pytest.fixture(scope="module")
def seen(tracked: Path) -> dict[str, Seen]:
    return read_all(tracked)


@pytest.fixture
def runs(tracked: Path, tmp_path: Path) -> Path:
    """A folder for runs with a database in it, for making the tables takes MLflow seconds."""
    (tmp_path / "runs").mkdir()
    shutil.copy(tracked.parent / "mlflow.db", tmp_path / "runs")
    return tmp_path / "runs"


def read_all(run: Path) -> dict[str, Seen]:
    """What each tracker has of a run, with those that it did not go to left out."""
    found = {}
    if (run / "tracking" / "tensorboard").is_dir():
        found["tensorboard"] = read_tensorboard(run)
    if (run / "tracking" / "wandb").is_dir():
        server = WandbServer()
        with serving(server):
            sync_wandb(run, server)
        found["wandb"] = seen_by_wandb(server, only(server.runs))
    if (run / "tracking" / "mlflow.json").is_file():
        with TemporaryDirectory() as folder:
            # MLflow reads an address as a URL, so a folder with a # is none for it.
            database = shutil.copy(run.parent / "mlflow.db", folder)
            found["mlflow"] = read_mlflow(f"sqlite:///{database}", run.name)
    return found


def only(values: Any) -> Any:
    (value,) = values
    return value


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "bundle" / "model.safetensors").read_bytes()).hexdigest()


def tracking_of(run: Path) -> tuple[str, str]:
    return only((d.value, d.reason) for d in read_record(run).decisions if d.name == "tracking")


def curve_of(run: Path) -> list[dict[str, str]]:
    with (run / "curve.csv").open() as file:
        return list(csv.DictReader(file))


def assert_whole_curve(seen: Seen, run: Path) -> None:
    """Every value of curve.csv, once, at its epoch."""
    rows = curve_of(run)
    for name in CURVE:
        for prefix, averaged in (("", False), ("averaged/", True)):
            chosen = [row for row in rows if (row["averaged"] != "0") == averaged and row[name]]
            expected = [(int(row["epoch"]), pytest.approx(float(row[name]))) for row in chosen]
            assert sorted(seen.points.get(prefix + name, [])) == expected, prefix + name


def assert_results(seen: Seen, run: Path) -> None:
    accuracy = read_record(run).results["validation"].accuracy
    for name, value in (("", accuracy.value), ("/low", accuracy.low), ("/high", accuracy.high), ("/n", 9)):
        assert seen.results[f"results/validation/accuracy{name}"] == pytest.approx(value)


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_each_tracker_has_the_whole_run(name: str, tracked: Path, seen: dict[str, Seen]) -> None:
    assert tracking_of(tracked)[0] == "tensorboard; wandb; mlflow"
    assert_whole_curve(seen[name], tracked)
    assert_results(seen[name], tracked)
    assert float(seen[name].parameters["optimizer.lr"]) == 2e-3
    assert str(seen[name].parameters["model.backbone"]) == "test_efficientnet"
    assert seen[name].status == "finished"


def test_the_digests_are_there_as_tags(tracked: Path, seen: dict[str, Seen]) -> None:
    manifest = read_record(tracked).digests.manifest
    assert seen["wandb"].parameters["digest.manifest"] == manifest
    assert seen["mlflow"].parameters["digest.manifest"] == manifest
    assert seen["mlflow"].parameters["digest.model"] == weights_of(tracked)


def test_tracking_changes_no_byte_and_leaves_its_files_in_the_run(tracked: Path, plain: Path) -> None:
    assert weights_of(tracked) == weights_of(plain)
    assert sorted(path.name for path in tracked.parent.iterdir()) == ["mlflow.db", "one"]
    assert not (plain / "tracking").exists()
    assert "tracking" not in [decision.name for decision in read_record(plain).decisions]


def test_what_is_written_names_no_machine_and_no_person(tracked: Path) -> None:
    """Not the host, and no folder: W&B's file is what would be uploaded."""
    content = only((tracked / "tracking" / "wandb").glob("offline-run-*/*.wandb")).read_bytes()
    assert b"test_efficientnet" in content
    assert str(tracked.parent.parent).encode() not in content
    assert str(Path.home()).encode() + b"/" not in content
    assert sys.executable.encode() not in content


@pytest.mark.parametrize(("death", "trackers"), [("interrupted", ALL[:1]), ("killed", ALL)])
def test_a_resumed_run_goes_on_where_it_was(
    death: str, trackers: tuple[str, ...], place: Place, plain: Path, runs: Path
) -> None:
    """Interrupted in order, or with everything that it had started killed at the same moment."""
    run, recipe = runs / "again", a_recipe(average_last=2)
    with killed_after(2, with_trackers=death == "killed"):
        place.train(run, recipe, track=trackers)
    assert read_record(run).status == "running"
    train(resume=run)
    assert weights_of(run) == weights_of(plain)
    found = read_all(run)
    assert len(found) == len(trackers)
    for seen in found.values():
        assert_whole_curve(seen, run)
        assert seen.status == "finished"


def test_a_tracker_may_join_a_resumed_run_and_another_may_be_gone(place: Place, runs: Path) -> None:
    """The one that joins has the epochs of before, and so has the one whose files were removed meanwhile."""
    run = runs / "again"
    with killed_after(1):
        place.train(run, track=["tensorboard"])
    shutil.rmtree(run / "tracking" / "tensorboard")
    train(resume=run, track=["mlflow"])
    assert tracking_of(run)[0] == "tensorboard; mlflow"
    assert read_record(run).recipe.track == ("tensorboard", "mlflow")
    for seen in read_all(run).values():
        assert_whole_curve(seen, run)


def test_a_run_that_mlflow_no_longer_has_is_begun_anew(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    begin = Begin(name="x", parameters={}, tags={})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter = MlFlow(runs / "one" / "tracking", {"address": "", "experiment": "dessin"})
        first = adapter.begin(begin, "", 0)
        again = adapter.begin(begin, first.identity, 0)
        other = adapter.begin(begin, "0" * 32, 0)
    assert (again.identity, again.continues) == (first.identity, True)
    assert other.identity != first.identity
    assert not other.continues


def test_a_failed_run_is_failed_everywhere(place: Place, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise DessinError("The disk is full.")

    monkeypatch.setattr(stages, "save_bundle", fails)
    with pytest.raises(DessinError, match="disk is full"):
        place.train(runs / "bad", track=ALL)
    assert read_record(runs / "bad").status == "failed"
    found = read_all(runs / "bad")
    assert len(found) == len(ALL)
    for seen in found.values():
        assert_whole_curve(seen, runs / "bad")
        assert seen.status == "failed"


def test_the_attempts_of_a_collapsed_run_stand_side_by_side(place: Place, tmp_path: Path) -> None:
    exploding = tiny_recipe(
        "full",
        optimizer={"name": "sgd", "lr": 10.0, "weight_decay": 10.0, "warmup_epochs": 0.0},
        train={"epochs": 4, "batch_size": 4, "attempts": 5},
    )
    run = place.train(tmp_path / "one", exploding, track=["tensorboard", "wandb"])
    last = len(read_record(run).attempts)
    assert last > 1
    for seen in read_all(run).values():
        assert seen.steps(f"attempt{last}/train_loss") == [1, 2, 3, 4]
        assert seen.status == "finished"


def test_wandb_offline_files_that_were_sent_already_are_followed_by_the_rest(
    place: Place, tmp_path: Path
) -> None:
    """Interrupted, and `wandb sync` before it goes on and at the end: nothing is there twice."""
    run, server = tmp_path / "one", WandbServer()
    with killed_after(2):
        place.train(run, track=["wandb"])
    with serving(server):
        sync_wandb(run, server)
        assert seen_by_wandb(server, only(server.runs)).steps("train_loss") == [1, 2]
        train(resume=run)
        sync_wandb(run, server)
    seen = seen_by_wandb(server, only(server.runs))
    assert_whole_curve(seen, run)
    assert seen.status == "finished"
    steps = [line["_step"] for line in only(server.runs.values())["history"]]
    assert steps == list(range(EPOCHS + 1))


def test_wandb_online_sends_the_run_and_goes_on_with_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = WandbServer()
    run = tmp_path / "runs" / "one"
    monkeypatch.setenv("WANDB_BASE_URL", server.address)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with serving(server):
        with killed_after(2):
            place.train(run, track=["wandb(online, sketches)"])
        assert seen_by_wandb(server, only(server.runs)).steps("train_loss") == [1, 2]
        train(resume=run)
    seen = seen_by_wandb(server, only(server.runs))
    assert_whole_curve(seen, run)
    assert_results(seen, run)
    assert seen.status == "finished"
    assert seen.parameters["train.epochs"] == EPOCHS
    assert "/sketches/" in tracking_of(run)[1]
    said = "".join(server.said)
    assert str(tmp_path) not in said
    assert sys.executable not in said


def test_offline_nobody_is_called(place: Place, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy that notes every name; going online, on purpose, shows that it would."""
    proxy = WatchingProxy()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    # The libraries call nobody where these say that it is a test.
    for name in ("CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    with serving(proxy):
        place.train(runs / "offline", track=ALL)
        assert proxy.asked == []
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        online = place.train(runs / "online", track=["wandb(online)"])
    assert proxy.asked
    assert tracking_of(online)[0] == "wandb failed"


def test_servers_that_say_nothing_stop_no_run(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_server() as silent:
        monkeypatch.setenv("WANDB_BASE_URL", silent)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        trackers = ["wandb(online)", f'mlflow("{silent}")', "tensorboard"]
        run = place.train(tmp_path / "silent", track=trackers)
    record = read_record(run)
    assert record.status == "finished"
    assert record.timings["tracking"] < 45
    value, reason = tracking_of(run)
    assert value == "wandb failed; mlflow failed; tensorboard"
    assert "wandb: CommError: " in reason
    assert "timed out" in reason
    assert_whole_curve(read_tensorboard(run), run)


def test_runs_that_begin_at_once_share_one_database(tmp_path: Path) -> None:
    """Two processes that both find no database yet."""
    code = "import sys; from dessin.runs.tracking.worker import main; main(sys.argv[1:])"
    settings = json.dumps({"address": "", "experiment": "dessin"})
    begin = b'{"kind":"begin","name":"NAME","parameters":{"a":1},"tags":{}}\n'
    end = b'{"kind":"end","status":"finished","values":{"b":2.0},"tags":{}}\n'
    processes = []
    for number in range(2):
        folder = tmp_path / f"run{number}" / "tracking"
        folder.mkdir(parents=True)
        process = subprocess.Popen(
            [sys.executable, "-c", code, "mlflow", str(folder), settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        process.stdin.write(begin.replace(b"NAME", folder.parent.name.encode()) + end)
        process.stdin.flush()
        processes.append(process)
    for process in processes:
        answers, _ = process.communicate(timeout=60)
        assert answers.count(b'"failed":""') == 2, answers
    for number in range(2):
        assert read_mlflow(f"sqlite:///{tmp_path / 'mlflow.db'}", f"run{number}").results == {"b": 2.0}


def test_mlflow_server_by_address(place: Place, mlflow_server: str, tmp_path: Path) -> None:
    wait_for(mlflow_server)
    run = place.train(tmp_path / "one", track=[f'mlflow("{mlflow_server}", experiment="small drawings")'])
    assert tracking_of(run)[0] == "mlflow", tracking_of(run)
    seen = read_mlflow(mlflow_server, "one", "small drawings")
    assert_whole_curve(seen, run)
    assert_results(seen, run)
    assert seen.status == "finished"
    assert not (tmp_path / "mlflow.db").exists()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert time.monotonic() < deadline, f"no MLflow server at {address}"
            time.sleep(0.2)
