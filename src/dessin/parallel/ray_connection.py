"""A connection to Ray: a cluster that runs already, or one of this machine alone that ends with the block."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from dessin.errors import DessinError, install_command
from dessin.system import processors

_CONNECT_S = 5.0
_JOIN_S = 20.0
# Ray asks for at least 75 MiB.
_SMALLEST_STORE = 80 * 2**20
# Joining an unreachable cluster blocks for minutes and may end the process, so another one tries it first.
_TRIAL = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')"
# No reports to Ray's makers, and no other Ray behind our back when this one has ended.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}
# One for all Ray instances of this process, since Ray reads it once; nothing of it reaches the disk.
_TOKEN = secrets.token_hex(32)


@contextmanager
def connected(
    address: str | None, *, cpus: int | None = None, store_bytes: int = _SMALLEST_STORE
) -> Iterator[ModuleType]:
    """Yield the module `ray`, connected to `address` (`auto`, `host:port`; None: a Ray of this machine).

    `cpus` and `store_bytes` (of the object store) are those of a Ray started here, which listens on loopback
    alone, asks for a token, and leaves no file behind.

    Raises:
        DessinError: Ray is not installed, or the cluster cannot be reached within half a minute.
    """
    if address is None:
        with _alone(cpus or processors(), store_bytes) as ray:
            yield ray
        return
    with _environment(_SETTINGS):
        ray = _import_ray()
        _try(address)
        _start(ray, address=address)
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _alone(cpus: int, store_bytes: int) -> Iterator[ModuleType]:
    settings = {
        **_SETTINGS,
        # Ray's name for "this machine has no cluster": every port is on loopback then.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _TOKEN,
    }
    # Ray's sockets lie in this folder, and their names must stay short.
    folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
    with folder, _environment(settings):
        ray = _import_ray()
        _start(
            ray,
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=max(store_bytes, _SMALLEST_STORE),
            _temp_dir=folder.name,
        )
        try:
            yield ray
        finally:
            # On a busy machine Ray would leave some of its processes behind, dying and unreaped.
            ray.shutdown(wait_for_processes=True)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _import_ray() -> ModuleType:
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise DessinError(
            "Ray is not installed.",
            do=f"Install it with {install_command('cluster')}, or use --executor local.",
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    if ray.is_initialized():
        raise DessinError(
            "This process is connected to a Ray already.",
            do="Call ray.shutdown() before, or use that one's address in a new process.",
        )
    return ray


def _start(ray: ModuleType, **settings: object) -> None:
    try:
        with warnings.catch_warnings():
            # Ray announces changes of its later versions at each start.
            warnings.simplefilter("ignore")
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)
    except Exception as error:
        raise _unreachable(str(settings["address"]), _first_line(str(error))) from error


def _try(address: str) -> None:
    """Raise unless a process of its own can join the cluster in time."""
    if address != "auto":
        _dial(address)
    command = [sys.executable, "-c", _TRIAL, address]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_JOIN_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise _unreachable(
            address, f"it did not answer as a Ray cluster does within {_JOIN_S:.0f} s"
        ) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise _unreachable(address, _first_line(lines[-1]) if lines else f"code {done.returncode}")


def _dial(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 2**16) or "/" in host:
        raise DessinError(
            f'"{address}" is no address of a Ray cluster.',
            allowed="It is auto (the cluster that runs on this machine) or host:port, such as 10.0.0.5:6379.",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from None


def _unreachable(address: str, reason: str) -> DessinError:
    if address == "local":
        return DessinError(f"Ray cannot be started on this machine: {reason}.", do="Use --executor local.")
    return DessinError(
        f"The Ray cluster {address} cannot be reached: {reason}.",
        do="Check with ray status that it runs and that this machine is one of its nodes (ray start "
        "--address=HOST:PORT), or leave --address out to work on this machine alone.",
    )


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else "no reason was given"
