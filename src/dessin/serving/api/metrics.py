"""What the server counts, in a registry of its own, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Requests, their times, batches, refusals and decoding failures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        here, own = self.registry, "dessin"
        self.requests = Counter(
            "requests", "Requests answered", ("route", "status"), namespace=own, registry=here
        )
        self.seconds = Histogram(
            "request_seconds",
            "From the head of a request to its answer",
            ("route",),
            buckets=_SECONDS,
            namespace=own,
            registry=here,
        )
        self.batch_images = Histogram(
            "batch_images", "Images looked at together", buckets=_BATCHES, namespace=own, registry=here
        )
        self.rejected = Counter("rejected", "Requests refused", ("reason",), namespace=own, registry=here)
        self.decode_failures = Counter(
            "decode_failures", "Images not decoded", ("reason",), namespace=own, registry=here
        )
        self._queue = Gauge("queue_images", "Images under way", namespace=own, registry=here)

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Where the length of the queue is read from."""
        self._queue.set_function(length)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
