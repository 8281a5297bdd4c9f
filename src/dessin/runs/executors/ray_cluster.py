"""Jobs on a Ray cluster, one task each; a job whose node is lost begins again or goes on elsewhere."""

from __future__ import annotations

import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from dessin.errors import DessinError
from dessin.files import atomic_path, write_text
from dessin.language import tr, tr_n
from dessin.parallel.needs import Needs, Node, Took, measured, places_for
from dessin.parallel.ray_connection import connected
from dessin.parallel.ray_queue import announced, ended
from dessin.progress import say, warn
from dessin.reading import read_json
from dessin.runs.executors.job import JobSpec, thread_environment
from dessin.runs.executors.ray_task import CURATIONS, SPLIT, Answer, Order, do, failed, unpack
from dessin.runs.executors.record import JOBS, JobRecord, write_job
from dessin.runs.machine import package_versions, work_of
from dessin.runs.record import read_record, write_record
from dessin.schema import validated
from dessin.system import processors

_PATIENCE_S = 30.0
_RETRIES = 3


class RayExecutor:
    """One Ray task a job, on a cluster (`auto` or `host:port`) or on a Ray of this machine alone (None).

    A node that sees the study's folder under the same path works in it; another one works in a folder of its
    own and sends the run back. Every node needs the data under the same path, and the same versions.
    """

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        self.address = address

    def places(self, threads: int) -> int:
        """Raises:
        DessinError: no Ray, no such cluster, or no node with so many cores.
        """
        with connected(self.address, cpus=max(processors(), threads)) as ray:
            gpus = _check_room(ray, threads)
            nodes = [node for node in map(Node.of, ray.nodes()) if node.alive]
            return places_for(Needs(threads, float(gpus)), nodes)

    def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]:
        """Yield each job's record as it ends; leaving early ends the tasks, whose runs can be resumed.

        Raises:
            DessinError: no Ray, no such cluster, or no node with enough cores for a job.
        """
        if not jobs:
            return
        cores = max(processors(), *(spec.threads for spec in jobs))
        with _token(jobs[0].home) as (token, secret), connected(self.address, cpus=cores) as ray:
            cluster = _Cluster(ray, max(spec.threads for spec in jobs), _known_memory(jobs[0].home))
            if self.address:
                say(cluster.plan(self.address))
            names = [spec.name for spec in jobs]
            with announced(ray, work_of("run", jobs[0].home), names):
                yield from cluster.carry_out(jobs, lambda spec: _order(spec, token, secret))


@contextmanager
def _token(study: Path) -> Iterator[tuple[Path, str]]:
    """A file by which a node knows that it sees this very folder, and not another of the same name."""
    secret = secrets.token_hex(16)
    path = study.absolute() / f".shared-{secret[:8]}"
    write_text(path, secret)
    try:
        yield path, secret
    finally:
        path.unlink(missing_ok=True)


def _check_room(ray: ModuleType, cores: int) -> int:
    """How many GPUs a job takes: one where the cluster has any."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = 1 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0
    if not any(node.get("CPU", 0) >= cores and node.get("GPU", 0) >= gpus for node in nodes):
        most = max((node.get("CPU", 0) for node in nodes if node.get("GPU", 0) >= gpus), default=0)
        raise DessinError(
            f"A job computes with {cores} threads, and the largest node of Ray has {most:.0f} cores.",
            do="Add a larger node, or compute with fewer threads.",
        )
    return gpus


def _order(spec: JobSpec, token: Path, secret: str) -> Order:
    before = spec.ended
    named = {SPLIT: spec.split} | {
        name: Path(spec.recipe["data"][name]) for name in CURATIONS if spec.recipe["data"].get(name)
    }
    return Order(
        job=spec.to_text(),
        home=str(Path.cwd()),
        token=str(token),
        secret=secret,
        before="" if before is None else before.model_dump_json(),
        files={name: path.read_bytes() for name, path in named.items() if path.is_file()},
        versions=package_versions(),
    )


class _Cluster:
    """Jobs of at most so many threads, as many at a time as the memory of earlier ones leaves room for."""

    def __init__(self, ray: ModuleType, threads: int, memory: int) -> None:
        self.ray, self.threads, self.memory = ray, threads, memory
        self.gpus = _check_room(ray, threads)

    @property
    def nodes(self) -> list[Node]:
        return [node for node in map(Node.of, self.ray.nodes()) if node.alive]

    @property
    def needs(self) -> Needs:
        return measured(Needs(self.threads, float(self.gpus)), Took(0.0, self.memory), self.nodes)

    def plan(self, address: str) -> str:
        """What is asked of the cluster, and why."""
        nodes, needs = self.nodes, self.needs
        if self.memory:
            why = tr("as many cores as threads, and the memory that the largest run before took")
        else:
            why = tr("as many cores as threads; memory is asked for once the first run has shown how much")
        return tr(
            "Ray cluster {address}: {nodes}, {runs} at a time; each asks for {needs} ({why})",
            address=address,
            nodes=tr_n("{n} node", "{n} nodes", len(nodes)),
            runs=tr_n("{n} run", "{n} runs", places_for(needs, nodes)),
            needs=needs.words(),
            why=why,
        )

    def carry_out(self, jobs: Sequence[JobSpec], order: Callable[[JobSpec], Order]) -> Iterator[JobRecord]:
        left, waiting, warned = deque(jobs), dict[Any, JobSpec](), False
        while left or waiting:
            needs = self.needs
            while left and len(waiting) < places_for(needs, self.nodes):
                spec = left.popleft()
                waiting[self._task(spec, needs).remote(order(spec))] = spec
            done, _ = self.ray.wait(list(waiting), num_returns=1, timeout=_PATIENCE_S)
            for reference in done:
                spec = waiting.pop(reference)
                ended(self.ray, spec.name)
                record = _collect(self.ray, reference, spec)
                self.memory = max(self.memory, record.memory)
                yield record
            if not done and not warned:
                try:
                    _check_room(self.ray, self.threads)
                except DessinError:
                    warned, many = True, f"{len(waiting) + len(left)} jobs wait for one"
                    warn(f"No node that is left can take a job of {self.threads} threads; {many}.")

    def _task(self, spec: JobSpec, needs: Needs) -> Any:
        environment = self.ray.runtime_env.RuntimeEnv(env_vars=thread_environment(spec.threads))
        # Retried are lost nodes and processes; a job's own failures are records.
        return self.ray.remote(do).options(
            num_cpus=spec.threads,
            num_gpus=self.gpus,
            memory=needs.memory or None,
            max_retries=_RETRIES,
            name=spec.name,
            runtime_env=environment,
        )


def _known_memory(home: Path) -> int:
    """The most bytes that a job of this folder took, of those that have ended; 0 where none has."""
    most = 0
    for path in (home / JOBS).glob("*.json"):
        # One that is damaged is told of where it is looked at again.
        with suppress(DessinError):
            most = max(most, validated(JobRecord, read_json(path), str(path)).memory)
    return most


def _collect(ray: ModuleType, reference: Any, spec: JobSpec) -> JobRecord:
    """The record of a job that ended, in the study's folder now whichever node wrote it."""
    lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
    answer: Answer | None = None
    try:
        answer = ray.get(reference)
    except lost as error:
        reason = f"Its process or node was lost {_RETRIES + 1} times ({type(error).__name__})."
    except ray.exceptions.RayTaskError as error:
        cause = str(error.cause).strip() or type(error.cause).__name__
        reason = f"The node could not begin the job: {type(error.cause).__name__}: {cause}"
    except ray.exceptions.RayError as error:
        raise DessinError(
            f"The Ray cluster was lost while {spec.name} ran ({type(error).__name__}).",
            do="Start the cluster again and give the same command; finished jobs are kept.",
        ) from error
    if answer is None:
        found = spec.ended
        if found is None or found.status != "finished":
            found = failed(spec, reason)
            write_job(spec.home, found)
        return found
    record = JobRecord.model_validate_json(answer.record)
    if not answer.shared:
        _store(spec, record, answer.run)
    return record


def _store(spec: JobSpec, record: JobRecord, files: Mapping[str, bytes]) -> None:
    """Lay down a run that a node sent, under its final name only when it is whole; the job's record last."""
    if files:
        run = spec.run
        with atomic_path(run) as temporary:
            unpack(files, temporary)
            _relocate(temporary, spec)
            # What an earlier executor left there: this run is further.
            shutil.rmtree(run, ignore_errors=True)
    write_job(spec.home, record)


def _relocate(run: Path, spec: JobSpec) -> None:
    """Name the study's own files in the record, instead of the node's copies of them."""
    try:
        record = read_record(run)
    except DessinError:
        return  # a job that failed early has none
    asked = spec.recipe["data"]
    paths = {"path": spec.data.as_posix(), "split": spec.split.as_posix()}
    paths |= {name: asked.get(name) for name in CURATIONS}
    data = record.recipe.data.model_copy(update=paths)
    write_record(run, record.changed(recipe=record.recipe.model_copy(update={"data": data})))
