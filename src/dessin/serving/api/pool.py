"""Decoders in processes of their own: one that takes too long, too much memory, or dies is replaced."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from dessin.errors import DessinError
from dessin.images.decode import MAX_SIDE
from dessin.images.fit import Prepared
from dessin.images.spec import Fitting
from dessin.progress import say_once, warn
from dessin.serving.api import decode_worker
from dessin.serving.api.decode_worker import (
    PAGES,
    REPLY,
    REQUEST,
    FittingSetting,
    Status,
    WorkerSettings,
)
from dessin.serving.api.limits import Limits
from dessin.serving.api.refusal import RETRY_SECONDS, Refusal
from dessin.system import APART

_START_S = 60.0
# A new process may take so many times as long as those before, and so long at least.
_SLOWER, _SHORTEST_START_S = 4.0, 5.0
_PAUSE_S = 1.0
# Threads of numerical libraries would cost each worker address space, and do nothing for one picture.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Pool:
    """Image bytes to a model's pixels, one image a worker at a time."""

    def __init__(
        self, workers: int, fittings: Sequence[Fitting], limits: Limits, failed: Callable[[str], None]
    ) -> None:
        """`failed` is told the kind of every image that is not decoded."""
        self._count, self._fittings, self._limits, self._failed = workers, tuple(fittings), limits, failed
        self._settings = WorkerSettings(
            fittings=tuple(FittingSetting(image=spec, interpolation=how) for spec, how in fittings),
            pixels=limits.pixels,
            memory=limits.decode_memory,
        ).model_dump_json()
        self._workers: set[_Worker] = set()
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._replacing: set[asyncio.Task[None]] = set()
        self._start_s = _START_S

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that live."""
        return [worker.process.pid for worker in self._workers]

    @property
    def ready(self) -> bool:
        return any(worker.lives for worker in self._workers)

    async def start(self) -> None:
        """Start all workers, and wait until they are ready; a `DessinError` where they do not start."""
        try:
            seconds = await asyncio.gather(*(self._add() for _ in range(self._count)))
        except (OSError, EOFError, TimeoutError) as error:
            await self.close()
            raise DessinError(
                f"The processes that decode images do not start ({type(error).__name__}: {error}).",
                do="See that this machine has memory and processes to spare.",
            ) from None
        self._start_s = min(_START_S, max(_SHORTEST_START_S, _SLOWER * max(seconds)))

    async def close(self) -> None:
        """End all workers."""
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        for worker in self._workers:
            worker.kill()
        await asyncio.gather(*(worker.process.wait() for worker in self._workers))
        self._workers.clear()

    async def decode(self, data: bytes) -> Prepared:
        """The pixels of one image, as the models want them.

        Raises:
            Refusal: 422 for an image that cannot be decoded; 413 for one with too many pixels, or that takes
                too much memory; 503 where two decoders ended or stopped over it.
        """
        try:
            return await self._decode(data)
        except Refusal as refusal:
            self._failed(refusal.kind)
            raise

    async def _decode(self, data: bytes) -> Prepared:
        # Whoever stops a process seldom does so with two in turn: the first wait may be the shorter one.
        for patience in (self._limits.decode_seconds / 2, self._limits.decode_seconds):
            worker = await self._take()
            try:
                async with asyncio.timeout(patience):
                    status, payload = await worker.ask(data)
            except (TimeoutError, EOFError, ConnectionError):
                # Perhaps somebody else ended or stopped the process: another worker gets one try.
                self._replace(worker)
                continue
            except BaseException:
                self._replace(worker)  # its reply is still to come, and nobody waits for it
                raise
            if status is Status.NO_MEMORY:
                self._replace(worker)
            else:
                self._idle.put_nowait(worker)
            return self._read(status, payload)
        seconds = self._limits.decode_seconds
        raise Refusal(
            503,
            "decoder",
            f"Two decoders ended over the image, or were not done within {seconds:g} s each.",
            do=f"Try again in {RETRY_SECONDS} s; if that fails as well, save the image anew, smaller.",
        )

    async def _take(self) -> _Worker:
        """A worker that is there: one that was stopped while it had nothing to do costs no image a try."""
        while True:
            worker = await self._idle.get()
            try:
                async with asyncio.timeout(self._limits.decoder_seconds):
                    await worker.ask(b"")
                    return worker
            except (TimeoutError, EOFError, ConnectionError):
                self._replace(worker)
            except BaseException:
                self._replace(worker)
                raise

    def _read(self, status: Status, payload: bytes) -> Prepared:
        if status in PAGES:
            shapes = [(spec.channels, spec.size, spec.size) for spec, _ in self._fittings]
            # Of a copy: what is read from a process cannot be written to, as torch would have it.
            flat = np.frombuffer(bytearray(payload), dtype=np.uint8)
            parts = np.split(flat, np.cumsum([math.prod(shape) for shape in shapes])[:-1])
            squares = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
            return Prepared(dict(zip(self._fittings, squares, strict=True)), PAGES[status])
        reason = payload.decode()
        if status is Status.UNREADABLE:
            seen = f"The image cannot be decoded: {reason}."
            raise Refusal(422, "unreadable", seen, do="Send another, or save it anew.")
        allowed = f"Up to {self._limits.pixels / 10**6:g} million pixels, and {MAX_SIDE:,} a side."
        kind, seen = "decode_memory", "Decoding the image takes too much memory."
        if status is Status.TOO_MANY_PIXELS:
            kind, seen = "too_many_pixels", f"The image has {reason}."
        raise Refusal(413, kind, seen, allowed=allowed, do="Send a smaller image.")

    async def _add(self) -> float:
        """How long it took a new worker to be ready, in seconds."""
        begun = time.perf_counter()
        worker = await _Worker.start(self._settings, self._start_s)
        if worker.unbound:
            say_once(f"This system does not bound {worker.unbound} of a decoding process.")
        self._workers.add(worker)
        self._idle.put_nowait(worker)
        return time.perf_counter() - begun

    def _replace(self, worker: _Worker) -> None:
        worker.kill()
        self._workers.discard(worker)
        task = asyncio.create_task(self._renew(worker))
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _renew(self, old: _Worker) -> None:
        await old.process.wait()
        while True:
            try:
                await self._add()
                return
            except (OSError, EOFError, TimeoutError) as error:
                warn(f"a decoding process does not start again yet ({type(error).__name__}: {error})")
                await asyncio.sleep(_PAUSE_S)


class _Worker:
    """One process; `unbound` is what its system does not bound of it."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._requests, self._replies = process, process.stdin, process.stdout
        self.unbound = ""

    @classmethod
    async def start(cls, settings: str, seconds: float) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            decode_worker.__name__,
            settings,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=os.environ | _ENVIRONMENT,
            limit=2**20,
            **APART,
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(seconds):
                _, unbound = await worker._reply()
        except BaseException:
            worker.kill()
            await worker.process.wait()
            raise
        worker.unbound = unbound.decode()
        return worker

    @property
    def lives(self) -> bool:
        return self.process.returncode is None

    async def ask(self, data: bytes) -> tuple[Status, bytes]:
        self._requests.write(REQUEST.pack(len(data)))
        self._requests.write(data)
        await self._requests.drain()
        return await self._reply()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self._requests.close()

    async def _reply(self) -> tuple[Status, bytes]:
        status, length = REPLY.unpack(await self._replies.readexactly(REPLY.size))
        return Status(status), await self._replies.readexactly(length)
