"""Hostile and broken requests get a plain sentence, and the next good one its answer."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from api_kit import Serving, png, raw_answer, serving
from PIL import Image

from dessin.images.fit import Prepared
from dessin.serving.api.limits import Limits
from dessin.serving.api.refusal import json_reply
from dessin.serving.runtime import Answered

pytestmark = pytest.mark.slow

TIGHT = Limits(
    body_bytes=200_000,
    batch_bytes=400_000,
    batch_images=3,
    body_seconds=0.5,
    head_seconds=0.5,
    head_bytes=4096,
    pixels=4_000_000,
    decode_seconds=5.0,
)


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Serving]:
    with serving(bundle, limits=TIGHT, workers=2) as running:
        yield running


@pytest.fixture
def good(drawings: dict[str, list[bytes]]) -> bytes:
    return drawings["cat"][0]


def claims(width: int, height: int) -> bytes:
    """A PNG of one pixel whose header claims to be much larger."""
    data = png(1, 1)
    head = struct.pack(">II", width, height) + data[24:29]
    return data[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + data[33:]


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "GIF")
    return buffer.getvalue()


FAULTS: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "truncated": (lambda: png(300, 300)[:-40], "image/png", 422),
    "empty": (lambda: b"", "image/png", 422),
    "claims 30,000 x 30,000": (lambda: claims(30_000, 30_000), "image/png", 413),
    "bomb": (lambda: png(4000, 3000), "image/png", 413),
    "gif": (gif, "", 415),
    "gif that says png": (gif, "image/png", 415),
    "png that says jpeg": (lambda: png(9, 9), "image/jpeg", 415),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
    "html": (lambda: b"<html></html>", "text/html", 415),
    "html that says png": (lambda: b"<html></html>", "image/png", 415),
    "too large": (lambda: png(9, 9) + bytes(300_000), "image/png", 413),
    "only a signature": (lambda: b"\x89PNG\r\n\x1a\n", "image/png", 422),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gets_its_status_and_harms_nobody(server: Serving, good: bytes, fault: str) -> None:
    make, kind, status = FAULTS[fault]
    before = server.predict(good).json()
    reply = server.predict(make(), kind)
    assert reply.status_code == status, reply.text
    assert set(reply.json()["error"]) == {"seen", "allowed", "do"}
    assert reply.json()["error"]["seen"].endswith(".")
    assert server.predict(good).json() == before


def test_a_body_without_an_end_is_not_read_to_its_end(server: Serving) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield png(9, 9)
        while True:
            sent += 65536
            yield bytes(65536)

    try:
        reply = httpx.post(f"http://127.0.0.1:{server.port}/v1/predict", content=endless(), timeout=20)
        assert reply.status_code == 413
    except httpx.WriteError:
        pass  # the server had closed before the client looked for an answer
    assert sent < 64 * 2**20


def test_a_sender_that_drips_is_told_so(server: Serving) -> None:
    with server.connect() as connection:
        head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b"\x89PNG")
        answer = raw_answer(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"seen"' in answer


def test_a_head_that_never_ends_is_cut_off(server: Serving) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert raw_answer(connection).startswith(b"HTTP/1.1 408")
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"a" * 8192)
        assert raw_answer(connection).startswith(b"HTTP/1.1 431")


def test_trailers_without_an_end_are_cut_off(server: Serving) -> None:
    head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with server.connect() as connection:
        connection.sendall(head.encode() + b"4\r\n\x89PNG\r\n0\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 2**26:
                connection.sendall(b"X-More: " + b"a" * 4000 + b"\r\n")
                sent += 4010
    assert sent < 2**26


def test_a_blank_line_does_not_keep_a_connection_open(server: Serving) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        assert b"HTTP/1.1 408" in raw_answer(connection)


def test_another_protocol_is_refused_in_words(server: Serving, good: bytes) -> None:
    upgrade = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAAP"}
    reply = httpx.post(f"http://127.0.0.1:{server.port}/v1/predict", content=good, headers=upgrade)
    assert reply.status_code == 400
    assert "HTTP/1.1" in reply.json()["error"]["allowed"]


def test_what_is_no_http_gets_a_sentence(server: Serving) -> None:
    with server.connect() as connection:
        connection.sendall(b"hello there\r\n\r\n")
        answer = raw_answer(connection)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["seen"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/predict", {"host": "evil.example"}, 421),
        ("POST", "/v1/predict", {"host": "localhost.evil.example"}, 421),
        ("POST", "/v1/predict", {"host": "[::1]evil.example"}, 421),
        ("POST", "/v1/predict?top=0", {}, 422),
        ("POST", "/v1/predict?top=21", {}, 422),
        ("POST", "/v1/predict?top=x", {}, 422),
        ("POST", "/v1/predict?topp=3", {}, 422),
        ("POST", "/v1/predict?top=3&top=4", {}, 422),
        ("POST", "/v1/explain?label=cat&top=3", {}, 422),
        ("GET", "/healthz?verbose", {}, 422),
        ("POST", "/v1/predict", {"origin": "http://elsewhere.example"}, 403),
        ("POST", "/v1/predict", {"origin": "null"}, 403),
        ("POST", "/v1/predict", {"origin": "http://127.0.0.1"}, 403),
        ("POST", "/v1/predict/batch", {"origin": "http://elsewhere.example"}, 403),
        ("POST", "/v1/explain", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", "/v1/explain", {"sec-fetch-site": "same-site"}, 403),
        ("GET", "/v1/predict", {}, 405),
        ("GET", "/v1/nothing", {}, 404),
        ("GET", "/redoc", {}, 404),
        ("POST", "/v1/predict/batch", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/predict/batch", {"content-type": "multipart/form-data"}, 422),
    ],
)
def test_a_wrong_request_gets_its_status(
    server: Serving, good: bytes, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = server.client.request(method, path, headers=headers, content=good if method == "POST" else None)
    assert reply.status_code == status
    assert reply.json()["error"]["seen"]


def test_localhost_is_a_name_too(server: Serving) -> None:
    for host in ("localhost", f"localhost:{server.port}", "[::1]:8000", "127.0.0.1"):
        assert server.client.get("/healthz", headers={"host": host}).status_code == 200


def test_a_page_of_the_server_itself_may_ask(server: Serving, good: bytes) -> None:
    for scheme in ("http", "https"):
        own = {"origin": f"{scheme}://127.0.0.1:{server.port}", "sec-fetch-site": "same-origin"}
        assert server.client.post("/v1/predict", content=good, headers=own).status_code == 200
    typed = {"sec-fetch-site": "none"}
    assert server.client.post("/v1/predict", content=good, headers=typed).status_code == 200


@pytest.mark.parametrize(
    ("path", "kind", "content", "said"),
    [
        ("/v1/predict", "multipart/form-data; boundary=x", b"--x\r\n", "/v1/predict/batch"),
        ("/v1/explain", "", b'--x\r\nContent-Disposition: form-data; name="images"', "/v1/predict/batch"),
        ("/v1/predict", "application/json", b'{"image": ".."}', "neither JSON nor base64"),
        ("/v1/predict", "", b"iVBORw0KGgoAAAANSUhEUg", "neither JSON nor base64"),
        ("/v1/predict", "", b"data:image/png;base64,iVBO", "neither JSON nor base64"),
        ("/v1/predict", "application/x-www-form-urlencoded", b"x", "-H 'Content-Type: image/png'"),
        ("/v1/predict?tpo=3", "", b"x", 'Did you mean "top"?'),
    ],
)
def test_what_people_send_instead_is_told_where_it_belongs(
    server: Serving, path: str, kind: str, content: bytes, said: str
) -> None:
    headers = {"content-type": kind} if kind else {}
    reply = server.client.post(path, content=content, headers=headers)
    assert reply.status_code in (415, 422)
    assert said in reply.json()["error"]["do"]


def test_an_answer_that_is_no_number_is_no_answer(
    server: Serving, good: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server.service.runtime.answer

    def broken(images: list[Prepared]) -> Answered:
        answered = answer(images)
        return Answered(answered.probabilities * np.nan, answered.scores)

    monkeypatch.setattr(server.service.runtime, "answer", broken)
    reply = server.predict(good)
    assert (reply.status_code, "not a number" in reply.text) == (500, True)
    batch = server.client.post("/v1/predict/batch", files=[("images", ("x", good))])
    assert batch.json()["images"][0]["status"] == 500
    with pytest.raises(ValueError, match="JSON"):
        json_reply({"probability": float("nan")})


def test_a_batch_has_its_limits(server: Serving, good: bytes) -> None:
    def post(count: int, name: str = "images") -> httpx.Response:
        return server.client.post("/v1/predict/batch", files=[(name, ("x.png", good))] * count)

    assert post(3).status_code == 200
    assert post(4).status_code == 413
    assert post(1, "pictures").status_code == 422
    assert (
        server.client.post("/v1/predict/batch", files=[("images", ("x", bytes(500_000)))]).status_code == 413
    )


class Gate:
    """Holds the runtime's answers back until it is opened."""

    def __init__(self, server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.reached = threading.Event(), threading.Event()
        answer = server.service.runtime.answer

        def held(images: list[Prepared]) -> Answered:
            self.reached.set()
            assert self.open.wait(20)
            return answer(images)

        monkeypatch.setattr(server.service.runtime, "answer", held)


def test_a_full_queue_says_when_to_come_again(
    bundle: Path, good: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(bundle, limits=replace(TIGHT, queue=1)) as server, ThreadPoolExecutor(1) as pool:
        gate = Gate(server, monkeypatch)
        first = pool.submit(
            httpx.post, f"http://127.0.0.1:{server.port}/v1/predict", content=good, timeout=20
        )
        assert gate.reached.wait(20)
        second = server.predict(good)
        gate.open.set()
        assert first.result().status_code == 200
        assert second.status_code == 429
        assert int(second.headers["retry-after"]) >= 1
        assert server.predict(good).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(
    bundle: Path, good: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(bundle, limits=replace(TIGHT, request_seconds=0.3)) as server:
        gate = Gate(server, monkeypatch)
        assert server.predict(good).status_code == 504
        gate.open.set()
        assert server.service.admission.images == 0
