"""Maps on Ray Data: workers, one a core or a GPU, on nodes whose packages are ours, that keep the function
and get pieces of the items."""

from __future__ import annotations

import importlib
import logging
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import numpy as np

from dessin.errors import DessinError
from dessin.parallel.mapper import TOGETHER, Item, Made
from dessin.parallel.ray_connection import connected
from dessin.system import processors

_STORE_BYTES = 256 * 2**20
# Small enough pieces that all workers have some.
_PIECES_A_WORKER = 4
_BLOCKS_A_WORKER = 16
_STOP_S = 10.0
# What can change what a map gives, asked of every node before it gets work.
_PACKAGES = ("dessin", "numpy", "Pillow", "opencv-python-headless", "torch", "timm")


class RayMapper:
    """A Ray cluster (`auto` or `host:port`), or a Ray of this machine alone (None).

    The function and the items are sent to the nodes, which need the files that they name at the same paths.
    A function that keeps something on itself keeps it for all pieces that its worker gets. `gpu` gives each
    worker one GPU, where the cluster has any.
    """

    def __init__(self, address: str | None = None, *, gpu: bool = False) -> None:
        self.address, self.gpu = address, gpu

    def map(
        self, function: Callable[[Item], Made], items: Sequence[Item], *, together: int = TOGETHER
    ) -> Iterator[Made]:
        """Yield the results in the order of the items.

        Raises:
            DessinError: no such cluster, or what the function raised; other exceptions of it as they are.
        """
        if not items:
            return
        with connected(self.address, cpus=processors(), store_bytes=_STORE_BYTES) as ray:
            _check_nodes(ray)
            workers, resources = _room(ray, self.gpu)
            size = max(1, min(together, len(items) // (workers * _PIECES_A_WORKER)))
            pieces = [
                _Piece(number, tuple(items[start : start + size]))
                for number, start in enumerate(range(0, len(items), size))
            ]
            # Left early, Ray Data must end before Ray does.
            with closing(_results(ray, function, pieces, workers, resources)) as results:
                yield from _in_order(results)


def _check_nodes(ray: ModuleType) -> None:
    """Ask every node that has a core for its versions.

    Ray Data itself would try for ever on a node that lacks a package, and another version of one may give
    other numbers.

    Raises:
        DessinError: a node lacks dessin, or has another version of a package that can change a number.
    """
    affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    asked = {
        node["NodeManagerHostname"]: ray.remote(package_versions)
        .options(num_cpus=0, max_retries=0, scheduling_strategy=affinity(node["NodeID"], soft=False))
        .remote()
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    }
    if not asked:
        raise DessinError("No node of the Ray cluster has a core to give.", do="Add a node to it.")
    ours = package_versions()
    for host, answer in asked.items():
        try:
            theirs: dict[str, str] = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise _unfit(host, error) from None
        others = [f"{name} {theirs[name]} (here {ours[name]})" for name in ours if theirs[name] != ours[name]]
        if others:
            raise DessinError(
                f"The node {host} has other versions than this machine: {', '.join(others)}.",
                do="Install the same packages on every node.",
            )


def package_versions() -> dict[str, str]:
    """The packages that can change what a map gives, as this process has them."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return versions


def _unfit(host: str, error: Exception) -> DessinError:
    """The error for a node that could not even begin."""
    said = str(error).strip().splitlines()
    reason = said[-1] if said else type(error).__name__
    return DessinError(
        f"The node {host} cannot take the work: {reason.rstrip('.')}.",
        do="Install the same packages on every node.",
    )


@dataclass(frozen=True)
class _Piece:
    """Consecutive items, or what became of them up to an exception."""

    number: int
    values: tuple[Any, ...]
    error: Exception | None = None


# The function of this worker process, by its name: it is fetched, and what it prepares is made, once.
_fetched: dict[str, Callable[[Any], Any]] = {}


def _apply(batch: dict[str, Any], name: str, reference: Sequence[Any]) -> dict[str, Any]:
    """What a worker does with a batch of pieces; `reference` leads to the function."""
    made = np.empty(len(batch["item"]), dtype=object)
    try:
        if name not in _fetched:
            _fetched.clear()
            _fetched[name] = importlib.import_module("ray").get(reference[0])
    except Exception as error:
        # Raised here, Ray Data would take it for its own and try again for ever.
        problem = _unfit(socket.gethostname(), error)
        made[:] = [_Piece(piece.number, (), problem) for piece in batch["item"]]
    else:
        made[:] = [_applied(_fetched[name], piece) for piece in batch["item"]]
    return {"item": made}


def _applied(function: Callable[[Any], Any], piece: _Piece) -> _Piece:
    values = []
    try:
        for item in piece.values:
            values.append(function(item))
    except Exception as error:
        return _Piece(piece.number, tuple(values), error)
    return _Piece(piece.number, tuple(values))


def _room(ray: ModuleType, gpu: bool) -> tuple[int, dict[str, int]]:
    """How many workers the cluster has room for, and what each takes."""
    total = ray.cluster_resources()
    if gpu and total.get("GPU", 0) >= 1:
        # A worker keeps its GPU, and the model on it, from one piece to the next.
        return int(total["GPU"]), {"num_gpus": 1, "num_cpus": 1, "max_calls": 0}
    return int(total["CPU"]), {"num_cpus": 1}


def _results(
    ray: ModuleType,
    function: Callable[[Any], Any],
    pieces: Sequence[_Piece],
    workers: int,
    resources: dict[str, int],
) -> Generator[_Piece, None, None]:
    """What becomes of the pieces, in any order."""
    with warnings.catch_warnings():
        # Ray's defaults warn of themselves.
        warnings.simplefilter("ignore")
        data = importlib.import_module("ray.data")
        context = data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    blocks = min(len(pieces), _BLOCKS_A_WORKER * workers)
    before = set(threading.enumerate())
    made = data.from_items(list(pieces), override_num_blocks=blocks).map_batches(
        _apply,
        fn_kwargs={"name": secrets.token_hex(8), "reference": [ray.put(function)]},
        batch_size=1,
        batch_format="numpy",
        **resources,
    )
    try:
        with closing(iter(made.iter_batches(batch_size=None, batch_format="numpy"))) as batches:
            for batch in batches:
                yield from batch["item"]
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines()[-1]
        raise DessinError(
            f"The work on the Ray cluster ended: {type(error).__name__}: {said}.",
            do="Check the cluster with ray status, and give the same command again.",
        ) from error
    finally:
        # Threads of Ray that still fetch end the whole process if Ray is shut down under them.
        deadline = time.monotonic() + _STOP_S
        for thread in set(threading.enumerate()) - before - {threading.current_thread()}:
            thread.join(max(0.0, deadline - time.monotonic()))


def _in_order(pieces: Iterator[_Piece]) -> Iterator[Any]:
    """The values in the order of their pieces; an exception comes where its item would have."""
    waiting: dict[int, _Piece] = {}
    wanted = 0
    for piece in pieces:
        waiting[piece.number] = piece
        while wanted in waiting:
            ready = waiting.pop(wanted)
            yield from ready.values
            if ready.error is not None:
                raise ready.error
            wanted += 1
