"""Answers as bytes: JSON in its short form, and refusals, all in one shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Refusal(Exception):  # noqa: N818 (what the server answers, not a fault of its own)
    """Raised wherever a request cannot go on; `kind` is a short word for the metrics."""

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
        self.headers = dict(headers or {})


def error_of(refusal: Refusal) -> dict[str, str]:
    """What was seen, what is allowed, what to do."""
    return {"seen": refusal.seen, "allowed": refusal.allowed, "do": refusal.do}


def error_body(refusal: Refusal) -> bytes:
    """The JSON of an error."""
    return json.dumps({"error": error_of(refusal)}, ensure_ascii=False, separators=(",", ":")).encode()


JSON = "application/json"


def json_reply(value: Any, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(), status, media_type=JSON)


def refusal_reply(refusal: Refusal) -> Response:
    return Response(error_body(refusal), refusal.status, refusal.headers, JSON)


async def refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a refusal from outside the routes, and let it be counted."""
    note(Request(scope), refusal)
    await refusal_reply(refusal)(scope, receive, send)


def note(request: Request, refusal: Refusal) -> None:
    """Leave the kind of a refusal where `Watch` finds it."""
    request.scope["dessin.refused"] = refusal.kind
