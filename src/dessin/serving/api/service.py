"""A model at work for requests: decoding in processes, then the runtime's thread, all bounded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel, Field

from dessin.answers.committee import Committee
from dessin.files import sha256_bytes
from dessin.models.default_backbones import RECIPE
from dessin.serving.api.batcher import Batcher
from dessin.serving.api.limits import Admission, Limits
from dessin.serving.api.pool import Pool
from dessin.serving.api.refusal import Refusal
from dessin.serving.api.watch import Metrics
from dessin.serving.maps import map_maker
from dessin.serving.runtime import Runtime

# Of a file that is none.
EXAMPLE = "3d47119f4d10afcdc89bb061e6b55066a984d03b067bfe000c9d32e344f022c7"


class ModelId(BaseModel):
    """Which model answered; the digest changes with its weights."""

    name: str = Field(examples=[RECIPE])
    digest: str = Field(examples=[EXAMPLE])

    @classmethod
    def of(cls, committee: Committee) -> ModelId:
        """Name and digest; the digest of several models is that of all their digests."""
        weights = [committee.weights[name] for name in committee.bundles]
        digest = weights[0] if len(weights) == 1 else sha256_bytes("\n".join(weights).encode())
        return cls(name=committee.name, digest=digest)


_FEWEST_WORKERS, _MOST_WORKERS = 2, 8


class Service:
    """A model with its processes and its thread; `running` starts and ends them."""

    def __init__(
        self, runtime: Runtime, *, limits: Limits | None = None, threads: int = 1, workers: int | None = None
    ) -> None:
        self.runtime, self.limits, self.metrics = runtime, limits or Limits(), Metrics()
        self.model = ModelId.of(runtime.committee)
        self.maps = map_maker(runtime)
        self.batcher = Batcher(runtime, threads, self.metrics.batch_images.observe)
        self.pool = Pool(
            workers or min(_MOST_WORKERS, max(_FEWEST_WORKERS, os.cpu_count() or 1)),
            runtime.fittings,
            self.limits,
            lambda kind: self.metrics.decode_failures.labels(kind).inc(),
        )
        self.admission = Admission(self.limits, lambda: self.batcher.seconds_per_image)
        self.metrics.watch_queue(lambda: self.admission.images)

    @property
    def ready(self) -> bool:
        return self.pool.ready and self.batcher.ready

    @property
    def batch_images(self) -> int:
        """A batch larger than the queue could never be let in."""
        return min(self.limits.batch_images, self.limits.queue)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Inside the block images are answered; what is under way at its end is finished first."""
        try:
            await self.pool.start()
            await self.batcher.start()
            yield
        finally:
            if self.batcher.ready:
                await self.batcher.close()
            await self.pool.close()

    @asynccontextmanager
    async def under_way(self, images: int) -> AsyncIterator[None]:
        """Inside the block so many images are being answered, and the time for that runs.

        Refused where there is no room for so many at this moment, or where they took too long.
        """
        with self.admission.images_wait(images):
            try:
                async with asyncio.timeout(self.limits.request_seconds):
                    yield
            except TimeoutError:
                seen = f"There was no answer within {self.limits.request_seconds:g} s."
                raise Refusal(504, "timeout", seen, do="Try again later.") from None
