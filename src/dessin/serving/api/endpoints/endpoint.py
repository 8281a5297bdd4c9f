"""What an endpoint is: a path, who answers it, and what the OpenAPI says that FastAPI cannot see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_type_hints

from fastapi import APIRouter, Depends, Request, Security, params
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from dessin.errors import unknown
from dessin.serving.api.refusal import Refusal, described_errors
from dessin.serving.api.service import Service
from dessin.serving.api.uploads import ANY_TYPE, TYPES

IMAGE_ERRORS = (403, 408, 413, 415, 422, 429, 500, 503, 504)
BINARY = {"type": "string", "format": "binary"}


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


# An endpoint's argument of this type is the service of the application.
TheService = Annotated[Service, Depends(_service)]


@dataclass(frozen=True)
class Endpoint:
    """One path of the API.

    Attributes:
        answer: the coroutine that FastAPI calls. Its types describe the query; a docstring of it would be
            shown in the OpenAPI below the summary.
        reply: the JSON of an answer; None where the answer is no JSON.
        success: what else is to be said of an answer, as an OpenAPI response.
        errors: the statuses of errors, beside those that every endpoint may answer with.
        body: the `requestBody` of the OpenAPI.
        needs_token: whether a token is asked for, where the server has one.
        offered: whether a service has the endpoint at all.
    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: Callable[..., Any]
    reply: type[BaseModel] | None = None
    success: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    body: Callable[[Service], dict[str, Any]] | None = None
    needs_token: bool = True
    offered: Callable[[Service], bool] = lambda _: True

    def add_to(self, router: APIRouter, service: Service, *, asks_token: bool) -> None:
        """With `asks_token` the OpenAPI says so (`TokenCheck` does the asking)."""
        checks: list[Any] = [Depends(_query_check(self.answer))]
        if asks_token and self.needs_token:
            checks.append(Security(HTTPBearer(auto_error=False, scheme_name="token")))
        responses: dict[int | str, dict[str, Any]] = {200: dict(self.success)} if self.success else {}
        router.add_api_route(
            self.path,
            self.answer,
            methods=[self.method],
            summary=self.summary,
            dependencies=checks,
            responses=responses | described_errors(*self.errors),
            openapi_extra={"requestBody": self.body(service)} if self.body else None,
            response_model=self.reply,
            response_class=JSONResponse if self.reply else Response,
        )


def _query_check(answer: Callable[..., Any]) -> Callable[[Request], Awaitable[None]]:
    """Refuses what an endpoint does not ask for: a misspelt key would be a default that nobody wanted."""
    hints = get_type_hints(answer, include_extras=True)
    known = {
        name
        for name, hint in hints.items()
        if any(isinstance(one, params.Query) for one in getattr(hint, "__metadata__", ()))
    }

    async def check(request: Request) -> None:
        seen: set[str] = set()
        for key, _ in request.query_params.multi_items():
            if key not in known:
                error = unknown("query key", key[:80], known)
                allowed = error.allowed if known else "This path has no query."
                raise Refusal(422, "parameter", error.seen, allowed=allowed, do=error.do)
            if key in seen:
                raise Refusal(422, "parameter", f'"{key}" is given more than once.')
            seen.add(key)

    return check


def image_body(_: Service) -> dict[str, Any]:
    """The body of an endpoint that takes the bytes of one image."""
    return {
        "required": True,
        "description": "The bytes of one image.",
        "content": {kind: {"schema": BINARY} for kind in (*TYPES, ANY_TYPE)},
    }
