"""What is no proper HTTP/1.1 gets a status and a closed connection, however it is cut into reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api_kit import Serving, raw_answer, serving

from dessin.serving.api.limits import Limits

pytestmark = pytest.mark.slow

POST = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
WRONG: dict[str, tuple[bytes, int]] = {
    "length and coding": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "coding and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    "gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\nabc", 501),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "nearly chunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "coding of 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "length with a sign": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "length of 30 digits": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nabc", 400),
    "chunk of no number": (CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n", 400),
    "chunk of 17 digits": (CHUNKED + b"f" * 17 + b"\r\nabc", 400),
    "second chunk of no number": (CHUNKED + b"3\r\nabc\r\n-1\r\n", 400),
    "chunk longer than it says": (CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", 400),
    "extension without an end": (CHUNKED + b"3;" + b"a" * 60_000 + b"\r\nabc\r\n0\r\n\r\n", 431),
    "trailers without an end": (CHUNKED + b"3\r\nabc\r\n0\r\nX: " + b"a" * 60_000 + b"\r\n\r\n", 431),
    "a folded line": (GET + b"X-A: b\r\n c\r\n\r\n", 400),
    "blank before the colon": (GET + b"X-A : b\r\n\r\n", 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "NUL in a header": (GET + b"X-A: b\x00\r\n\r\n", 400),
    "version 2.0": (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    "version 0.9": (b"GET /healthz\r\n\r\n", 505),
    "long target": (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
    "one long header": (GET + b"X-Long: " + b"a" * 17_000 + b"\r\n\r\n", 431),
    "a thousand headers": (GET + b"".join(b"X-%d: abcdefgh\r\n" % n for n in range(1500)) + b"\r\n", 431),
    "connect": (b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
}


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Serving]:
    with serving(bundle) as running:
        yield running


@pytest.mark.parametrize("cut", [1 << 20, 4096])
@pytest.mark.parametrize("wrong", WRONG)
def test_it_gets_a_status_and_the_connection_is_closed(server: Serving, wrong: str, cut: int) -> None:
    request, status = WRONG[wrong]
    with server.connect() as connection:
        for start in range(0, len(request), cut):
            connection.sendall(request[start : start + cut])
        # Were the end of the body somewhere else for the server, this would be a request of its own.
        connection.sendall(GET + b"\r\n")
        answer = raw_answer(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status), answer
    assert json.loads(body)["error"]["seen"].endswith(".")
    assert len(re.findall(rb"HTTP/1.1 \d", answer)) == 1
    assert server.client.get("/healthz").status_code == 200


def test_a_head_of_just_so_many_bytes_is_taken(server: Serving) -> None:
    with server.connect() as connection:
        connection.sendall(GET + b"Connection: close\r\nX-Long: " + b"a" * 16_000 + b"\r\n\r\n")
        assert raw_answer(connection).startswith(b"HTTP/1.1 200")


def test_what_came_before_a_broken_request_is_answered(server: Serving) -> None:
    for broken in (b"nonsense\r\n\r\n", CHUNKED + b"zz\r\n"):
        with server.connect() as connection:
            connection.sendall((GET + b"\r\n") * 3 + broken)
            answer = raw_answer(connection)
        assert answer.count(b"HTTP/1.1 200") == 3
        assert answer.endswith(b"}")


def test_no_more_than_some_requests_wait_on_one_connection(server: Serving) -> None:
    with server.connect() as connection:
        connection.sendall((GET + b"\r\n") * 4000)
        answer = raw_answer(connection)
    assert 10 < answer.count(b"HTTP/1.1 200") < 40


def test_a_trailer_is_no_header(server: Serving, drawings: dict[str, list[bytes]]) -> None:
    data = drawings["cat"][0]
    with server.connect() as connection:
        connection.sendall(CHUNKED + b"%x\r\n" % len(data) + data + b"\r\n0\r\nHost: evil.example\r\n")
        connection.sendall(b"Content-Type: text/html\r\n\r\n" + GET + b"Connection: close\r\n\r\n")
        answer = raw_answer(connection)
    assert answer.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("chunked", [False, True])
def test_many_that_send_too_much_all_see_why(bundle: Path, chunked: bool) -> None:
    size, clients = 3_000_000, 24
    framed = (
        CHUNKED + b"%x\r\n" % size
        if chunked
        else POST + b"Content-Type: image/png\r\nContent-Length: %d\r\n\r\n" % size
    )
    with serving(bundle, limits=Limits(body_bytes=100_000)) as server, ThreadPoolExecutor(clients) as pool:

        def send(_: int) -> bytes:
            with server.connect() as connection:
                # All of it before a look at what was said, as most clients do.
                connection.sendall(
                    framed + b"\x89PNG" + bytes(size - 4) + (b"\r\n0\r\n\r\n" if chunked else b"")
                )
                return raw_answer(connection)

        for answer in pool.map(send, range(clients)):
            assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
            assert b'"allowed"' in answer
