"""For whoever watches over the server: whether it lives, whether it can answer, and its counters."""

from __future__ import annotations

from typing import Literal

from fastapi.responses import Response
from pydantic import BaseModel

from dessin.serving.api.endpoints.endpoint import Endpoint, TheService
from dessin.serving.api.refusal import Refusal
from dessin.serving.api.watch import CONTENT_TYPE


class HealthReply(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyReply(BaseModel):
    """The model is loaded, and images can be decoded."""

    status: Literal["ready"] = "ready"


async def healthz() -> HealthReply:
    return HealthReply()


async def readyz(service: TheService) -> ReadyReply:
    if not service.ready:
        raise Refusal(503, "not_ready", "The model is not ready.", do="Try again in some seconds.")
    return ReadyReply()


async def metrics(service: TheService) -> Response:
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


HEALTH = Endpoint(
    "GET", "/healthz", "Whether the process lives", healthz, reply=HealthReply, needs_token=False
)
READY = Endpoint(
    "GET",
    "/readyz",
    "Whether it can answer",
    readyz,
    reply=ReadyReply,
    errors=(503,),
    needs_token=False,
)
METRICS = Endpoint(
    "GET",
    "/metrics",
    "Counters and times for Prometheus",
    metrics,
    success={"content": {"text/plain": {"schema": {"type": "string"}}}},
)
