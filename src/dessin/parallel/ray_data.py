"""Maps on Ray Data: workers on nodes whose packages are ours, that keep the function and get pieces of the
items. One of them takes the first item alone; what that took is what each of them asks of its node."""

from __future__ import annotations

import importlib
import logging
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import numpy as np

from dessin.errors import DessinError
from dessin.language import tr, tr_n
from dessin.parallel.mapper import TOGETHER, Item, Made
from dessin.parallel.needs import Needs, Node, Took, measured, places_for
from dessin.parallel.ray_connection import connected
from dessin.parallel.ray_queue import Work, announced, running
from dessin.progress import duration, say
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
    A function that keeps something on itself keeps it for all pieces that its worker gets. `gpu` gives the
    workers GPUs, where the cluster has any; `threads` are those that torch computes with, where the function
    needs torch. `work` is what the queue shows.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        gpu: bool = False,
        threads: int | None = None,
        work: Work | None = None,
    ) -> None:
        self.address, self.gpu, self.threads, self.work = address, gpu, threads, work
        self._ray: ModuleType | None = None

    @contextmanager
    def connection(self) -> Iterator[ModuleType]:
        """One for all maps of the block.

        Raises:
            DessinError: no such cluster, or a node with other packages.
        """
        with connected(self.address, cpus=processors(), store_bytes=_STORE_BYTES) as ray:
            _check_nodes(ray)
            self._ray = ray
            try:
                yield ray
            finally:
                self._ray = None

    def map(
        self, function: Callable[[Item], Made], items: Sequence[Item], *, together: int = TOGETHER
    ) -> Iterator[Made]:
        """Yield the results in the order of the items.

        Raises:
            DessinError: no such cluster, or what the function raised; other exceptions of it as they are.
        """
        if not items:
            return
        with self.connection() if self._ray is None else nullcontext(self._ray) as ray:
            nodes = _nodes(ray)
            shares = self.work.shares([node.id for node in nodes]) if self.work else {}
            queue = announced(ray, self.work, list(shares.values())) if self.work else nullcontext()
            # Left early, Ray Data must end before Ray does.
            with queue, closing(self._results(ray, nodes, shares, function, items, together)) as results:
                yield from _in_order(results)

    def _results(
        self,
        ray: ModuleType,
        nodes: Sequence[Node],
        shares: dict[str, str],
        function: Callable[[Item], Made],
        items: Sequence[Item],
        together: int,
    ) -> Generator[_Piece, None, None]:
        """What becomes of all pieces, the first alone and the others in any order."""
        task = _Task(secrets.token_hex(8), [ray.put(function)], shares, self.threads)
        needs = _first_needs(nodes, self.threads or 1, gpu=self.gpu)
        piece, took = _first(ray, task, _Piece(0, (items[0],)), needs)
        yield piece
        if len(items) == 1 or piece.error is not None:
            return
        needs = measured(needs, took, nodes)
        workers = places_for(needs, nodes)
        if self.address:
            say(_plan(self.address, nodes, workers, needs, took))
        size = max(1, min(together, len(items) // (workers * _PIECES_A_WORKER)))
        pieces = [
            _Piece(number, tuple(items[start : start + size]))
            for number, start in enumerate(range(1, len(items), size), start=1)
        ]
        yield from _results(ray, task, pieces, workers, needs)


def _plan(address: str, nodes: Sequence[Node], workers: int, needs: Needs, took: Took) -> str:
    """What is asked of the cluster, and why."""
    cluster = tr_n("{n} node", "{n} nodes", len(nodes))
    at_once = tr_n("{n} worker", "{n} workers", workers)
    return tr(
        "Ray cluster {address}: {nodes}, {workers}; each asks for {needs}: the first share of the work "
        "took {memory} GiB and {time}",
        address=address,
        nodes=cluster,
        workers=at_once,
        needs=needs.words(),
        memory=f"{took.gib:.2f}",
        time=duration(took.seconds),
    )


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


@dataclass(frozen=True)
class _Task:
    """What a worker is to do: `reference` leads to the function, `shares` what the queue calls each
    node's work."""

    name: str
    reference: Sequence[Any]
    shares: dict[str, str]
    threads: int | None


# The function of this worker process, by its name: it is fetched, and what it prepares is made, once.
_fetched: dict[str, Callable[[Any], Any]] = {}


def _fetch(task: _Task) -> Callable[[Any], Any]:
    if task.name not in _fetched:
        _fetched.clear()
        ray = importlib.import_module("ray")
        running(task.shares.get(ray.get_runtime_context().get_node_id(), ""))
        if task.threads is not None:
            # Before the function is unpacked: what it holds may ask for them then.
            importlib.import_module("torch").set_num_threads(task.threads)
        _fetched[task.name] = ray.get(task.reference[0])
    return _fetched[task.name]


def _apply(batch: dict[str, Any], task: _Task) -> dict[str, Any]:
    """What a worker does with a batch of pieces."""
    made = np.empty(len(batch["item"]), dtype=object)
    made[:] = [_done(task, piece) for piece in batch["item"]]
    return {"item": made}


def _measured(task: _Task, piece: _Piece) -> tuple[_Piece, Took]:
    """What a worker does with the very first piece."""
    began = time.monotonic()
    done = _done(task, piece)
    return done, Took.of_this_process(time.monotonic() - began)


def _done(task: _Task, piece: _Piece) -> _Piece:
    try:
        function = _fetch(task)
    except Exception as error:
        # Raised here, Ray Data would take it for its own and try again for ever.
        return _Piece(piece.number, (), _unfit(socket.gethostname(), error))
    return _applied(function, piece)


def _applied(function: Callable[[Any], Any], piece: _Piece) -> _Piece:
    values = []
    try:
        for item in piece.values:
            values.append(function(item))
    except Exception as error:
        return _Piece(piece.number, tuple(values), error)
    return _Piece(piece.number, tuple(values))


def _nodes(ray: ModuleType) -> list[Node]:
    """Those that have a core to give."""
    return [node for node in map(Node.of, ray.nodes()) if node.alive and node.cores >= 1]


def _first_needs(nodes: Sequence[Node], threads: int, *, gpu: bool) -> Needs:
    """Before anything was measured: a GPU where there is one, a core a thread where a node has as many."""
    gpus = 1.0 if gpu and any(node.gpus >= 1 for node in nodes) else 0.0
    most = max(node.cores for node in nodes if node.gpus >= gpus)
    return Needs(cores=min(threads, int(most)), gpus=gpus)


def _first(ray: ModuleType, task: _Task, piece: _Piece, needs: Needs) -> tuple[_Piece, Took]:
    first = ray.remote(_measured).options(num_cpus=needs.cores, num_gpus=needs.gpus)
    try:
        found: tuple[_Piece, Took] = ray.get(first.remote(task, piece))
    except ray.exceptions.RayError as error:
        raise _lost(error) from error
    return found


def _lost(error: Exception) -> DessinError:
    said = str(error).strip().splitlines()[-1]
    return DessinError(
        f"The work on the Ray cluster ended: {type(error).__name__}: {said}.",
        do="Check the cluster with ray status, and give the same command again.",
    )


def _results(
    ray: ModuleType, task: _Task, pieces: Sequence[_Piece], workers: int, needs: Needs
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
        fn_kwargs={"task": task},
        batch_size=1,
        batch_format="numpy",
        num_cpus=needs.cores,
        memory=needs.memory,
        # A worker keeps its GPU, and the model on it, from one piece to the next.
        **({"num_gpus": needs.gpus, "max_calls": 0} if needs.gpus else {}),
    )
    try:
        with closing(iter(made.iter_batches(batch_size=None, batch_format="numpy"))) as batches:
            for batch in batches:
                yield from batch["item"]
    except ray.exceptions.RayError as error:
        raise _lost(error) from error
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
