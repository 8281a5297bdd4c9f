"""What dessin does on a Ray cluster, as the cluster itself remembers it: whose a job is, and where it runs.

Ray's own list of tasks needs its dashboard, which may be off; entries in its key-value store need nothing.
"""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final, Literal

from dessin.schema import Section

_NAMESPACE: Final = b"dessin"
State = Literal["waiting", "running"]


class Queued(Section):
    """A job on a cluster: who gave it, from which machine, what it works on, and where it runs since when.

    `node` and `since` (UTC) are empty while it waits.
    """

    name: str
    who: str
    machine: str
    folder: str
    state: State = "waiting"
    node: str = ""
    node_id: str = ""
    since: str = ""


@dataclass(frozen=True)
class Work:
    """What jobs are for: what the work is called, the folder that it fills, and who gave it."""

    name: str
    folder: str
    who: str

    def shares(self, nodes: Sequence[str]) -> dict[str, str]:
        """Each node's share of the work as a job, by the node's id."""
        many = len(nodes) > 1
        return {node: f"{self.name} {n}" if many else self.name for n, node in enumerate(nodes, start=1)}


@contextmanager
def announced(ray: ModuleType, work: Work, names: Sequence[str]) -> Iterator[None]:
    """Announce jobs that wait, until the block ends or, each for itself, `ended` is called."""
    for name in names:
        _put(ray, Queued(name=name, who=work.who, machine=socket.gethostname(), folder=work.folder))
    try:
        yield
    finally:
        _store()._internal_kv_del(_prefix(ray), del_by_prefix=True, namespace=_NAMESPACE)


def running(name: str) -> None:
    """Say, on the node that has it, that a job of this driver runs now; without Ray, nothing."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return
    found = _store()._internal_kv_get(_key(ray, name), namespace=_NAMESPACE)
    if found:
        here = {
            "state": "running",
            "node": socket.gethostname(),
            "node_id": ray.get_runtime_context().get_node_id(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        _put(ray, Queued.model_validate_json(found).model_copy(update=here))


def ended(ray: ModuleType, name: str) -> None:
    """Forget a job of this driver."""
    _store()._internal_kv_del(_key(ray, name), namespace=_NAMESPACE)


def queued(ray: ModuleType) -> tuple[Queued, ...]:
    """The jobs of all whose program still runs, those that run first; on a lost node a job waits again."""
    store = _store()
    programs = importlib.import_module("ray._private.state").jobs()
    alive = {program["JobID"] for program in programs if not program["IsDead"]}
    nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    found = []
    for key in store._internal_kv_list(b"", namespace=_NAMESPACE):
        value = store._internal_kv_get(key, namespace=_NAMESPACE)
        if value and key.decode().partition("/")[0] in alive:
            job = Queued.model_validate_json(value)
            lost = job.node_id and job.node_id not in nodes
            found.append(job.model_copy(update={"state": "waiting", "node": ""}) if lost else job)
    return tuple(sorted(found, key=lambda job: (job.state != "running", job.since, job.folder, job.name)))


def _put(ray: ModuleType, job: Queued) -> None:
    value = job.model_dump_json().encode()
    _store()._internal_kv_put(_key(ray, job.name), value, overwrite=True, namespace=_NAMESPACE)


def _key(ray: ModuleType, name: str) -> bytes:
    return _prefix(ray) + name.encode()


def _prefix(ray: ModuleType) -> bytes:
    return f"{ray.get_runtime_context().get_job_id()}/".encode()


def _store() -> Any:
    return importlib.import_module("ray.experimental.internal_kv")
