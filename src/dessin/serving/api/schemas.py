"""What the API answers, as the OpenAPI describes it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from dessin.images.spec import ImageSpec
from dessin.serving.answer import Silence


class ErrorText(BaseModel):
    """What was seen, what is allowed, and what to do next; the last two may be empty."""

    seen: str = Field(examples=["The body is too large."])
    allowed: str = Field(examples=["At most 8 MiB."])
    do: str = Field(examples=["Send a smaller image."])


class ErrorReply(BaseModel):
    """Every error has this shape."""

    error: ErrorText


class ModelId(BaseModel):
    """Which model answered; the digest changes with its weights."""

    name: str = Field(examples=["tf_efficientnet_lite0"])
    digest: str = Field(examples=["3d47119f4d10afcdc89bb061e6b55066a984d03b067bfe000c9d32e344f022c7"])


class CandidateReply(BaseModel):
    """A class with its name for people and its calibrated probability."""

    label: str = Field(examples=["cat"])
    name: str = Field(examples=["tabby cat"])
    probability: float = Field(ge=0.0, le=1.0, examples=[0.93])


class Looked(BaseModel):
    """The likeliest classes of one image, the likeliest first.

    `answered` is false where the model says none: it is `unsure`, or takes the image for a drawing of
    `no_class`; `reason` says why, and the candidates are what it might be.
    """

    answered: bool = Field(examples=[True])
    silence: Silence = Field(examples=[""])
    reason: str = Field(examples=[""])
    candidates: list[CandidateReply]


class PredictReply(Looked):
    """The answer to one image."""

    model: ModelId


class BatchEntry(BaseModel):
    """One image of a batch, by its place: an answer, or the error that it would have got alone."""

    index: int = Field(ge=0, examples=[0])
    status: int = Field(examples=[200])
    answer: Looked | None
    error: ErrorText | None


class BatchReply(BaseModel):
    """The images of a batch in the order in which they were sent."""

    model: ModelId
    images: list[BatchEntry]


class ClassReply(BaseModel):
    """A class with its name for people."""

    label: str = Field(examples=["cat"])
    name: str = Field(examples=["tabby cat"])


class RejectionReply(BaseModel):
    """An image whose score is below the threshold is taken for a drawing of no class."""

    score: str
    threshold: float


class ModelReply(BaseModel):
    """The card of the model.

    `images` says how a drawing is brought to what the models see; `weights` are the digests of their files.
    """

    model: ModelId
    classes: list[ClassReply]
    images: list[ImageSpec]
    temperature: float
    threshold: float
    rejection: RejectionReply | None
    views: list[str]
    weights: list[str]
    digests: dict[str, str]
    provenance: dict[str, str]
    licence: str


class HealthReply(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyReply(BaseModel):
    """The model is loaded, and images can be decoded."""

    status: Literal["ready"] = "ready"
