"""How an image file becomes the model's input: the `image:` section of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dessin.schema import Section

Colour = Literal["rgb", "gray"]
Fit = Literal["letterbox", "squash", "crop", "trim"]
Interpolation = Literal["bilinear", "bicubic"]


class ImageSpec(Section):
    """Side in pixels, colour, how the rectangle is fitted into the square, and optional CLAHE."""

    size: int = Field(224, ge=16, le=1024)
    colour: Colour = "rgb"
    fit: Fit = "letterbox"
    clahe: bool = False

    @property
    def channels(self) -> int:
        return 1 if self.colour == "gray" else 3
