"""Runs with trackers, and what each tracker has of them, read with its own reader."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from loopback_servers import WandbServer

KEY = "0" * 40


@dataclass
class Seen:
    """What a reader found: points as (step, value) by name, and the rest by name."""

    points: dict[str, list[tuple[int, float]]]
    parameters: dict[str, Any]
    status: str
    results: dict[str, float] = field(default_factory=dict)

    def steps(self, name: str) -> list[int]:
        return [step for step, _ in self.points.get(name, [])]


def need(*libraries: str) -> None:
    """Skip loudly where a tracker is not installed; in CI fail."""
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        message = (
            f"NOT tested, for they are not installed: {', '.join(missing)} (pip install 'dessin[track]')."
        )
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


def read_tensorboard(run: Path) -> Seen:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams import metadata, plugin_data_pb2
    events = EventAccumulator(str(run / "tracking" / "tensorboard"))
    events.Reload()
    points = {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }
    sessions = {}
    for tag in events.PluginTagToContent(metadata.PLUGIN_NAME):
        content = events.SummaryMetadata(tag).plugin_data.content
        sessions[tag] = plugin_data_pb2.HParamsPluginData.FromString(content)
    start = sessions[metadata.SESSION_START_INFO_TAG].session_start_info.hparams
    parameters = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.items()}
    end = sessions.get(metadata.SESSION_END_INFO_TAG)
    status = {None: "", 1: "finished", 2: "failed"}[end.session_end_info.status if end else None]
    results = {name: values[-1][1] for name, values in points.items()}
    return Seen(points, parameters, status, results)


def read_mlflow(address: str, name: str, experiment: str = "dessin") -> Seen:
    with warnings.catch_warnings():
        # The library and what it stands on warn of their own old habits.
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=address)
        found = client.get_experiment_by_name(experiment)
        (run,) = client.search_runs([found.experiment_id], f"attributes.run_name = '{name}'")
        points = {
            key: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
        }
    status = {"FINISHED": "finished", "FAILED": "failed"}.get(run.info.status, run.info.status)
    return Seen(points, run.data.params | run.data.tags, status, run.data.metrics)


def seen_by_wandb(server: WandbServer, run: str) -> Seen:
    kept = server.runs[run]
    points: dict[str, list[tuple[int, float]]] = {}
    for line in kept["history"]:
        for name, value in line.items():
            points.setdefault(name, []).append((line["epoch"], value))
    status = {None: "", 0: "finished", 1: "failed"}[kept.get("exit_code")]
    return Seen(points, kept["config"], status, kept["summary"])


def sync_wandb(run: Path, server: WandbServer) -> None:
    """Send a run's offline files to a server that is serving, with wandb's own program."""
    for folder in sorted((run / "tracking" / "wandb").glob("offline-run-*")):
        subprocess.run(
            [sys.executable, "-m", "wandb", "sync", str(folder)],
            env=wandb_environment(server.address, run),
            cwd=run,
            check=True,
            capture_output=True,
            timeout=60,
        )


def wandb_environment(address: str, folder: Path) -> dict[str, str]:
    places = {f"WANDB_{purpose}_DIR": str(folder / "wandb-own") for purpose in ("CACHE", "CONFIG", "DATA")}
    own: Mapping[str, str] = {
        "WANDB_BASE_URL": address,
        "WANDB_API_KEY": KEY,
        "WANDB_ERROR_REPORTING": "false",
    }
    return {**os.environ, **places, **own}
