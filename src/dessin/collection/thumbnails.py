"""Small drawings for pages, as `data:` addresses."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from dessin.collection.readers.collection import Collection
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec, Page
from dessin.page.pictures import image_data_uri

_SIDE = 144


class Thumbnails:
    """The drawings of a collection at 144 px, with `page: auto` the pages of photographs.

    An address is empty where a drawing is not there any more.
    """

    def __init__(self, data: str | None, page: Page = "off") -> None:
        self._spec = ImageSpec(size=_SIDE, page=page)
        self._collection: Collection | None = None
        with suppress(DessinError):
            self._collection = read_collection(data) if data else None
        self.uri = cache(self._uri)

    @property
    def available(self) -> bool:
        return self._collection is not None

    @property
    def names(self) -> Mapping[str, str]:
        """Each label's name for people; empty where the collection is not there any more."""
        return self._collection.names if self._collection is not None else {}

    def _uri(self, image_id: str) -> str:
        """The drawing as a `data:` address."""
        if self._collection is None:
            return ""
        try:
            decoded = decode(read_image_bytes(self._collection.path(image_id)))
        except (Unreadable, OSError):
            return ""
        pixels = prepare(decoded.pixels, self._spec, "bicubic")
        return image_data_uri(pixels.transpose(1, 2, 0).copy(), kind="webp", quality=70)
