"""The application: the endpoints, what stands around them, and one shape for every error."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dessin.progress import warn
from dessin.serving.api.endpoints.about import HEALTH, METRICS, MODEL, READY
from dessin.serving.api.endpoints.pages import OPEN, add_pages
from dessin.serving.api.endpoints.predict import EXPLAIN, PREDICT, PREDICT_BATCH
from dessin.serving.api.refusal import Refusal, note, refusal_reply
from dessin.serving.api.security import HostCheck, OriginCheck, TokenCheck
from dessin.serving.api.service import Service
from dessin.serving.api.watch import Leftovers, Watch

ENDPOINTS = (HEALTH, READY, PREDICT, PREDICT_BATCH, EXPLAIN, MODEL, METRICS)
_ABOUT = (
    "Images of drawings in, classes out. Every error is a JSON that says what was seen, what is allowed "
    "and what to do. Nothing that is sent is kept."
)


def build_app(
    service: Service, *, hosts: frozenset[str], token: str | None = None, cors: Sequence[str] = ()
) -> FastAPI:
    """The API of a service, which runs as long as the application does.

    `hosts` are the names that are answered to, `cors` the origins of web pages that may ask.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="dessin",
        description=_ABOUT,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere; `pages` has one that does not
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    offered = tuple(endpoint for endpoint in ENDPOINTS if endpoint.offered(service))
    for endpoint in offered:
        endpoint.add_to(app.router, service, asks_token=token is not None)
    add_pages(app.router, offered)
    _add_errors(app)
    if token is not None:
        open_paths = [*OPEN, *(endpoint.path for endpoint in ENDPOINTS if not endpoint.needs_token)]
        app.add_middleware(TokenCheck, token=token, open_paths=open_paths)
    if cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Dessin-Label", "Dessin-Method", "Retry-After"],
        )
    app.add_middleware(OriginCheck, allowed=cors)
    app.add_middleware(HostCheck, hosts=hosts)
    app.add_middleware(Leftovers, limits=service.limits)
    # The outermost, so that whatever is answered is counted.
    app.add_middleware(Watch, metrics=service.metrics, routes=list(app.openapi()["paths"]))
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        note(request, error)
        return refusal_reply(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        return await refused(request, Refusal(422, "parameter", f"{where}: {first['msg']}."))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Response:
        return await refused(request, _routing(request, error))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _: ClientDisconnect) -> Response:
        return await refused(request, Refusal(400, "disconnect", "The client went away."))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        warn("".join(traceback.format_exception(error)))
        return refusal_reply(Refusal(500, "error", "The server failed.", do="Its log says why."))


def _routing(request: Request, error: HTTPException) -> Refusal:
    """What the router itself refuses: an unknown path, or a method that a path does not have."""
    if error.status_code == 404:
        return Refusal(404, "path", "There is no such path.", do="GET /openapi.json lists all of them.")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        seen = f"The path does not take {request.method[:20]}."
        return Refusal(405, "method", seen, allowed=f"It takes {allowed}.", headers=error.headers)
    return Refusal(error.status_code, "http", f"{error.detail}.", headers=error.headers)
