"""One function over many items, in threads of this process or on a Ray cluster; the results are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from dessin.system import processors

Item = TypeVar("Item")
Made = TypeVar("Made")
TOGETHER = 64


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
