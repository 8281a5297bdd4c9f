"""The one thread that owns the runtime: it takes what waits, answers it as one batch, and takes again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import torch

from dessin.serving.runtime import Answered, Prepared, Runtime

# With 32 clients 82 images a second one by one, 90 by 8, 95 by 32, but memory was
# not always flat then (docs/log.md).
MOST = 8
_SMOOTHING = 0.1


@dataclass(frozen=True, eq=False)
class _Look:
    image: Prepared
    result: asyncio.Future[Answered]


@dataclass(frozen=True, eq=False)
class _Call:
    function: Callable[[], Any]
    result: asyncio.Future[Any]


class Batcher:
    """Answers images in batches of what happens to wait, at most `MOST`; none waits for others to come."""

    def __init__(self, runtime: Runtime, threads: int, batched: Callable[[int], None]) -> None:
        """`batched` is told the size of every batch."""
        self._runtime, self._threads, self._batched = runtime, threads, batched
        self._jobs: SimpleQueue[_Look | _Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self.seconds_per_image = 0.0

    @property
    def ready(self) -> bool:
        return self._thread.is_alive()

    async def start(self) -> None:
        """Start the thread and let it look at blank paper once, so that the first client waits no longer."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        blank = {
            fitting: np.full((fitting[0].channels, fitting[0].size, fitting[0].size), 255, dtype=np.uint8)
            for fitting in self._runtime.fittings
        }
        await self.answer(blank)
        self.seconds_per_image = 0.0

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def answer(self, image: Prepared) -> Answered:
        """The answer to one image, a batch of one row."""
        job = _Look(image, self._loop.create_future())
        self._jobs.put(job)
        return await job.result

    async def call(self, function: Callable[[], Any]) -> Any:
        """Whatever else needs the runtime, between two batches."""
        job = _Call(function, self._loop.create_future())
        self._jobs.put(job)
        return await job.result

    def _work(self) -> None:
        torch.set_num_threads(self._threads)
        while (job := self._jobs.get()) is not None:
            waiting: list[_Look | _Call | None] = [job]
            while len(waiting) < MOST and waiting[-1] is not None:
                try:
                    waiting.append(self._jobs.get_nowait())
                except Empty:
                    break
            wanted = [one for one in waiting if one is not None and not one.result.cancelled()]
            self._look([one for one in wanted if isinstance(one, _Look)])
            for call in wanted:
                if isinstance(call, _Call):
                    self._call(call)
            if waiting[-1] is None:
                break

    def _look(self, looks: list[_Look]) -> None:
        if not looks:
            return
        start = time.perf_counter()
        try:
            answered = self._runtime.answer([look.image for look in looks])
        except Exception as error:  # the thread must live; the requests get the error
            self._deliver([(look.result, None, error) for look in looks])
            return
        seconds = (time.perf_counter() - start) / len(looks)
        self.seconds_per_image += (seconds - self.seconds_per_image) * (
            _SMOOTHING if self.seconds_per_image else 1.0
        )
        self._batched(len(looks))
        self._deliver([(look.result, _row(answered, row), None) for row, look in enumerate(looks)])

    def _call(self, call: _Call) -> None:
        try:
            self._deliver([(call.result, call.function(), None)])
        except Exception as error:
            self._deliver([(call.result, None, error)])

    def _deliver(self, results: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
        self._loop.call_soon_threadsafe(_settle, results)


def _settle(results: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, value, error in results:
        if future.done():  # whoever waited has given up
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)


def _row(answered: Answered, row: int) -> Answered:
    scores = answered.scores
    return Answered(answered.probabilities[row : row + 1], None if scores is None else scores[row : row + 1])
