"""What one request may cost, and how much may be under way at once."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """`*_s` are seconds of wall time, `*_bytes` and `decode_memory` bytes.

    `queue` images may be accepted and not yet answered; `held_bytes` of bodies may lie in memory, those that
    are still arriving included; `decode_memory` is what a worker may take beyond what it starts with.
    """

    image_bytes: int = 8 * MIB
    batch_images: int = 32
    batch_bytes: int = 64 * MIB
    held_bytes: int = 256 * MIB
    pixels: int = 40_000_000
    decode_memory: int = 768 * MIB
    body_s: float = 20.0
    decode_s: float = 10.0
    request_s: float = 30.0
    drain_s: float = 35.0
    queue: int = 64
    largest_batch: int = 32
    workers: int = 2
