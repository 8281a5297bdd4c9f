"""The routes: what each takes, and which of its answers come from where."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Security
from fastapi.responses import Response
from fastapi.security import HTTPBearer

from dessin.serving.api.refusal import Refusal, json_reply
from dessin.serving.api.schemas import (
    BatchReply,
    HealthReply,
    ModelReply,
    PredictReply,
    ReadyReply,
    batch_body,
    errors,
    image_body,
    image_errors,
)
from dessin.serving.api.service import Service, model_card
from dessin.serving.api.uploads import check_stated, media_type, read_body, split_parts
from dessin.serving.api.watch import CONTENT_TYPE

Top = Annotated[int, Query(ge=1, le=20, description="How many classes to name.")]
_PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}


def all_routes(service: Service, *, asks_token: bool) -> tuple[APIRouter, ...]:
    """Routers of the whole API; with `asks_token` the OpenAPI says so (`TokenCheck` does the asking)."""
    guard = [Security(HTTPBearer(auto_error=False, scheme_name="token"))] if asks_token else []
    guarded = APIRouter(dependencies=guard)
    _add_predict(guarded, service)
    if service.can_explain:
        _add_explain(guarded, service)
    _add_model(guarded, service)
    _add_metrics(guarded, service)
    return _health(service), guarded


def _add_predict(router: APIRouter, service: Service) -> None:
    limits = service.limits

    @router.post(
        "/v1/predict",
        summary="The class of one image",
        response_model=PredictReply,
        responses=image_errors(),
        openapi_extra=image_body(),
    )
    async def predict(request: Request, top: Top = 5) -> Response:
        stated, data = await _image(request, service)
        return json_reply(await service.predict(stated, data, top))

    @router.post(
        "/v1/predict/batch",
        summary="The classes of several images, each answered or refused on its own",
        response_model=BatchReply,
        responses=image_errors(),
        openapi_extra=batch_body(service.batch_images),
    )
    async def predict_batch(request: Request, top: Top = 5) -> Response:
        body = await read_body(request, limits.batch_bytes, limits, service.admission)
        parts = split_parts(request.headers.get("content-type", ""), body, service.batch_images)
        return json_reply(await service.predict_batch(parts, top))


def _add_explain(router: APIRouter, service: Service) -> None:
    explained: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "The image as the model sees it, with what speaks for the class laid over it. "
            "Dessin-Label is the class (percent-encoded UTF-8), Dessin-Method how the map was made.",
            "content": _PNG,
            "headers": {
                name: {"schema": {"type": "string"}, "required": True}
                for name in ("Dessin-Label", "Dessin-Method")
            },
        },
        **image_errors(),
    }

    @router.post(
        "/v1/explain",
        summary="Where the model looks, as a PNG",
        response_class=Response,
        responses=explained,
        openapi_extra=image_body(),
    )
    async def explain(
        request: Request,
        label: Annotated[
            str | None, Query(max_length=200, description="A class (default: the likeliest).")
        ] = None,
    ) -> Response:
        stated, data = await _image(request, service)
        shown, method, png = await service.explain(stated, data, label)
        headers = {"Dessin-Label": quote(shown, safe=" "), "Dessin-Method": method}
        return Response(png, media_type="image/png", headers=headers)


def _add_model(router: APIRouter, service: Service) -> None:
    card = model_card(service.runtime)

    @router.get("/v1/model", summary="The card of the model", responses=errors())
    async def model() -> ModelReply:
        return card


def _add_metrics(router: APIRouter, service: Service) -> None:
    @router.get(
        "/metrics",
        summary="Counters and times for Prometheus",
        response_class=Response,
        responses={200: {"content": _TEXT}, **errors()},
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _health(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", summary="Whether the process lives", responses=errors())
    async def healthz() -> HealthReply:
        return HealthReply()

    @router.get("/readyz", summary="Whether it can answer", responses=errors(503))
    async def readyz() -> ReadyReply:
        if not service.ready:
            raise Refusal(503, "not_ready", "The model is not ready.", do="Try again in some seconds.")
        return ReadyReply()

    return router


async def _image(request: Request, service: Service) -> tuple[str, bytes]:
    """The stated media type and the bytes of a body that should be one image."""
    stated = media_type(request)
    check_stated(stated)
    return stated, await read_body(request, service.limits.body_bytes, service.limits, service.admission)
