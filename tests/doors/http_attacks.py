"""Requests as no client should send them: seeded changes of good ones, in their heads, codings and bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

LINE = b"\r\n"
PATHS = (b"/v1/predict", b"/v1/predict/batch", b"/v1/explain", b"/v1/model", b"/healthz", b"/metrics")
TARGETS = (
    b"/", b"*", b"", b"//", b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/v1/predict/", b"/%00",
    b"/v1/predict?top=" + b"9" * 5000, b"/v1/predict?top=1e9", b"/v1/predict?top=-1", b"/v1/predict?top",
    b"/v1/predict?" + b"&" * 3000, b"/v1/predict?top=3&top=4", b"/v1/explain?label=" + b"%F0%9F%90%B1" * 100,
    b"http://elsewhere.example/v1/predict", b"http://", b"/v1/predict#x", b"/" + b"a/" * 4000, b"/\xff\xfe",
    b"/v1/predict?%74op=3", b"elsewhere.example:80", b"/v1/explain?label=%00",
)  # fmt: skip
METHODS = (
    b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"get", b"PROP",
    b"", b"G" * 200, b"PRI", b"P\x00ST",
)  # fmt: skip
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/9.9",
    b"HTTP/1.1.1",
    b"http/1.1",
    b"",
    b"ICE/1.0",
)
NAMES = (
    b"Content-Length", b"Transfer-Encoding", b"Host", b"Content-Type", b"Connection", b"Expect", b"Upgrade",
    b"Origin", b"Authorization", b"Sec-Fetch-Site", b"Accept-Encoding", b"Range", b"Trailer", b"TE",
    b"X-Forwarded-For", b"X-Forwarded-Host", b"Content-Encoding", b"X-HTTP-Method-Override", b"",
)  # fmt: skip
VALUES = (
    b"", b"0", b"1", b"-1", b"+5", b"5, 5", b"0x10", b"1e3", b"9" * 19, b"9" * 40, b"chunked",
    b"gzip, chunked", b"chunked, chunked", b"identity", b"xchunked", b"\x0bchunked", b"localhost",
    b"localhost:99999", b"[::1]", b"[::1", b"elsewhere.example", b"localhost@elsewhere.example",
    b"127.0.0.1.nip.example", b"null", b"image/png", b"image/svg+xml", b"multipart/form-data",
    b"multipart/form-data; boundary=" + b"x" * 300, b"close", b"keep-alive, upgrade", b"100-continue",
    b"h2c", b"websocket", b"a" * 20_000, b"\xff\xfe", b"a\x00b", b"a\r\n b", b"a\nX: y", b"cross-site",
    b"bytes=0-1", b"Bearer x",
)  # fmt: skip
CHUNKS = (
    b"-1", b"+3", b"0x3", b"zz", b"", b" 3", b"3 ", b"f" * 17, b"ffffffff", b"3;a=b", b"3;" + b"x" * 30_000,
    b"03", b"3\t", b"0\r\nX: y", b"3\n",
)  # fmt: skip


@dataclass
class Request:
    """A request before it becomes bytes."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    version: bytes = b"HTTP/1.1"
    end: bytes = LINE

    def bytes(self) -> bytes:
        lines = [b" ".join((self.method, self.target, self.version))]
        lines += [name + b": " + value for name, value in self.headers]
        return self.end.join(lines) + self.end * 2 + self.body


@dataclass(frozen=True)
class Attack:
    """The bytes to send, how many at a time, and what was done to a good request."""

    data: bytes
    cut: int
    steps: tuple[str, ...]


def attack(random: Random, image: bytes) -> Attack:
    """One to three changes of a good request that carries an image."""
    request, steps = _good(random, image), []
    for _ in range(random.randint(1, 3)):
        change = random.choice(CHANGES)
        change(random, request)
        steps.append(change.__name__.strip("_"))
    data = request.bytes()
    if random.random() < 0.15:
        data = _garbled(random, data)
        steps.append("garbled")
    if random.random() < 0.15:
        data += random.choice(
            (data, b"\x00" * 50, b"GET / HTTP/1.1\r\n\r\n", LINE * 20, random.randbytes(300))
        )
        steps.append("followed")
    return Attack(data, random.choice((1 << 20, 1 << 20, 4096, 100)), tuple(steps))


def _good(random: Random, image: bytes) -> Request:
    path = random.choice(PATHS)
    if not path.startswith((b"/v1/predict", b"/v1/explain")):
        return Request(b"GET", path, [(b"Host", b"localhost")], b"")
    headers, body = [(b"Host", b"localhost")], image
    if path.endswith(b"batch"):
        part = b'--edge\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n' + image
        body = (part + LINE) * random.randint(1, 3) + b"--edge--\r\n"
        headers.append((b"Content-Type", b"multipart/form-data; boundary=edge"))
    if random.random() < 0.5:
        return Request(b"POST", path, [*headers, (b"Content-Length", b"%d" % len(body))], body)
    pieces = [body[start : start + 700] for start in range(0, len(body), 700)]
    chunked = b"".join(b"%x\r\n" % len(piece) + piece + LINE for piece in pieces) + b"0\r\n\r\n"
    return Request(b"POST", path, [*headers, (b"Transfer-Encoding", b"chunked")], chunked)


def _method(random: Random, request: Request) -> None:
    request.method = random.choice(METHODS)


def _target(random: Random, request: Request) -> None:
    request.target = random.choice(TARGETS)


def _version(random: Random, request: Request) -> None:
    request.version = random.choice(VERSIONS)


def _line_end(random: Random, request: Request) -> None:
    request.end = random.choice((b"\n", b"\r", b"\r\r\n", b"\r\n "))


def _another_header(random: Random, request: Request) -> None:
    place = random.randint(0, len(request.headers))
    request.headers.insert(place, (random.choice(NAMES), random.choice(VALUES)))


def _changed_header(random: Random, request: Request) -> None:
    if request.headers:
        place = random.randrange(len(request.headers))
        request.headers[place] = (request.headers[place][0], random.choice(VALUES))


def _header_twice(random: Random, request: Request) -> None:
    if request.headers:
        request.headers.append(random.choice(request.headers))


def _no_header(random: Random, request: Request) -> None:
    if request.headers:
        request.headers.pop(random.randrange(len(request.headers)))


def _many_headers(random: Random, request: Request) -> None:
    request.headers += [(b"X-%d" % n, b"v" * random.randint(0, 30)) for n in range(random.randint(50, 2000))]


def _odd_name(random: Random, request: Request) -> None:
    request.headers.append((random.choice((b"X A", b"X\x00", b"X:", b" X", b"X\t", b"\xc3\xa9", b"(")), b"v"))


def _chunk(random: Random, request: Request) -> None:
    if any(value == b"chunked" for _, value in request.headers):
        lines = request.body.split(LINE)
        lines[random.choice((0, min(2, len(lines) - 1)))] = random.choice(CHUNKS)
        request.body = LINE.join(lines)


def _shorter(random: Random, request: Request) -> None:
    request.body = request.body[: random.randint(0, len(request.body))]


def _longer(random: Random, request: Request) -> None:
    request.body += random.randbytes(random.choice((1, 100, 300_000)))


def _large(random: Random, request: Request) -> None:
    """Well-formed, and more than is taken."""
    if any(name == b"Content-Length" for name, _ in request.headers):
        request.body += bytes(random.choice((250_000, 2_000_000)))
        count = b"%d" % len(request.body)
        request.headers = [
            (name, count if name == b"Content-Length" else value) for name, value in request.headers
        ]


def _other_bytes(random: Random, request: Request) -> None:
    request.body = random.choice(
        (b"", b"{}", b"GIF89a", b"\x00" * 500, random.randbytes(400), b"--edge--\r\n")
    )


CHANGES: tuple[Callable[[Random, Request], None], ...] = (
    _method, _target, _version, _line_end, _another_header, _another_header, _changed_header, _header_twice,
    _no_header, _many_headers, _odd_name, _chunk, _chunk, _shorter, _longer, _large, _other_bytes,
)  # fmt: skip


def _garbled(random: Random, data: bytes) -> bytes:
    """Some bytes of the head or of all of it are others, gone, or there twice."""
    found = bytearray(data)
    for _ in range(random.randint(1, 6)):
        most = len(found) if random.random() < 0.4 else min(len(found), 200)
        if not most:
            break
        at, count = random.randrange(most), random.randint(1, 8)
        match random.randrange(3):
            case 0:
                found[at : at + count] = random.randbytes(count)
            case 1:
                del found[at : at + count]
            case _:
                found[at:at] = found[at : at + count] * 3
    return bytes(found)
