"""What the server says of itself: whether it lives and can answer, its counters, its model's card."""

from __future__ import annotations

import re
from typing import Literal

from fastapi.responses import Response
from pydantic import BaseModel, Field

from dessin.images.spec import ImageSpec
from dessin.serving.api.endpoints.endpoint import Endpoint, TheService
from dessin.serving.api.refusal import RETRY_SECONDS, Refusal
from dessin.serving.api.service import EXAMPLE, ModelId
from dessin.serving.api.watch import CONTENT_TYPE

_PATH = re.compile(r"[/\\]")


class HealthReply(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyReply(BaseModel):
    """The model is loaded, and images can be decoded."""

    status: Literal["ready"] = "ready"


class ClassReply(BaseModel):
    """A class with its name for people."""

    label: str = Field(examples=["cat"])
    name: str = Field(examples=["tabby cat"])


class RejectionReply(BaseModel):
    """An image whose score is below the threshold is taken for a drawing of no class."""

    score: str = Field(examples=["energy"])
    threshold: float = Field(examples=[4.2])


class ModelReply(BaseModel):
    """The card of the model.

    `images` says how a drawing is brought to what the models see; `weights` are the digests of their files.
    """

    model: ModelId
    classes: list[ClassReply]
    images: list[ImageSpec]
    temperature: float = Field(examples=[1.31])
    threshold: float = Field(examples=[0.62])
    rejection: RejectionReply | None
    views: list[str] = Field(examples=[["identity"]])
    weights: list[str] = Field(examples=[[EXAMPLE]])
    digests: dict[str, str] = Field(examples=[{"weights": EXAMPLE}])
    provenance: dict[str, str] = Field(examples=[{"made_by": "train", "fold": "0"}])
    licence: str = Field(examples=["Apache-2.0"])


async def healthz() -> HealthReply:
    return HealthReply()


async def readyz(service: TheService) -> ReadyReply:
    if not service.ready:
        raise Refusal(503, "not_ready", "The model is not ready.", do=f"Try again in {RETRY_SECONDS} s.")
    return ReadyReply()


async def metrics(service: TheService) -> Response:
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


async def model(service: TheService) -> ModelReply:
    runtime, committee = service.runtime, service.runtime.committee
    rejection, bundles = committee.rejection, list(runtime.loaded.bundles.values())
    return ModelReply(
        model=service.model,
        classes=[ClassReply(label=each, name=committee.names.get(each, each)) for each in committee.classes],
        images=[spec for spec, _ in runtime.fittings],
        # A bundle alone is tempered by its own card.
        temperature=committee.temperature * (bundles[0].card.temperature if len(bundles) == 1 else 1.0),
        threshold=committee.threshold,
        rejection=rejection and RejectionReply(score=rejection.score, threshold=rejection.threshold),
        views=list(runtime.views),
        weights=[committee.weights[name] for name in committee.bundles],
        digests=committee.digests,
        # Where a model was made is nobody's business.
        provenance={key: value for key, value in committee.provenance.items() if not _PATH.search(value)},
        licence=committee.licence,
    )


HEALTH = Endpoint(
    "GET", "/healthz", "Whether the process lives", healthz, reply=HealthReply, needs_token=False
)
READY = Endpoint(
    "GET", "/readyz", "Whether it can answer", readyz, reply=ReadyReply, errors=(503,), needs_token=False
)
METRICS = Endpoint(
    "GET",
    "/metrics",
    "Counters and times for Prometheus",
    metrics,
    success={"content": {"text/plain": {"schema": {"type": "string"}}}},
)
MODEL = Endpoint("GET", "/v1/model", "The card of the model", model, reply=ModelReply)
