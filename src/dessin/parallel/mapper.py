"""One function over many items, in threads of this process or on a Ray cluster; the results are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from dessin.errors import DessinError, unknown
from dessin.system import processors

Item = TypeVar("Item")
Made = TypeVar("Made")
TOGETHER = 64
EXECUTORS = ("local", "ray")


class Mapper(Protocol):
    """Yields `function(item)` for every item, in their order; what the function raises ends it.

    `together` is how many results may travel as one, so that large ones are not too large.
    """

    def map(
        self, function: Callable[[Item], Made], items: Sequence[Item], *, together: int = TOGETHER
    ) -> Iterator[Made]: ...


class ThreadMapper:
    """Threads of this process, one a core by default."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or processors()

    def map(
        self,
        function: Callable[[Item], Made],
        items: Sequence[Item],
        *,
        together: int = TOGETHER,  # noqa: ARG002  nothing travels here
    ) -> Iterator[Made]:
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                yield from pool.map(function, items)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def choose_mapper(executor: str, address: str | None, *, gpu: bool = False) -> Mapper | None:
    """The mapper for `ray` (`gpu`: its workers want one each); None, the room's own way, for `local`.

    Raises:
        DessinError: an unknown executor, or an address without Ray.
    """
    if executor not in EXECUTORS:
        raise unknown("executor", executor, EXECUTORS)
    if executor == "ray":
        from dessin.parallel.ray_data import RayMapper

        return RayMapper(address, gpu=gpu)
    if address is not None:
        raise DessinError(
            f"The address {address} was given, and the executor is local.", do="Add --executor ray."
        )
    return None
