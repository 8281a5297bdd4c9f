"""What one request may cost, and how much may be under way: images that wait, and bytes still arriving."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dessin.serving.api.refusal import Refusal

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds of wall time.

    `queue` images may be accepted and not yet answered; `uploading_bytes` of bodies may be arriving at once.
    `decode_memory` is what a decoding process may take beyond what it starts with; one that does not say
    within `decoder_seconds` that it is there is replaced. `head_seconds` is also how long a connection may be
    silent before its first request. What still comes from somebody who was refused is dropped for
    `linger_seconds` and `linger_bytes` at the longest, so that the refusal is seen.
    """

    queue: int = 64
    connections: int = 512
    head_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    linger_seconds: float = 10.0
    linger_bytes: int = 32 * MIB
    body_bytes: int = 8 * MIB
    body_seconds: float = 15.0
    batch_images: int = 32
    batch_bytes: int = 64 * MIB
    uploading_bytes: int = 256 * MIB
    pixels: int = 40_000_000
    decode_memory: int = 768 * MIB
    decode_seconds: float = 8.0
    decoder_seconds: float = 2.0
    request_seconds: float = 30.0
    shutdown_seconds: float = 35.0


_LONGEST_WAIT = 60


class Admission:
    """Counts images and bytes, and sends clients away while there are too many."""

    def __init__(self, limits: Limits, seconds_per_image: Callable[[], float]) -> None:
        self.limits, self._seconds_per_image = limits, seconds_per_image
        self.images = self.bytes = 0

    @contextmanager
    def images_wait(self, count: int) -> Iterator[None]:
        """So many images are under way inside the block; refused with 429 where that would be too many."""
        most = self.limits.queue
        if self.images + count > most:
            seen = f"{self.images} images are waiting, and {most} is the most that may wait."
            raise self._busy("queue", seen)
        self.images += count
        try:
            yield
        finally:
            self.images -= count

    def arrive(self, count: int) -> None:
        """So many more bytes have come, until `leave` takes them off; refused with 429 for too many."""
        if self.bytes + count > self.limits.uploading_bytes:
            raise self._busy("uploads", "Too many images are being sent at this moment.")
        self.bytes += count

    def leave(self, count: int) -> None:
        self.bytes -= count

    def _busy(self, kind: str, seen: str) -> Refusal:
        wait = max(1, min(_LONGEST_WAIT, math.ceil(self.images * self._seconds_per_image())))
        return Refusal(429, kind, seen, do=f"Try again in {wait} s.", headers={"Retry-After": str(wait)})
