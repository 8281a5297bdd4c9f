"""Around every request: it is counted and timed, one line is logged, and an unread body is let run out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dessin.progress import say
from dessin.serving.api.limits import Limits

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Requests, their times, batches, refusals and decoding failures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        of: dict[str, Any] = {"namespace": "dessin", "registry": self.registry}
        took = "From the head of a request to its answer"
        self.requests = Counter("requests", "Requests answered", ("route", "status"), **of)
        self.seconds = Histogram("request_seconds", took, ("route",), buckets=_SECONDS, **of)
        self.batch_images = Histogram("batch_images", "Images looked at together", buckets=_BATCHES, **of)
        self.rejected = Counter("rejected", "Requests refused", ("reason",), **of)
        self.decode_failures = Counter("decode_failures", "Images not decoded", ("reason",), **of)
        self._queue = Gauge("queue_images", "Images under way", **of)

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Where the length of the queue is read from."""
        self._queue.set_function(length)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)


_GONE = 499  # nobody is there any more to be answered


class Watch:
    """Counts and times requests by route and status; a path that is no route counts as `other`."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Collection[str]) -> None:
        self._app, self._metrics, self._routes = app, metrics, frozenset(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start, status = time.perf_counter(), _GONE

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            status = 500
            raise
        finally:
            self._count(scope, status, time.perf_counter() - start)
        return None

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope["path"] if scope["path"] in self._routes else "other"
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        kind = scope.get("dessin.refused")
        if kind:
            self._metrics.rejected.labels(kind).inc()
        # Nothing that a client wrote goes into the log, neither its path nor its query.
        say(f"{route} {status} {1000 * seconds:.0f} ms{f' ({kind})' if kind else ''}")


_SILENCE_S = 1.0


class Leftovers:
    """Closes the connection of a request that was answered before its body was read.

    To close at once would make the client's system throw the answer away, for it is still sending; so what
    comes is dropped unseen, for as long as the limits let it linger, and while anything comes.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._seconds, self._most_bytes = app, limits.linger_seconds, limits.linger_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            return await self._app(scope, receive, send)
        unread = True

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and unread:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and unread:
                await send({**message, "more_body": True})
                await self._drop(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        return await self._app(scope, reading, closing)

    async def _drop(self, receive: Receive) -> None:
        dropped = 0
        try:
            async with asyncio.timeout(self._seconds):
                while dropped < self._most_bytes:
                    message = await asyncio.wait_for(receive(), _SILENCE_S)
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
                    dropped += len(message["body"])
        except TimeoutError:
            return


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
