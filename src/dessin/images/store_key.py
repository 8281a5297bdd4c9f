"""What defines a pixel store: the images by their bytes, the fit, and who decoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import PIL

from dessin.files import digest_of
from dessin.images.spec import ImageSpec, Interpolation

_VERSION = 1  # raise it whenever the same files would give other pixels


@dataclass(frozen=True)
class StoredImage:
    """One image by its id (path below the root) and the sha256 of its file."""

    image_id: str
    sha256: str


@dataclass(frozen=True)
class StoreKey:
    """Everything that defines a store's bytes; the order of the images does not."""

    images: tuple[StoredImage, ...]
    spec: ImageSpec
    interpolation: Interpolation

    @cached_property
    def digest(self) -> str:
        rows = sorted([image.image_id, image.sha256] for image in self.images)
        # Another Pillow may bring another JPEG decoder, and other pixels with it.
        makers = {"version": _VERSION, "pillow": PIL.__version__}
        return digest_of({"images": rows, "spec": self.spec.model_dump(), "by": self.interpolation, **makers})

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the pixels: (N, channels, S, S)."""
        return len(self.images), self.spec.channels, self.spec.size, self.spec.size

    @property
    def image_bytes(self) -> int:
        return self.spec.channels * self.spec.size**2
