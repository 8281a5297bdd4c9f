"""The card of a bundle, `bundle.json`: everything that must travel with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from dessin.errors import DessinError
from dessin.files import read_json
from dessin.images.spec import Colour, Fit, ImageSpec, Interpolation
from dessin.schema import Section, versioned

CARD_FILE = "bundle.json"
WEIGHTS_FILE = "model.safetensors"
FORMAT = 1

Triple = tuple[float, float, float]
HeadKind = Literal["linear", "cosine", "mlp"]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class BundleImage(Section):
    """How an image file becomes the model's input, whole; mean and std are of values from 0 to 1."""

    size: int = Field(ge=16, le=1024)
    mean: Triple
    std: Triple
    interpolation: Interpolation
    fit: Fit
    colour: Colour
    clahe: bool = False

    @property
    def spec(self) -> ImageSpec:
        return ImageSpec(size=self.size, colour=self.colour, fit=self.fit, clahe=self.clahe)


class BundleCard(Section):
    """What a bundle says of itself.

    `classes` are the labels in the order of the logits; `names` gives them for people (label → name).
    Logits are divided by `temperature`; a probability below `threshold` is not an answer (0: always answer).
    `digests` holds at least `weights` once saved; `licence` is that of the backbone's weights.
    """

    format: int = FORMAT
    task: Literal["classification"] = "classification"
    classes: tuple[str, ...] = Field(min_length=2)
    names: dict[str, str] = Field(default_factory=dict)
    backbone: str
    head: HeadKind = "linear"
    image: BundleImage
    temperature: float = Field(1.0, gt=0.0, allow_inf_nan=False)
    threshold: float = Field(0.0, ge=0.0, le=1.0)
    digests: dict[str, Digest] = Field(default_factory=dict)
    provenance: dict[str, str] = Field(default_factory=dict)
    licence: str

    @model_validator(mode="after")
    def _classes_differ(self) -> BundleCard:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class is listed twice")
        return self


def read_card(folder: Path) -> BundleCard:
    """The card of a bundle folder.

    Raises:
        DessinError: not a bundle, a newer format, or a card with a missing, unknown or wrong key.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        raise DessinError(
            f"{folder} is not a bundle: it has no {CARD_FILE}.", do="Name a bundle, such as RUN/bundle."
        )
    card = versioned(BundleCard, read_json(path), str(path), FORMAT, what="a bundle's card")
    if "weights" not in card.digests:
        raise DessinError(f"{path} does not give the digest of the weights.", do="Make the bundle anew.")
    return card
