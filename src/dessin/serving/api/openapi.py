"""The parts of the OpenAPI that FastAPI cannot see: bodies of bytes, and the errors of each route."""

from __future__ import annotations

from typing import Any

from dessin.serving.api.multipart import FIELD
from dessin.serving.api.schemas import ErrorReply
from dessin.serving.api.uploads import ANY_TYPE, TYPES

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
