"""The bytes of a request, counted while they arrive: too many, too slow or too much at once are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.requests import ClientDisconnect, Request

from dessin.serving.api.limits import MIB, Limits
from dessin.serving.api.refusal import Refusal, later


class Bodies:
    """Reads bodies within the limits, and knows how many bytes of them lie in memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request, most: int) -> AsyncIterator[bytes]:
        """The body, of at most `most` bytes; it counts as held until the block ends.

        Raises:
            Refusal: 413 as soon as it is too large, the rest unread; 408 when it takes too long; 503 when
                too many bytes are held already; 400 when the client goes away.
        """
        _check_announced(request, most)
        with self._holding() as hold:
            chunks: list[bytes] = []
            size = 0
            try:
                async with asyncio.timeout(self._limits.body_s):
                    async for chunk in request.stream():
                        size += len(chunk)
                        if size > most:
                            raise _too_large(most)
                        hold(len(chunk))
                        chunks.append(chunk)
            except TimeoutError:
                raise Refusal(
                    408,
                    "slow_body",
                    f"The body had not arrived after {self._limits.body_s:g} s ({size:,} bytes had).",
                    do="Send it faster, or send a smaller image.",
                ) from None
            except ClientDisconnect:
                raise Refusal(400, "disconnected", "The client went away.") from None
            yield b"".join(chunks)

    @contextmanager
    def _holding(self) -> Iterator[_Hold]:
        hold = _Hold(self)
        try:
            yield hold
        finally:
            self._held -= hold.size

    def take(self, size: int) -> None:
        if self._held + size > self._limits.held_bytes:
            raise later(503, "too_many_bytes", "The server is reading too many images at once.")
        self._held += size


class _Hold:
    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    def __call__(self, size: int) -> None:
        self._bodies.take(size)
        self.size += size


def _check_announced(request: Request, most: int) -> None:
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
        raise _too_large(most)


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"The body is larger than {most / MIB:g} MiB.",
        allowed=f"Up to {most / MIB:g} MiB.",
        do="Send a smaller image.",
    )
