"""Answers as bytes: JSON in its short form, and refusals in their one shape."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dessin.serving.api.refusal import Refusal, error_body

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
