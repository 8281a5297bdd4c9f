"""A server on loopback that behaves as badly as it is told to, a clock that does not wait, and drawings."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from PIL import Image

from dessin.fetch.client import Client, Limits
from dessin.fetch.record import FetchRecord
from dessin.fetch.sources import Source
from dessin.fetch.verb import fetch_from


@dataclass
class FakeClock:
    """Sleeping moves it on at once; `slept` is every sleep, `tick_s` is added whenever it is looked at."""

    time_s: float = 0.0
    tick_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        self.time_s += self.tick_s
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time_s += seconds

    def time(self) -> float:
        return datetime(2026, 1, 1, tzinfo=UTC).timestamp() + self.time_s


Behave = Callable[["Request", bytes], None]


class Request(BaseHTTPRequestHandler):
    """One request; a behaviour answers it with the methods here."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = unquote(self.path)
        self.server.asked.append((path, dict(self.headers.items())))
        data = self.server.files.get(path)
        plan = self.server.plans.get(path, [])
        if plan:
            plan.pop(0)(self, data or b"")
        elif data is None:
            self.answer(404)
        else:
            serve(self, data)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = True

    def span(self, size: int) -> tuple[int, int] | None:
        """The asked range as [start, end), where the validator still fits."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not found or (condition is not None and condition != self.server.etag):
            return None
        return int(found[1]), min(int(found[2]) + 1, size) if found[2] else size

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Files by path; `plans[path]` are behaviours for the next requests, after which it serves properly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.files: dict[str, bytes] = {}
        self.plans: dict[str, list[Behave]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.etag = '"one"'

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that was killed, or had enough


@contextmanager
def running_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def serve(request: Request, data: bytes, cut: int | None = None) -> None:
    """As a good server does; with `cut` only that many bytes come before the connection ends."""
    span = request.span(len(data))
    etag = request.server.etag
    if span is None:
        request.answer(200, data[:cut], ETag=etag, Content_Length=str(len(data)))
    elif span[0] >= len(data):
        request.answer(416, ETag=etag, Content_Range=f"bytes */{len(data)}")
    else:
        start, end = span
        body = data[start:end]
        place = f"bytes {start}-{end - 1}/{len(data)}"
        request.answer(206, body[:cut], ETag=etag, Content_Range=place, Content_Length=str(len(body)))


def dropping(cut: int) -> Behave:
    return lambda request, data: serve(request, data, cut)


def ignoring_range(cut: int | None = None) -> Behave:
    def behave(request: Request, data: bytes) -> None:
        del request.headers["Range"]
        serve(request, data, cut)

    return behave


def failing(status: int, **headers: str) -> Behave:
    return lambda request, data: request.answer(status, **headers)


def redirecting(target: str) -> Behave:
    return failing(302, Location=target)


def new_client(clock: FakeClock | None = None, *, budget: int = 2**30, **limits: float) -> Client:
    return Client(budget=budget, clock=clock or FakeClock(), limits=Limits(**limits))  # type: ignore[arg-type]


def quickdraw_at(server: Server) -> Source:
    return Source("quickdraw", "Quick, Draw!", server.address + "/{name}.ndjson", "CC BY 4.0", 2**30)


def sketch_at(server: Server) -> Source:
    return Source("imagenet-sketch", "ImageNet-Sketch", server.address + "/sketch.zip", "research", 2**30)


def run_fetch(
    source: Source,
    out: Path,
    classes: tuple[str, ...],
    *,
    per_class: int = 5,
    seed: int = 0,
    client: Client | None = None,
) -> FetchRecord:
    return fetch_from(
        source, client or new_client(), out=out, classes=classes, per_class=per_class, seed=seed
    )


def drawing(word: str, number: int, *, recognised: bool = True) -> bytes:
    """One line of ndjson; the strokes differ with word and number."""
    rng = np.random.default_rng([number, *word.encode()])
    strokes = [rng.integers(0, 256, (2, int(n))).tolist() for n in rng.integers(1, 9, 4)]
    value = {"word": word, "key_id": str(10**15 + number), "recognized": recognised, "drawing": strokes}
    return json.dumps(value).encode() + b"\n"


def drawings(word: str, count: int) -> bytes:
    return b"".join(drawing(word, number) for number in range(count))


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def sketch_zip(classes: tuple[str, ...], count: int) -> bytes:
    """As the public archive: sketch/<wnid>/sketch_<n>.JPEG."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, label in enumerate(classes):
            for number in range(count):
                archive.writestr(f"sketch/{label}/sketch_{number}.JPEG", picture(1000 * i + number))
    return buffer.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    """Every image below a folder, by its path."""
    found = sorted(path for path in root.rglob("*") if path.suffix in (".png", ".JPEG", ".jpg"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
