"""How an image file becomes the model's input: the `image:` section of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from dessin.schema import Section

Colour = Literal["rgb", "gray"]
Fit = Literal["letterbox", "squash", "crop", "trim"]
Interpolation = Literal["bilinear", "bicubic"]


def _off(given: object) -> object:
    """YAML reads `off` as false."""
    return "off" if given is False else given


Page = Annotated[Literal["auto", "off"], BeforeValidator(_off)]


def usual_page(page: Page) -> bool:
    """Whether a file leaves it out: what was written before there was a choice has no such key."""
    return page == "off"


class ImageSpec(Section):
    """Side in pixels, colour, how the rectangle is fitted into the square, and optional CLAHE.

    With `page: auto` the sheet of paper in a photograph is cut out, straightened and cropped to what is drawn
    before all that; what is no photograph of a sheet stays as it is.
    """

    size: int = Field(224, ge=16, le=1024)
    colour: Colour = "rgb"
    fit: Fit = "letterbox"
    clahe: bool = False
    page: Page = Field("off", exclude_if=usual_page)

    @property
    def words(self) -> str:
        """For people."""
        further = {"CLAHE": self.clahe, "page: auto": self.page == "auto"}
        return ", ".join(
            [f"{self.size} px", self.colour, self.fit, *(name for name, held in further.items() if held)]
        )

    @property
    def channels(self) -> int:
        return 1 if self.colour == "gray" else 3


# What pixels of a drawing depend on: models that agree in it can share them.
Fitting = tuple[ImageSpec, Interpolation]
