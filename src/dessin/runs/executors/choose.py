"""Where work is done: here, as each verb does it, or on a Ray cluster, as runs or as a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dessin.errors import DessinError, unknown

if TYPE_CHECKING:
    from dessin.parallel.ray_data import RayMapper
    from dessin.runs.executors.job import Executor

EXECUTORS = ("local", "ray")


def choose_executor(executor: str, address: str | None) -> Executor | None:
    """The executor for `ray`; None, the verb's own way, for `local`.

    Raises:
        DessinError: an unknown executor, or an address without Ray.
    """
    if not _on_cluster(executor, address):
        return None
    from dessin.runs.executors.ray_cluster import RayExecutor

    return RayExecutor(address)


def choose_mapper(
    executor: str,
    address: str | None,
    name: str,
    folder: str | Path,
    *,
    gpu: bool = False,
    threads: int | None = None,
) -> RayMapper | None:
    """The mapper for `ray`; None, the verb's own way, for `local`.

    `name` and the `folder` that it fills are what the queue shows. Its workers want a GPU (`gpu`), and so
    many `threads` of torch.

    Raises:
        DessinError: an unknown executor, or an address without Ray.
    """
    if not _on_cluster(executor, address):
        return None
    from dessin.parallel.ray_data import RayMapper
    from dessin.runs.machine import work_of

    return RayMapper(address, gpu=gpu, threads=threads, work=work_of(name, Path(folder)))


def _on_cluster(executor: str, address: str | None) -> bool:
    """Whether Ray was asked for."""
    if executor not in EXECUTORS:
        raise unknown("executor", executor, EXECUTORS)
    if executor != "ray" and address is not None:
        raise DessinError(
            f"The address {address} was given, and the executor is local.", do="Add --executor ray."
        )
    return executor == "ray"
