"""What is asked of images: the classes of one or of several at once, and where the model looks."""

from __future__ import annotations

import asyncio
import io
from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
from fastapi import Query, Request
from fastapi.responses import Response
from PIL import Image
from pydantic import BaseModel, Field

from dessin.errors import DessinError
from dessin.images.fit import Prepared
from dessin.serving.api.endpoints.endpoint import BINARY, IMAGE_ERRORS, Endpoint, TheService, image_body
from dessin.serving.api.refusal import ErrorText, Refusal, error_of, json_reply, not_a_number
from dessin.serving.api.service import ModelId, Service
from dessin.serving.api.uploads import FIELD, Upload, check_format, check_stated, read_batch, read_image
from dessin.serving.maps import ImageMap
from dessin.serving.runtime import Abstention, read_answers

Top = Annotated[int, Query(ge=1, le=20, description="How many classes to name.")]
Label = Annotated[str | None, Query(max_length=200, description="A class (default: the likeliest).")]


class CandidateReply(BaseModel):
    """A class with its name for people and its calibrated probability."""

    label: str = Field(examples=["cat"])
    name: str = Field(examples=["tabby cat"])
    probability: float = Field(ge=0.0, le=1.0, examples=[0.93])


class Looked(BaseModel):
    """The likeliest classes of one image, the likeliest first.

    `answered` is false where the model says none: it is `unsure`, or takes the image for a drawing of
    `no_class`; `reason` says why, and the candidates are what it might be. `page` is there for a model that
    looks for the sheet of paper in a photograph: where it was not found, the whole image was looked at.
    """

    answered: bool = Field(examples=[True])
    silence: Abstention = Field(examples=[""])
    reason: str = Field(examples=[""])
    candidates: list[CandidateReply]
    page: Literal["found", "not found"] | None = Field(None, examples=["found"])


class PredictReply(Looked):
    """The answer to one image."""

    model: ModelId


class BatchEntry(BaseModel):
    """One image of a batch, by its place: an answer, or the error that it would have got alone."""

    index: int = Field(ge=0, examples=[0])
    status: int = Field(examples=[200])
    answer: Looked | None
    error: ErrorText | None


class BatchReply(BaseModel):
    """The images of a batch in the order in which they were sent."""

    model: ModelId
    images: list[BatchEntry]


async def predict(request: Request, service: TheService, top: Top = 5) -> Response:
    image = await read_image(request, service.admission)
    async with service.under_way(1):
        return json_reply({"model": service.model.model_dump(), **await _look(service, image, top)})


async def predict_batch(request: Request, service: TheService, top: Top = 5) -> Response:
    parts = await read_batch(request, service.batch_images, service.admission)
    async with service.under_way(len(parts)):
        entries = await asyncio.gather(*(_entry(service, i, part, top) for i, part in enumerate(parts)))
    return json_reply({"model": service.model.model_dump(), "images": entries})


async def explain(request: Request, service: TheService, label: Label = None) -> Response:
    image = await read_image(request, service.admission)
    async with service.under_way(1):
        prepared = await service.pool.decode(image)
        made: ImageMap = await service.batcher.call(lambda: _mapped(service, prepared, label))
    buffer = io.BytesIO()
    Image.fromarray(made.overlay).save(buffer, "PNG")
    headers = {"Dessin-Label": quote(made.label, safe=" "), "Dessin-Method": made.method}
    return Response(buffer.getvalue(), media_type="image/png", headers=headers)


def _mapped(service: Service, prepared: Prepared, label: str | None) -> ImageMap:
    assert service.maps is not None
    try:
        made = service.maps.make_prepared(prepared, label)
    except DessinError as error:
        raise Refusal(422, "label", error.seen, do="GET /v1/model lists the classes.") from None
    if not np.isfinite(made.values).all():
        raise not_a_number()
    return made


async def _look(service: Service, data: bytes, top: int) -> dict[str, Any]:
    prepared = await service.pool.decode(data)
    answered = await service.batcher.answer(prepared)
    if not np.isfinite(answered.probabilities).all():
        raise not_a_number()
    answer = read_answers(service.runtime.committee, answered, top)[0]
    return {
        "answered": not answer.abstention,
        "silence": answer.abstention,
        "reason": answer.reason,
        "candidates": [asdict(candidate) for candidate in answer.candidates],
        **({} if prepared.page is None else {"page": "found" if prepared.page else "not found"}),
    }


async def _entry(service: Service, index: int, part: Upload, top: int) -> dict[str, Any]:
    """One image's answer, or its refusal, which does not harm the others."""
    try:
        data = part.data
        if len(data) > service.limits.body_bytes:
            allowed = f"At most {service.limits.body_bytes / 2**20:g} MiB."
            raise Refusal(413, "bytes", "The image is too large.", allowed=allowed)
        check_stated(part.stated)
        check_format(part.stated, data)
        return {"index": index, "status": 200, "answer": await _look(service, data, top), "error": None}
    except Refusal as refusal:
        service.metrics.rejected.labels(refusal.kind).inc()
        return {"index": index, "status": refusal.status, "answer": None, "error": error_of(refusal)}


def _batch_body(service: Service) -> dict[str, Any]:
    most = service.batch_images
    images = {"type": "array", "items": BINARY, "minItems": 1, "maxItems": most}
    properties = {"type": "object", "properties": {FIELD: images}}
    schema = {**properties, "required": [FIELD], "additionalProperties": False}
    return {
        "required": True,
        "description": f"Up to {most} images, each a file of the field {FIELD}.",
        "content": {"multipart/form-data": {"schema": schema}},
    }


PREDICT = Endpoint(
    "POST",
    "/v1/predict",
    "The class of one image",
    predict,
    reply=PredictReply,
    errors=IMAGE_ERRORS,
    body=image_body,
)
PREDICT_BATCH = Endpoint(
    "POST",
    "/v1/predict/batch",
    "The classes of several images, each answered or refused on its own",
    predict_batch,
    reply=BatchReply,
    errors=IMAGE_ERRORS,
    body=_batch_body,
)
EXPLAIN = Endpoint(
    "POST",
    "/v1/explain",
    "Where the model looks, as a PNG",
    explain,
    success={
        "description": "The image as the model sees it, with what speaks for the class laid over it. "
        "Dessin-Label is the class (percent-encoded UTF-8), Dessin-Method how the map was made.",
        "content": {"image/png": {"schema": BINARY}},
        "headers": {
            name: {"schema": {"type": "string"}, "required": True}
            for name in ("Dessin-Label", "Dessin-Method")
        },
    },
    errors=IMAGE_ERRORS,
    body=image_body,
    offered=lambda service: service.maps is not None,
)
