"""MLflow: an SQLite file beside the run folders, or a server by its address."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dessin.files import cache_folder, locked
from dessin.runs.tracking.messages import Begin, Begun, End, Point

_SQLITE = "sqlite:///"
_DATABASE = "mlflow.db"
_VALUE_LIMIT = 500
_BATCH = 100
_DATABASE_SECONDS = 8.0
_WAITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


class MlFlow:
    """Writes parameters, tags, and metrics by epoch; keeps no artifacts."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        for name, value in _WAITS.items():
            os.environ.setdefault(name, value)
        self._address, self._experiment = settings["address"], settings["experiment"]
        if not self._address:
            # A relative address from there: a folder may have characters that an address may not.
            os.chdir(folder.resolve().parent.parent)
            self._address = f"{_SQLITE}{_DATABASE}"
        self._is_file = self._address.startswith(_SQLITE)
        self._entities = import_module("mlflow.entities")
        self._failure: type[Exception] = import_module("mlflow.exceptions").MlflowException
        self._tracking = import_module("mlflow.tracking")

    def begin(self, message: Begin, identity: str, points: int) -> Begun:  # noqa: ARG002 (W&B's)
        # Two processes that make the tables of one file at once would fail.
        with locked(cache_folder() / "mlflow.lock") if self._is_file else contextlib.nullcontext():
            if self._is_file:
                _check_database(self._address.removeprefix(_SQLITE))
            self._client: Any = self._tracking.MlflowClient(tracking_uri=self._address)
            experiment = self._experiment_id()
        continues = bool(identity) and self._is_there(identity)
        if continues:
            self._run = identity
            self._client.update_run(identity, status="RUNNING")
        else:
            tags = {key: value[:_VALUE_LIMIT] for key, value in message.tags.items()}
            self._run = self._client.create_run(experiment, run_name=message.name, tags=tags).info.run_id
            parameters = [
                self._entities.Param(key, str(value)[:_VALUE_LIMIT])
                for key, value in message.parameters.items()
            ]
            for first in range(0, len(parameters), _BATCH):
                self._client.log_batch(self._run, params=parameters[first : first + _BATCH])
        return Begun(self._run, f"run {self._run} in {self._address}", continues)

    def point(self, message: Point) -> None:
        self._send(message.values, message.step)

    def end(self, message: End) -> None:
        self._send(message.values, 0)
        for key, value in message.tags.items():
            self._client.set_tag(self._run, key, value[:_VALUE_LIMIT])
        self._client.set_terminated(self._run, "FINISHED" if message.status == "finished" else "FAILED")

    def interrupted(self) -> None:
        self._client.set_terminated(self._run, "KILLED")

    def _send(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [self._entities.Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def _experiment_id(self) -> str:
        """The experiment of that name; where another process makes it first, that one."""
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            with contextlib.suppress(self._failure):
                return str(self._client.create_experiment(self._experiment))
            found = self._client.get_experiment_by_name(self._experiment)
        return str(found.experiment_id)

    def _is_there(self, identity: str) -> bool:
        """Whether the run of an earlier beginning still exists; a database may be removed."""
        try:
            return str(self._client.get_run(identity).info.lifecycle_stage) == "active"
        except self._failure as error:
            if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise


def _check_database(path: str) -> None:
    """Open the file once: the library would try for minutes where it cannot be opened."""
    with contextlib.closing(sqlite3.connect(path, timeout=_DATABASE_SECONDS)) as database:
        database.execute("PRAGMA schema_version").fetchall()
