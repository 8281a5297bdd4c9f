"""The card of a bundle, `bundle.json`: everything that must travel with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from dessin.errors import DessinError
from dessin.images.spec import Colour, Fit, Fitting, ImageSpec, Interpolation, Page, usual_page
from dessin.results import Result
from dessin.schema import Section, changed

# How many bodies one head may read: each image goes through all of them.
JOINED = 4
CARD_FILE = "bundle.json"
WEIGHTS_FILE = "model.safetensors"
ONNX_FILE = "model.onnx"

Triple = tuple[float, float, float]
HeadKind = Literal["linear", "cosine", "mlp"]
Features = Literal["last", "several"]
Precision = Literal["float32", "int8"]
RejectionScore = Literal["energy", "max_probability", "negative_entropy"]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class BundleImage(Section):
    """How an image file becomes the model's input, whole; mean and std are of values from 0 to 1.

    With `page: auto` the sheet in a photograph is cut out first; a dessin that cannot do so does not know the
    key, and refuses the card.
    """

    size: int = Field(ge=16, le=1024)
    mean: Triple
    std: Triple
    interpolation: Interpolation
    fit: Fit
    colour: Colour
    clahe: bool = False
    page: Page = Field("off", exclude_if=usual_page)

    @property
    def spec(self) -> ImageSpec:
        return ImageSpec(size=self.size, colour=self.colour, fit=self.fit, clahe=self.clahe, page=self.page)

    @property
    def fitting(self) -> Fitting:
        """What pixels of a drawing depend on: models that agree in it can share them."""
        return self.spec, self.interpolation


class BesideBody(Section):
    """A further body whose features are joined to those of the first; mean and std are of values from 0 to 1.

    All bodies read the same pixels.
    """

    backbone: str
    mean: Triple
    std: Triple


class Rejection(Section):
    """When an image is taken for a drawing of no class: where its `score` is below `threshold`.

    `energy` is the log of the sum of exponentials of the logits (Liu et al. 2020), before any temperature;
    `max_probability` and `negative_entropy` (natural logarithm) are of the probabilities that are answered.
    """

    score: RejectionScore
    threshold: float = Field(allow_inf_nan=False)


class BundleCard(Result):
    """What a bundle says of itself.

    `classes` are the labels in the order of the logits; `names` gives them for people (label → name).
    Logits are divided by `temperature`; a probability below `threshold` is not an answer (0: always answer).
    With a `rejection`, what looks like no class at all is not answered either.
    The head reads `features` of the last layer, or of several (`models/layers.py`), and those of the bodies
    `beside` the first. With `mirrored` the logits are the mean of those for an image and its mirror image.
    `file` holds the weights: safetensors for torch, ONNX where the model was exported, then of a `precision`.
    `digests` holds at least `weights` once saved; `licence` is that of the backbone's weights.
    """

    FILE = CARD_FILE
    WHAT = "a bundle's card"
    FOLDER = "bundle"
    DO = "Name a bundle, such as RUN/bundle."

    task: Literal["classification"] = "classification"
    classes: tuple[str, ...] = Field(min_length=2)
    names: dict[str, str] = Field(default_factory=dict)
    backbone: str
    head: HeadKind = "linear"
    features: Features = "last"
    beside: tuple[BesideBody, ...] = Field((), max_length=JOINED - 1)
    mirrored: bool = False
    image: BundleImage
    file: Literal["model.safetensors", "model.onnx"] = "model.safetensors"
    precision: Precision = "float32"
    temperature: float = Field(1.0, gt=0.0, allow_inf_nan=False)
    threshold: float = Field(0.0, ge=0.0, le=1.0)
    rejection: Rejection | None = None
    digests: dict[str, Digest] = Field(default_factory=dict)
    provenance: dict[str, str] = Field(default_factory=dict)
    licence: str

    @model_validator(mode="after")
    def _classes_differ(self) -> BundleCard:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is listed twice")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `features`, `beside` and `mirrored` where they are the usual ones: what was written before
        has no such key."""
        values: dict[str, Any] = whole(self)
        if self.features == "last":
            values.pop("features", None)
        for key in ("beside", "mirrored"):
            if not values.get(key):
                values.pop(key, None)
        return values

    @property
    def backbones(self) -> tuple[str, ...]:
        """Those of all bodies, the first one first."""
        return (self.backbone, *(body.backbone for body in self.beside))

    @property
    def exported(self) -> bool:
        """Whether the model answers through ONNX Runtime, and has no weights that could be changed."""
        return self.file == ONNX_FILE


def read_card(folder: Path) -> BundleCard:
    """The card of a bundle folder.

    Raises:
        DessinError: not a bundle, a newer format, or a card with a missing, unknown or wrong key.
    """
    card = BundleCard.read(folder)
    if "weights" not in card.digests:
        path = folder / CARD_FILE
        raise DessinError(f"{path} does not give the digest of the weights.", do="Make the bundle anew.")
    return card


def change_card(folder: Path, values: Mapping[str, object]) -> BundleCard:
    """Replace some values of a bundle's card; returns what was written."""
    card = changed(read_card(folder), values, str(folder / CARD_FILE))
    card.write(folder)
    return card
