"""What one request may cost, and how much may be under way at once."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds of wall time.

    `queue` images may be accepted and not yet answered; `uploading_bytes` of bodies may be arriving at once.
    `decode_memory` is what a decoding process may take beyond what it starts with. `head_seconds` is also how
    long a connection may be silent before its first request.
    """

    queue: int = 64
    connections: int = 512
    head_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    body_bytes: int = 8 * MIB
    body_seconds: float = 15.0
    batch_images: int = 32
    batch_bytes: int = 64 * MIB
    uploading_bytes: int = 256 * MIB
    pixels: int = 40_000_000
    decode_memory: int = 768 * MIB
    decode_seconds: float = 10.0
    request_seconds: float = 30.0
    shutdown_seconds: float = 35.0
