"""The one thread that owns the runtime: it takes what waits, answers it as one batch, and takes again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import torch

from dessin.images.fit import Prepared
from dessin.serving.runtime import Answered, Runtime

# With 32 clients 82 images a second one by one, 90 by 8, 95 by 32, but memory was
# not always flat then (docs/log.md).
MOST = 8
_SMOOTHING = 0.1


@dataclass(frozen=True, eq=False)
class _Look:
    image: Prepared
    result: Future[Answered]


@dataclass(frozen=True, eq=False)
class _Call:
    function: Callable[[], Any]
    result: Future[Any]


class Batcher:
    """Answers images in batches of what happens to wait, at most `MOST`; none waits for others to come."""

    def __init__(self, runtime: Runtime, threads: int, batched: Callable[[int], None]) -> None:
        """`batched` is told the size of every batch."""
        self._runtime, self._threads, self._batched = runtime, threads, batched
        self._jobs: SimpleQueue[_Look | _Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self.seconds_per_image = 0.0

    @property
    def ready(self) -> bool:
        return self._thread.is_alive()

    async def start(self) -> None:
        """Start the thread and let it look at blank paper once, so that the first client waits no longer."""
        self._thread.start()
        blank = {
            fitting: np.full((fitting[0].channels, fitting[0].size, fitting[0].size), 255, dtype=np.uint8)
            for fitting in self._runtime.fittings
        }
        await self.answer(Prepared(blank))
        self.seconds_per_image = 0.0

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def answer(self, image: Prepared) -> Answered:
        """The answer to one image, a batch of one row."""
        job = _Look(image, Future())
        self._jobs.put(job)
        return await asyncio.wrap_future(job.result)

    async def call(self, function: Callable[[], Any]) -> Any:
        """Whatever else needs the runtime, between two batches."""
        job = _Call(function, Future())
        self._jobs.put(job)
        return await asyncio.wrap_future(job.result)

    def _work(self) -> None:
        torch.set_num_threads(self._threads)
        while (job := self._jobs.get()) is not None:
            waiting: list[_Look | _Call | None] = [job]
            while len(waiting) < MOST and waiting[-1] is not None:
                try:
                    waiting.append(self._jobs.get_nowait())
                except Empty:
                    break
            # Whoever waited may have given up; from here on nobody can.
            wanted = [one for one in waiting if one is not None and one.result.set_running_or_notify_cancel()]
            self._look([one for one in wanted if isinstance(one, _Look)])
            for call in wanted:
                if isinstance(call, _Call):
                    try:
                        call.result.set_result(call.function())
                    except Exception as error:  # the thread must live; the request gets the error
                        call.result.set_exception(error)
            if waiting[-1] is None:
                break

    def _look(self, looks: list[_Look]) -> None:
        if not looks:
            return
        start = time.perf_counter()
        try:
            answered = self._runtime.answer([look.image for look in looks])
        except Exception as error:  # as above
            for look in looks:
                look.result.set_exception(error)
            return
        seconds = (time.perf_counter() - start) / len(looks)
        weight = _SMOOTHING if self.seconds_per_image else 1.0
        self.seconds_per_image += weight * (seconds - self.seconds_per_image)
        self._batched(len(looks))
        for row, look in enumerate(looks):
            look.result.set_result(_row(answered, row))


def _row(answered: Answered, row: int) -> Answered:
    scores = answered.scores
    return Answered(answered.probabilities[row : row + 1], None if scores is None else scores[row : row + 1])
