"""Requests as no client should send them: each gets a status, and the next good one its answer.

`DESSIN_FUZZ=5000` tries as many.
"""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from api_kit import Serving, serving
from crafted_images import many_chunks, many_segments, png, scans, tall_png, webp_chunks
from fuzz_kit import cases, rng
from http_attacks import Attack, attack
from tiny_bundle import make_bundle

from dessin.doodles.drawing import draw_doodle
from dessin.serving.api.limits import Limits

pytestmark = pytest.mark.slow

AT_ONCE = 12
SHORT = Limits(
    head_seconds=0.4, body_seconds=0.4, linger_seconds=1.0, body_bytes=200_000, batch_bytes=400_000
)
STATUSES = {200, 400, 401, 403, 404, 405, 408, 411, 413, 415, 421, 422, 429, 431, 501, 505}
MIB = 2**20


def test_each_gets_a_status_and_the_next_good_one_its_answer(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    examples = {label: [draw_doodle(label, n, seed=0).data for n in range(3)] for label in ("cat", "star")}
    good, random = examples["cat"][0], rng("http")
    attacks = [attack(random, good) for _ in range(cases(250))]
    with (
        serving(make_bundle(tmp_path / "bundle", examples), limits=SHORT, workers=2) as server,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        expected = likeliest(server, good)
        process, statuses, most = psutil.Process(), Counter[int](), 0
        before = process.memory_info().rss
        for start in range(0, len(attacks), AT_ONCE):
            for one, status in pool.map(
                lambda one: (one, status_of(server, one)), attacks[start : start + AT_ONCE]
            ):
                assert status in STATUSES, (one.steps, one.data[:300])
                statuses[status] += 1
            # Its neighbours in a batch change the last digits.
            assert likeliest(server, good) == pytest.approx(expected, abs=1e-4)
            most = max(most, process.memory_info().rss - before)
    # For --junit-xml, where somebody wants to see them.
    record_property("statuses", dict(sorted(statuses.items())))
    record_property("MiB", most // MIB)
    assert most < 200 * MIB
    assert len(statuses) > 8
    assert {200, 400, 413, 431} <= set(statuses)


CRAFTED: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "scans": (lambda: scans(64, 64, 2000), 422, "scans"),
    "segments": (lambda: many_segments(200_000), 422, "segments"),
    "PNG chunks": (lambda: many_chunks(200_000), 422, "chunks"),
    "WebP chunks": (lambda: webp_chunks(200_000), 422, "chunks"),
    "a long side": (lambda: tall_png(70_000), 413, "a side too long"),
    "many pixels": (lambda: png(9000, 6700, 1, 0, b"\0"), 413, "up to 40 million"),
}


def test_an_image_that_would_cost_too_much_is_refused_with_the_limit_and_the_cure(tmp_path: Path) -> None:
    good = {label: [draw_doodle(label, 0, seed=0).data] for label in ("cat", "star")}
    with serving(make_bundle(tmp_path / "bundle", good)) as server:
        (worker,) = server.service.pool.pids
        for name, (make, status, said) in CRAFTED.items():
            reply = server.predict(make())
            assert (reply.status_code, said in reply.json()["error"]["seen"]) == (status, True), name
            assert reply.json()["error"]["do"], name
        assert likeliest(server, good["cat"][0])
        # None of them took so long or so much that its decoder had to be replaced.
        assert server.service.pool.pids == [worker]


def likeliest(server: Serving, data: bytes) -> dict[str, float]:
    return {one["label"]: one["probability"] for one in server.predict(data).json()["candidates"]}


def status_of(server: Serving, one: Attack) -> int:
    """The status of the first answer, which is whole and, where it is an error, says what was seen."""
    with server.connect() as connection:
        with suppress(ConnectionError):
            for start in range(0, len(one.data), one.cut):
                connection.sendall(one.data[start : start + one.cut])
        status, body = first_answer(connection, bodiless=one.data.startswith(b"HEAD "))
    if status >= 400 and body:
        assert json.loads(body)["error"]["seen"].endswith("."), body
    return status


def first_answer(connection: socket.socket, *, bodiless: bool) -> tuple[int, bytes]:
    """Status and body of the first answer that is no 1xx; (0, ..) where the connection ends before it."""
    data = b""
    while True:
        head, found, rest = data.partition(b"\r\n\r\n")
        if found and head.startswith(b"HTTP/1.1 1"):
            data = rest
            continue
        length = re.search(rb"content-length: (\d+)", head)
        if found and length and (bodiless or len(rest) >= int(length[1])):
            return int(head[9:12]), b"" if bodiless else rest[: int(length[1])]
        part = connection.recv(65536)
        if not part:
            return 0, data
        data += part
