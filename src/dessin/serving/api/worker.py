"""One decoding process, as the server sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass

from dessin.serving.api.wire import HEAD, Order, Verdict

_START_SECONDS = 60.0
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class WorkerEnded(Exception):  # noqa: N818 (a state of a process)
    """The process is gone."""


@dataclass(frozen=True, eq=False)
class Worker:
    """A process that decodes one image at a time; `line` is the socket to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket

    @classmethod
    async def start(cls, order: Order) -> Worker:
        """A process that is ready to work.

        Raises:
            WorkerEnded: it could not be started, or ended at once.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                # A new program and no fork of this one: by now there are threads, and a model in memory.
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "dessin.serving.api.decode_worker", order.model_dump_json()],
                    stdin=theirs,
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, **_ONE_THREAD},
                )
        except OSError as error:
            ours.close()
            raise WorkerEnded from error
        worker = cls(process, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker._receive()
        except (WorkerEnded, TimeoutError):
            worker.end()
            raise WorkerEnded from None
        return worker

    async def exchange(self, data: bytes) -> tuple[Verdict, bytearray]:
        """Hand an image over and wait for the verdict; once begun, this must be finished or the process ended.

        Raises:
            WorkerEnded: the process died over it.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self.line, HEAD.pack(0, len(data)) + data)
        except OSError:
            raise WorkerEnded from None
        return await self._receive()

    def end(self) -> None:
        """Kill the process, whatever it does, and wait for its end."""
        self.line.close()
        self.process.kill()
        self.process.wait()

    async def _receive(self) -> tuple[Verdict, bytearray]:
        verdict, length = HEAD.unpack(await self._bytes(HEAD.size))
        return Verdict(verdict), await self._bytes(length)

    async def _bytes(self, length: int) -> bytearray:
        loop = asyncio.get_running_loop()
        data = bytearray(length)
        view, got = memoryview(data), 0
        while got < length:
            try:
                count = await loop.sock_recv_into(self.line, view[got:])
            except OSError:
                raise WorkerEnded from None
            if not count:
                raise WorkerEnded
            got += count
        return data
