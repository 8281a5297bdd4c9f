"""Pages for people: what can be asked, and a browser of the API whose parts lie on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dessin.language import tr
from dessin.page.blocks import Column, Command, Links, Page, Sentence, Table
from dessin.page.html import document
from dessin.page.words import Code, Link
from dessin.serving.api.endpoints.endpoint import Endpoint

DOCS: Final = "/docs"
# Swagger UI, as the package fastapi-offline brings it (MIT; Swagger UI itself is Apache-2.0).
_PACKAGE: Final = "fastapi_offline"
_PARTS: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_START: Final = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null, persistAuthorization: false,
});
"""
_DOCS: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dessin: the API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Whatever a page asks for, its browser gets it from this server or not at all.
_OWN: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"Content-Security-Policy": _OWN, "X-Content-Type-Options": "nosniff"}
# They say nothing of the model, and a browser cannot send a token with them.
OPEN: Final = ("/", "/openapi.json", DOCS, f"{DOCS}/start.js", *(f"{DOCS}/{name}" for name in _PARTS))


def add_pages(router: APIRouter, endpoints: tuple[Endpoint, ...]) -> None:
    """Add `/` and `/docs` with its parts; the OpenAPI does not list them."""

    async def home(request: Request) -> Response:
        text = document(_home(endpoints, str(request.base_url).rstrip("/")))
        return Response(text, media_type="text/html", headers=_HEADERS)

    async def docs() -> Response:
        return Response(_DOCS, media_type="text/html", headers=_HEADERS)

    async def start() -> Response:
        return Response(_START, media_type="text/javascript", headers=_HEADERS)

    router.add_api_route("/", home, include_in_schema=False)
    router.add_api_route(DOCS, docs, include_in_schema=False)
    router.add_api_route(f"{DOCS}/start.js", start, include_in_schema=False)
    for name, kind in _PARTS.items():
        router.add_api_route(f"{DOCS}/{name}", partial(_part, name, kind), include_in_schema=False)


async def _part(name: str, kind: str) -> Response:
    return Response(_read(name), media_type=kind, headers=_HEADERS)


@cache
def _read(name: str) -> bytes:
    return (resources.files(_PACKAGE) / "static" / name).read_bytes()


def _home(endpoints: tuple[Endpoint, ...], address: str) -> Page:
    """What can be asked; nothing of the model, which may need a token."""
    columns = (Column(tr("Request")), Column(tr("Answer")))
    rows = tuple((Code(f"{each.method} {each.path}"), each.summary) for each in endpoints)
    links = (
        (Link(tr("Try it in the browser"), "docs"), tr("every request, with its answers and errors")),
        (Link("OpenAPI", "openapi.json"), tr("the same for programs that make clients")),
    )
    lead = tr("A classifier of drawings answers here. Nothing that is sent is kept.")
    command = Command(f"curl --data-binary @drawing.png -H 'Content-Type: image/png' {address}/v1/predict")
    return Page(
        "dessin",
        lead,
        (Sentence(tr("Send an image, get its class:")), command, Links(links), Table(columns, rows)),
    )
