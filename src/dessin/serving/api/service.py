"""What a request asks for, carried out: decoding in processes, then the runtime's thread, all bounded; and
the card of the model."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from PIL import Image

from dessin.answers.committee import Committee, LoadedCommittee
from dessin.errors import DessinError
from dessin.files import sha256_bytes
from dessin.serving.answer import read_answers
from dessin.serving.api.batcher import Batcher
from dessin.serving.api.limits import Admission, Limits
from dessin.serving.api.pool import Pool
from dessin.serving.api.refusal import Refusal, error_of
from dessin.serving.api.schemas import ClassReply, ModelId, ModelReply, RejectionReply
from dessin.serving.api.uploads import Part, check_format, check_stated
from dessin.serving.api.watch import Metrics
from dessin.serving.maps import ImageMap, MapMaker
from dessin.serving.runtime import Prepared, Runtime


def model_id(committee: Committee) -> ModelId:
    """Name and digest; the digest of several models is that of all their digests."""
    weights = [committee.weights[name] for name in committee.bundles]
    digest = weights[0] if len(weights) == 1 else sha256_bytes("\n".join(weights).encode())
    return ModelId(name=committee.name, digest=digest)


def model_card(runtime: Runtime) -> ModelReply:
    """What the model says of itself; where it was made is left out, for that is a path."""
    committee = runtime.committee
    rejection = committee.rejection
    return ModelReply(
        model=model_id(committee),
        classes=[
            ClassReply(label=label, name=committee.names.get(label, label)) for label in committee.classes
        ],
        images=[spec for spec, _ in runtime.fittings],
        temperature=_temperature(runtime.loaded),
        threshold=committee.threshold,
        rejection=None
        if rejection is None
        else RejectionReply(score=rejection.score, threshold=rejection.threshold),
        views=list(runtime.views),
        weights=[committee.weights[name] for name in committee.bundles],
        digests=committee.digests,
        provenance={key: value for key, value in committee.provenance.items() if not _is_path(value)},
        licence=committee.licence,
    )


def _temperature(loaded: LoadedCommittee) -> float:
    """That of the committee; a bundle alone is tempered by its own card."""
    bundles = list(loaded.bundles.values())
    own = bundles[0].card.temperature if len(bundles) == 1 else 1.0
    return loaded.committee.temperature * own


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text


_FEWEST_WORKERS, _MOST_WORKERS = 2, 8


class Service:
    """A model with its processes and its thread; `running` starts and ends them."""

    def __init__(
        self, runtime: Runtime, *, limits: Limits | None = None, threads: int = 1, workers: int | None = None
    ) -> None:
        self.runtime, self.limits, self.metrics = runtime, limits or Limits(), Metrics()
        self.model = model_id(runtime.committee)
        self._maps = _maps(runtime)
        self._named = self.model.model_dump()
        self.batcher = Batcher(runtime, threads, self.metrics.batch_images.observe)
        self.pool = Pool(
            workers or min(_MOST_WORKERS, max(_FEWEST_WORKERS, os.cpu_count() or 1)),
            runtime.fittings,
            self.limits,
            lambda kind: self.metrics.decode_failures.labels(kind).inc(),
        )
        self.admission = Admission(
            self.limits.queue, self.limits.uploading_bytes, lambda: self.batcher.seconds_per_image
        )
        self.metrics.watch_queue(lambda: self.admission.images)

    @property
    def ready(self) -> bool:
        return self.pool.ready and self.batcher.ready

    @property
    def batch_images(self) -> int:
        """A batch larger than the queue could never be let in."""
        return min(self.limits.batch_images, self.limits.queue)

    @property
    def can_explain(self) -> bool:
        return self._maps is not None

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

    async def predict(self, stated: str, data: bytes, top: int) -> dict[str, Any]:
        """The JSON of one image's answer.

        Raises:
            Refusal: whatever is wrong with the image or the moment.
        """
        check_format(stated, data)
        with self.admission.images_wait(1):
            async with self._in_time():
                return {"model": self._named, **await self._look(data, top)}

    async def predict_batch(self, parts: list[Part], top: int) -> dict[str, Any]:
        """The JSON of a batch; an image that is refused does not harm the others.

        Raises:
            Refusal: there is no room for so many at this moment, or they took too long.
        """
        with self.admission.images_wait(len(parts)):
            async with self._in_time():
                entries = await asyncio.gather(
                    *(self._entry(index, part, top) for index, part in enumerate(parts))
                )
        return {"model": self._named, "images": entries}

    async def explain(self, stated: str, data: bytes, label: str | None) -> tuple[str, str, bytes]:
        """The label, the method, and the PNG of a map over the image as the model sees it.

        Raises:
            Refusal: whatever is wrong with the image, the label or the moment.
        """
        check_format(stated, data)
        with self.admission.images_wait(1):
            async with self._in_time():
                prepared = await self.pool.decode(data)
                return await self.batcher.call(lambda: self._map(prepared, label))  # type: ignore[no-any-return]

    async def _look(self, data: bytes, top: int) -> dict[str, Any]:
        answered = await self.batcher.answer(await self.pool.decode(data))
        answer = read_answers(self.runtime.committee, answered, top)[0]
        return {
            "answered": not answer.silence,
            "silence": answer.silence,
            "reason": answer.reason,
            "candidates": [asdict(candidate) for candidate in answer.candidates],
        }

    async def _entry(self, index: int, part: Part, top: int) -> dict[str, Any]:
        try:
            data = part.data
            if len(data) > self.limits.body_bytes:
                raise Refusal(
                    413,
                    "bytes",
                    "The image is too large.",
                    allowed=f"At most {self.limits.body_bytes / 2**20:g} MiB.",
                )
            check_stated(part.stated)
            check_format(part.stated, data)
            return {"index": index, "status": 200, "answer": await self._look(data, top), "error": None}
        except Refusal as refusal:
            self.metrics.rejected.labels(refusal.kind).inc()
            return {"index": index, "status": refusal.status, "answer": None, "error": error_of(refusal)}

    def _map(self, prepared: Prepared, label: str | None) -> tuple[str, str, bytes]:
        assert self._maps is not None
        try:
            made: ImageMap = self._maps.make_prepared(prepared, label)
        except DessinError as error:
            raise Refusal(422, "label", error.seen, do="GET /v1/model lists the classes.") from None
        buffer = io.BytesIO()
        Image.fromarray(made.overlay).save(buffer, "PNG")
        return made.label, made.method, buffer.getvalue()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limits.request_seconds):
                yield
        except TimeoutError:
            raise Refusal(
                504,
                "timeout",
                f"There was no answer within {self.limits.request_seconds:g} s.",
                do="Try again later.",
            ) from None


def _maps(runtime: Runtime) -> MapMaker | None:
    """None for models that fit drawings into their square in different ways: there is no one picture."""
    try:
        return MapMaker(runtime)
    except DessinError:
        return None
