"""Refusals: raised wherever a request cannot go on, sent in one shape, and described for the OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RETRY_SECONDS = "5"


class Refusal(Exception):  # noqa: N818 (what the server answers, not a fault of its own)
    """Raised wherever a request cannot go on; `kind` is a short word for the metrics.

    A 503 says in `Retry-After` when to try again, unless `headers` do.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        seen: str,
        *,
        allowed: str = "",
        do: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(seen)
        self.status, self.kind = status, kind
        self.seen, self.allowed, self.do = seen, allowed, do
        self.headers = {"Retry-After": RETRY_SECONDS} if status == 503 else {}
        self.headers.update(headers or {})


class ErrorText(BaseModel):
    """What was seen, what is allowed, and what to do next; the last two may be empty."""

    seen: str = Field(examples=["The body is too large."])
    allowed: str = Field(examples=["At most 8 MiB."])
    do: str = Field(examples=["Send a smaller image."])


class ErrorReply(BaseModel):
    """Every error has this shape."""

    error: ErrorText


def error_of(refusal: Refusal) -> dict[str, str]:
    """What was seen, what is allowed, what to do."""
    return {"seen": refusal.seen, "allowed": refusal.allowed, "do": refusal.do}


def error_body(refusal: Refusal) -> bytes:
    """The JSON of an error."""
    return _json({"error": error_of(refusal)})


JSON = "application/json"


def json_reply(value: Any) -> Response:
    return Response(_json(value), media_type=JSON)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def not_a_number() -> Refusal:
    """For an answer that says nothing: JSON has no NaN, and a client would take it for a probability."""
    do = "Whoever runs the server must look at the model: dessin evaluate says what it is worth."
    return Refusal(500, "not_a_number", "The model's answer to this image is not a number.", do=do)


def refusal_reply(refusal: Refusal) -> Response:
    return Response(error_body(refusal), refusal.status, refusal.headers, JSON)


async def refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a refusal from outside the routes, and let it be counted."""
    note(Request(scope), refusal)
    await refusal_reply(refusal)(scope, receive, send)


def note(request: Request, refusal: Refusal) -> None:
    """Leave the kind of a refusal where `Watch` finds it."""
    request.scope["dessin.refused"] = refusal.kind


_DESCRIBED: dict[int, tuple[str, str]] = {
    400: ("The request itself is wrong.", "A request needs one Host header."),
    401: ("A token is asked for.", "The request has no valid token."),
    403: ("A web page of another origin asks.", "A web page of another origin asks."),
    408: ("The body arrives too slowly.", "The body did not arrive within 15 s (1,024 bytes did)."),
    413: ("Too many bytes, pixels or images.", "The body is too large."),
    415: ("The type is not allowed, or the bytes are of another.", 'The content type is "image/gif".'),
    421: ("Another Host is meant.", "This server does not answer to the Host that the request names."),
    422: ("It cannot be understood.", "The image cannot be read: truncated."),
    429: ("Too much is under way; Retry-After says when to try again.", "64 images are waiting."),
    500: ("The server failed.", "The model's answer to this image is not a number."),
    503: ("The server cannot answer now.", "The model is not ready."),
    504: ("It took too long.", "There was no answer within 30 s."),
}
_ALWAYS = (400, 401, 421, 422)
_RETRY = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}


def described_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an endpoint that may answer with these errors, beside those of every one."""
    described: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*_ALWAYS, *statuses}):
        description, seen = _DESCRIBED[status]
        content = {JSON: {"example": {"error": {"seen": seen, "allowed": "", "do": ""}}}}
        described[status] = {"description": description, "model": ErrorReply, "content": content}
        if status in (429, 503):
            described[status]["headers"] = _RETRY
    return described
