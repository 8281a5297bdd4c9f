"""Weights & Biases, offline (files in the run's folder, for `wandb sync`) or online."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dessin.runs.tracking.messages import Begin, Begun, End, Point

_FOLDER = "wandb"
_SECONDS = 8.0
_REQUEST_SECONDS = 4.0


class WeightsAndBiases:
    """Sends what it is told and nothing more: no code, console, host name, packages or machine load."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder, self._settings = folder.resolve(), settings
        files = self._folder / _FOLDER
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        for purpose in ("CACHE", "CONFIG", "DATA"):
            os.environ.setdefault(f"WANDB_{purpose}_DIR", str(files / "own"))
        self._wandb: Any = import_module("wandb")

    def begin(self, message: Begin, identity: str, points: int) -> Begun:
        mode, online = self._settings["mode"], self._settings["mode"] == "online"
        continues = bool(identity) and not online and self._was_sent(identity)
        self._run: Any = self._wandb.init(
            project=self._settings["project"],
            entity=self._settings["entity"] or None,
            name=message.name,
            id=identity or secrets.token_hex(8),
            dir=str(self._folder),
            mode=mode,
            config={**message.parameters, **message.tags},
            resume="allow" if online else None,
            settings=self._quiet_settings(),
        )
        self._run.define_metric("*", step_metric="epoch")
        where = self._run.url if online else f"tracking/{_FOLDER}; send it with: wandb sync"
        if online:
            continues, points = self._run.resumed, self._run.starting_step
        self._step = points if continues else 0
        return Begun(self._run.id, f"run {self._run.id}, {where}", continues)

    def point(self, message: Point) -> None:
        self._run.log({"epoch": message.step, **message.values}, step=self._step)
        self._step += 1

    def end(self, message: End) -> None:
        self._run.config.update(message.tags, allow_val_change=True)
        self._run.summary.update({**message.values, "status": message.status})
        self._run.finish(exit_code=0 if message.status == "finished" else 1)

    def interrupted(self) -> None:
        self._run.finish(exit_code=1)

    def _was_sent(self, identity: str) -> bool:
        """Whether `wandb sync` sent what an earlier beginning left; else that goes, to be written whole."""
        earlier = list((self._folder / _FOLDER).glob(f"offline-run-*-{identity}"))
        if any(any(folder.glob("*.synced")) for folder in earlier):
            return True
        for folder in earlier:
            shutil.rmtree(folder)
        return False

    def _quiet_settings(self) -> Any:
        """Few tries and short waits, and none of what the library would collect by itself."""
        return self._wandb.Settings(
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            host="",
            username="",
            email="",
            program="",
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            login_timeout=_SECONDS,
            init_timeout=_SECONDS,
            finish_timeout=_SECONDS,
            finish_timeout_raises=True,
            x_graphql_retry_max=1,
            x_graphql_timeout_seconds=_REQUEST_SECONDS,
        )
