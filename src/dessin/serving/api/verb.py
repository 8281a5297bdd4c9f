"""The verb `serve`: an HTTP API for a model, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dessin.errors import DessinError, install_command
from dessin.language import tr
from dessin.ops import as_texts
from dessin.progress import say, warn
from dessin.serving.api.limits import Limits

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_NEEDED = ("fastapi", "fastapi_offline", "uvicorn", "httptools", "prometheus_client", "python_multipart")
_KEEP_ALIVE_SECONDS = 30


def serve(
    model: Annotated[str | Path, "a path or hub:OWNER/NAME"],
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, "from 0 to 65535"] = 8000,
    token_file: str | Path | None = None,
    allow_host: Sequence[str] = (),
    cors: Sequence[str] = (),
    threads: Annotated[int | None, "from 1"] = None,
    queue: Annotated[int, "from 1"] = 64,
) -> None:
    """Answer HTTP requests with a model: post an image, get its class.

    It runs until Ctrl-C or SIGTERM; what is under way is answered first.

    Args:
        model: A run, a bundle, a committee or an exported model.
        host: Where to listen; 0.0.0.0 lets other machines in.
        port: Where to listen; 0 takes any free one.
        token_file: Its first line is what clients must send as a bearer token.
        allow_host: A further Host name to answer to, beside those of this machine and the host.
        cors: The origin of a web page that may ask.
        threads: Threads of the computation; by default this machine's cores.
        queue: How many images may wait; more are told to try again.

    Raises:
        DessinError: a package is missing, no model, no token in the file, or an address that cannot be used.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        raise DessinError("The API needs FastAPI and uvicorn.", do=f"Install with {install_command('serve')}")
    from dessin.serving.api.app import build_app
    from dessin.serving.api.security import known_hosts, read_token
    from dessin.serving.api.service import Service
    from dessin.serving.runtime import Runtime

    token = None if token_file is None else read_token(Path(token_file))
    with listen(host, port) as listening:
        threads = threads or os.cpu_count() or 1
        limits = Limits(queue=queue)
        service = Service(Runtime.load(model, threads=threads), limits=limits, threads=threads)
        app = build_app(
            service, hosts=known_hosts(host, as_texts(allow_host)), token=token, cors=as_texts(cors)
        )
        _say(service.model.name, host, listening.getsockname()[1], token)
        run(app, listening, limits)
    say(tr("stopped; everything that was under way is answered"))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; a `DessinError` where the port is in use, or there is no such address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise DessinError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}.",
            do="Choose another --port (0: any free one) or --host.",
        ) from None


def run(app: FastAPI, listening: socket.socket, limits: Limits) -> None:
    """Serve an application on a socket until SIGINT or SIGTERM."""
    import uvicorn

    server = uvicorn.Server(server_config(app, limits))
    # uvicorn raises the signal again when all is done, which would end this process as if it had failed.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not server.started:
        raise DessinError("The server could not start its decoding processes.", do="See the lines above.")


def server_config(app: FastAPI, limits: Limits) -> uvicorn.Config:
    """uvicorn on asyncio and httptools, without its log of requests, its name and trust in proxies."""
    import uvicorn

    from dessin.serving.api.protocol import bounded

    return uvicorn.Config(
        app,
        loop="asyncio",
        http=bounded(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(limits.shutdown_seconds),
    )


def _say(model: str, host: str, port: int, token: str | None) -> None:
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    say(
        tr(
            "{model} at {address} (Ctrl-C ends it); POST an image to /v1/predict",
            model=model,
            address=address,
        )
    )
    if token is None and host not in ("127.0.0.1", "localhost", "::1"):
        place = f"{shown}:{port}"
        warn(tr("Whoever reaches {place} can ask; --token-file makes them show a token.", place=place))
