"""Where the model looks: a map over the image as the model sees it."""

from __future__ import annotations

import io
from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request
from fastapi.responses import Response
from PIL import Image

from dessin.errors import DessinError
from dessin.serving.api.endpoints.endpoint import BINARY, IMAGE_ERRORS, Endpoint, TheService, image_body
from dessin.serving.api.refusal import Refusal
from dessin.serving.api.service import Service
from dessin.serving.api.uploads import read_image
from dessin.serving.maps import ImageMap
from dessin.serving.runtime import Prepared

Label = Annotated[str | None, Query(max_length=200, description="A class (default: the likeliest).")]


async def explain(request: Request, service: TheService, label: Label = None) -> Response:
    image = await read_image(request, service.limits, service.admission)
    async with service.under_way(1):
        prepared = await service.pool.decode(image)
        made: ImageMap = await service.batcher.call(lambda: _map(service, prepared, label))
    buffer = io.BytesIO()
    Image.fromarray(made.overlay).save(buffer, "PNG")
    headers = {"Dessin-Label": quote(made.label, safe=" "), "Dessin-Method": made.method}
    return Response(buffer.getvalue(), media_type="image/png", headers=headers)


def _map(service: Service, prepared: Prepared, label: str | None) -> ImageMap:
    assert service.maps is not None
    try:
        return service.maps.make_prepared(prepared, label)
    except DessinError as error:
        raise Refusal(422, "label", error.seen, do="GET /v1/model lists the classes.") from None


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
