"""What a node of a Ray cluster does with one job: in the study's own folder where it sees it, else apart,
in folders sent as bytes."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dessin.errors import DessinError
from dessin.files import stays_inside
from dessin.parallel.ray_queue import running
from dessin.runs.executors.job import JobSpec, carry_out_job, from_text
from dessin.runs.executors.record import JobRecord
from dessin.runs.machine import package_versions


def pack(folder: Path) -> dict[str, bytes]:
    """Every regular file below `folder` by its relative POSIX path; links are left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files below `folder`, which is made.

    Raises:
        DessinError: a name that is not a plain path below the folder; nothing is written then.
    """
    for name in files:
        if not stays_inside(name):
            seen = f"A file sent by a node has the name {name!r}, which is not inside its run folder."
            raise DessinError(seen)
    folder.mkdir(parents=True)
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


SPLIT = "split"
CURATIONS = ("curation", "training_curation")


@dataclass(frozen=True)
class Order:
    """A job as it is sent: plain text and bytes.

    Attributes:
        job: what `JobSpec.to_text` gives.
        home: the folder that its relative paths start from.
        token: the path of a file in the study's folder, and `secret` what it holds: who reads it there
            shares the folder.
        before: the record that the job had when it was sent, as JSON, or empty.
        files: the split and the curations, for a node that shares nothing.
        versions: of the packages that can change a number.
    """

    job: str
    home: str
    token: str
    secret: str
    before: str
    files: Mapping[str, bytes]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """How the job ended, as JSON; `run` is the run folder's files where the node did not see the study's."""

    record: str
    shared: bool
    run: Mapping[str, bytes] = field(default_factory=dict)


def do(order: Order) -> Answer:
    """Carry out one job on this node; a job that was carried out before is not repeated."""
    if Path(order.home).is_dir():
        os.chdir(order.home)
    spec = from_text(order.job)
    running(spec.name)
    shared = False
    with suppress(OSError):
        shared = Path(order.token).read_text() == order.secret
    if shared:
        found = spec.ended
        if found is not None and found.model_dump_json() != order.before:
            return Answer(found.model_dump_json(), shared=True)
    unfit = _unfit(spec, order)
    if unfit:
        return Answer(failed(spec, unfit).model_dump_json(), shared=False)
    if shared:
        return Answer(carry_out_job(spec, "ray").model_dump_json(), shared=True)
    with tempfile.TemporaryDirectory(prefix="dessin-") as folder:
        apart = _apart(spec, order, Path(folder))
        record = carry_out_job(apart, "ray")
        return Answer(record.model_dump_json(), shared=False, run=pack(apart.run))


def failed(spec: JobSpec, reason: str, *, host: str = "") -> JobRecord:
    """The record of a job that did not begin, or whose node was lost."""
    host = host or socket.gethostname()
    return JobRecord(job=spec.name, status="failed", reason=reason, seconds=0.0, host=host, executor="ray")


def _unfit(spec: JobSpec, order: Order) -> str:
    """Why this node cannot do the job, or an empty text."""
    here = f"The node {socket.gethostname()}"
    if not spec.data.exists():
        return f"{here} has no {spec.data}: the images must be there under the same path on every node."
    own, sent = package_versions(), order.versions
    other = ", ".join(f"{name} {own.get(name)} (not {v})" for name, v in sent.items() if own.get(name) != v)
    started = "the machine that the study was started on"
    return f"{here} has other versions than {started}: {other}." if other else ""


def _apart(spec: JobSpec, order: Order, folder: Path) -> JobSpec:
    """The same job in a folder of this node, with what was sent along."""
    data = dict(spec.recipe["data"])
    for name, content in order.files.items():
        path = folder / f"{name}.csv"
        path.write_bytes(content)
        data[name] = str(path)
    home = folder / "home"
    return replace(spec, recipe={**spec.recipe, "data": data}, split=folder / f"{SPLIT}.csv", home=home)
