"""A decoder that somebody stops, ends or starves costs no good image its answer."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_kit import Serving, png, serving

from dessin.serving.api.limits import Limits

pytestmark = pytest.mark.slow
if not hasattr(signal, "SIGSTOP"):
    pytest.skip("this system stops no processes", allow_module_level=True)

SHORT = Limits(decode_seconds=1.0, decoder_seconds=0.5)


@pytest.fixture
def good(drawings: dict[str, list[bytes]]) -> bytes:
    return drawings["cat"][0]


def harmed(server: Serving, number: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the next `times` decoders gets a signal when it is about to get an image."""
    pool, left = server.service.pool, [number] * times
    take = pool._take

    async def taken() -> Any:
        worker = await take()
        if left:
            os.kill(worker.process.pid, left.pop())
        return worker

    monkeypatch.setattr(pool, "_take", taken)


def test_decoders_that_were_stopped_at_rest_cost_no_image_a_try(bundle: Path, good: bytes) -> None:
    with serving(bundle, limits=SHORT, workers=2) as server:
        before = set(server.service.pool.pids)
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        assert server.predict(good).status_code == 200
        assert not before & set(server.service.pool.pids)


@pytest.mark.parametrize("harm", ["SIGSTOP", "SIGKILL", "SIGSEGV"])
def test_one_harmed_over_an_image_is_not_the_images_fault(
    bundle: Path, good: bytes, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(bundle, limits=SHORT) as server:
        harmed(server, getattr(signal, harm), 1, monkeypatch)
        assert server.predict(good).status_code == 200


@pytest.mark.parametrize("harm", ["SIGSTOP", "SIGKILL"])
def test_two_harmed_over_an_image_are_the_servers_fault(
    bundle: Path, good: bytes, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(bundle, limits=SHORT) as server:
        harmed(server, getattr(signal, harm), 2, monkeypatch)
        reply = server.predict(good)
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) >= 1
        assert "smaller" in reply.json()["error"]["do"]
        assert server.predict(good).status_code == 200


def test_one_that_dies_in_the_middle_costs_nobody_an_answer(bundle: Path, good: bytes) -> None:
    with serving(bundle) as server, ThreadPoolExecutor(1) as pool:
        (before,) = server.service.pool.pids
        os.kill(before, signal.SIGSTOP)
        waiting = pool.submit(
            httpx.post, f"http://127.0.0.1:{server.port}/v1/predict", content=good, timeout=20
        )
        while server.service.admission.images == 0:
            assert not waiting.done()
        os.kill(before, signal.SIGKILL)
        assert waiting.result().status_code == 200
        assert server.service.pool.pids != [before]


def test_one_has_only_so_much_memory(bundle: Path) -> None:
    with serving(bundle, limits=Limits(decode_memory=24 * 2**20)) as server:
        reply = server.predict(png(3000, 1300, "RGB"))
        assert (reply.status_code, "memory" in reply.text) == (413, True)
        assert server.predict(png(200, 200)).status_code == 200
