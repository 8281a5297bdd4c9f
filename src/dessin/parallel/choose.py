"""Where a map runs: in threads here, or on a Ray cluster."""

from __future__ import annotations

from dessin.errors import DessinError, unknown
from dessin.parallel.mapper import Mapper

EXECUTORS = ("local", "ray")


def on_cluster(executor: str, address: str | None) -> bool:
    """Whether Ray was asked for.

    Raises:
        DessinError: an unknown executor, or an address without Ray.
    """
    if executor not in EXECUTORS:
        raise unknown("executor", executor, EXECUTORS)
    if executor != "ray" and address is not None:
        raise DessinError(
            f"The address {address} was given, and the executor is local.", do="Add --executor ray."
        )
    return executor == "ray"


def choose_mapper(executor: str, address: str | None, *, gpu: bool = False) -> Mapper | None:
    """The mapper for `ray` (`gpu`: its workers want one each); None, the room's own way, for `local`.

    Raises:
        DessinError: an unknown executor, or an address without Ray.
    """
    if not on_cluster(executor, address):
        return None
    from dessin.parallel.ray_data import RayMapper

    return RayMapper(address, gpu=gpu)
