"""What the API answers, as the OpenAPI describes it, and what FastAPI cannot see of that."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from dessin.images.spec import ImageSpec
from dessin.models.default_backbones import RECIPE
from dessin.serving.answer import Silence
from dessin.serving.api.uploads import ANY_TYPE, FIELD, TYPES


class ErrorText(BaseModel):
    """What was seen, what is allowed, and what to do next; the last two may be empty."""

    seen: str = Field(examples=["The body is too large."])
    allowed: str = Field(examples=["At most 8 MiB."])
    do: str = Field(examples=["Send a smaller image."])


class ErrorReply(BaseModel):
    """Every error has this shape."""

    error: ErrorText


class ModelId(BaseModel):
    """Which model answered; the digest changes with its weights."""

    name: str = Field(examples=[RECIPE])
    digest: str = Field(examples=["3d47119f4d10afcdc89bb061e6b55066a984d03b067bfe000c9d32e344f022c7"])


class CandidateReply(BaseModel):
    """A class with its name for people and its calibrated probability."""

    label: str = Field(examples=["cat"])
    name: str = Field(examples=["tabby cat"])
    probability: float = Field(ge=0.0, le=1.0, examples=[0.93])


class Looked(BaseModel):
    """The likeliest classes of one image, the likeliest first.

    `answered` is false where the model says none: it is `unsure`, or takes the image for a drawing of
    `no_class`; `reason` says why, and the candidates are what it might be.
    """

    answered: bool = Field(examples=[True])
    silence: Silence = Field(examples=[""])
    reason: str = Field(examples=[""])
    candidates: list[CandidateReply]


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


class ClassReply(BaseModel):
    """A class with its name for people."""

    label: str = Field(examples=["cat"])
    name: str = Field(examples=["tabby cat"])


class RejectionReply(BaseModel):
    """An image whose score is below the threshold is taken for a drawing of no class."""

    score: str
    threshold: float


class ModelReply(BaseModel):
    """The card of the model.

    `images` says how a drawing is brought to what the models see; `weights` are the digests of their files.
    """

    model: ModelId
    classes: list[ClassReply]
    images: list[ImageSpec]
    temperature: float
    threshold: float
    rejection: RejectionReply | None
    views: list[str]
    weights: list[str]
    digests: dict[str, str]
    provenance: dict[str, str]
    licence: str


class HealthReply(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyReply(BaseModel):
    """The model is loaded, and images can be decoded."""

    status: Literal["ready"] = "ready"


_ERRORS: dict[int, tuple[str, str]] = {
    400: ("The request itself is wrong.", "A request needs one Host header."),
    401: ("A token is asked for.", "The request has no valid token."),
    408: ("The body arrives too slowly.", "The body did not arrive within 15 s (1,024 bytes did)."),
    413: ("Too many bytes, pixels or images.", "The body is too large."),
    415: ("The type is not allowed, or the bytes are of another.", 'The content type is "image/gif".'),
    421: ("Another Host is meant.", "This server does not answer to the Host that the request names."),
    422: ("It cannot be understood.", "The image cannot be read: truncated."),
    429: ("Too much is under way; Retry-After says when to try again.", "64 images are waiting."),
    503: ("The server cannot answer now.", "The model is not ready."),
    504: ("It took too long.", "There was no answer within 30 s."),
}
_ALWAYS = (400, 401, 421)
_IMAGE = {"type": "string", "format": "binary"}
_RETRY = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors, beside those of every route."""
    return {status: _error(status) for status in sorted({*_ALWAYS, *statuses})}


def image_errors() -> dict[int | str, dict[str, Any]]:
    return errors(408, 413, 415, 422, 429, 503, 504)


def image_body() -> dict[str, Any]:
    """The `openapi_extra` of a route that takes the bytes of one image."""
    content = {kind: {"schema": _IMAGE} for kind in (*TYPES, ANY_TYPE)}
    description = "The bytes of one PNG, JPEG or WebP image."
    return {"requestBody": {"required": True, "description": description, "content": content}}


def batch_body(most: int) -> dict[str, Any]:
    """The `openapi_extra` of a route that takes up to `most` images as files of a form."""
    images = {"type": "array", "items": _IMAGE, "minItems": 1, "maxItems": most}
    schema = {
        "type": "object",
        "properties": {FIELD: images},
        "required": [FIELD],
        "additionalProperties": False,
    }
    return {
        "requestBody": {
            "required": True,
            "description": f"Up to {most} images, each a file of the field {FIELD}.",
            "content": {"multipart/form-data": {"schema": schema}},
        }
    }


def _error(status: int) -> dict[str, Any]:
    description, seen = _ERRORS[status]
    example = {"error": {"seen": seen, "allowed": "", "do": ""}}
    described: dict[str, Any] = {
        "description": description,
        "model": ErrorReply,
        "content": {"application/json": {"example": example}},
    }
    if status == 429:
        described["headers"] = _RETRY
    return described
