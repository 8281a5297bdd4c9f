"""A real server on a loopback port, in a thread, with limits that a test can reach."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image

from dessin.progress import quiet
from dessin.serving.api.app import build_app
from dessin.serving.api.limits import Limits
from dessin.serving.api.security import known_hosts
from dessin.serving.api.service import Service
from dessin.serving.api.verb import listen, server_config
from dessin.serving.runtime import Runtime

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Serving:
    """A server that runs: its port, the service behind it, and a client with a connection of its own."""

    port: int
    service: Service
    client: httpx.Client

    def predict(self, data: bytes, kind: str = "", **parameters: Any) -> httpx.Response:
        headers = {"content-type": kind} if kind else {}
        return self.client.post("/v1/predict", content=data, headers=headers, params=parameters)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)


@contextmanager
def serving(
    bundle: Path,
    *,
    limits: Limits | None = None,
    token: str | None = None,
    cors: Sequence[str] = (),
    workers: int = 1,
) -> Iterator[Serving]:
    limits = limits or Limits()
    with listen("127.0.0.1", 0) as listening, quiet():
        service = Service(Runtime.load(bundle), limits=limits, threads=1, workers=workers)
        app = build_app(service, hosts=known_hosts("127.0.0.1", ()), token=token, cors=cors)
        server = uvicorn.Server(server_config(app, limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        port = listening.getsockname()[1]
        try:
            # The kernel takes connections before the server does, so this waits until it is ready.
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as client:
                assert client.get("/readyz").status_code == 200
                yield Serving(port, service, client)
        finally:
            server.should_exit = True
            thread.join()


def png(width: int, height: int, mode: str = "L") -> bytes:
    """White paper with one black line."""
    image = np.full((height, width), 255, dtype=np.uint8)
    image[height // 2] = 0
    buffer = io.BytesIO()
    Image.fromarray(image).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def raw_answer(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
