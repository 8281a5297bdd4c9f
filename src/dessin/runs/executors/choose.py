"""Where the runs that belong together are carried out: here, as each verb does it, or on a Ray cluster."""

from __future__ import annotations

from dessin.parallel.choose import on_cluster
from dessin.runs.executors.job import Executor


def choose_executor(executor: str, address: str | None) -> Executor | None:
    """The executor for `ray`; None, the verb's own way, for `local`.

    Raises:
        DessinError: an unknown executor, or an address without Ray.
    """
    if not on_cluster(executor, address):
        return None
    from dessin.runs.executors.ray_cluster import RayExecutor

    return RayExecutor(address)
