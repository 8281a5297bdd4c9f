"""The card of the model: what it says of itself."""

from __future__ import annotations

from pydantic import BaseModel, Field

from dessin.answers.committee import LoadedCommittee
from dessin.images.spec import ImageSpec
from dessin.serving.api.endpoints.endpoint import Endpoint, TheService
from dessin.serving.api.service import ModelId


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


async def model(service: TheService) -> ModelReply:
    runtime, committee = service.runtime, service.runtime.committee
    rejection = committee.rejection
    return ModelReply(
        model=service.model,
        classes=[
            ClassReply(label=label, name=committee.names.get(label, label)) for label in committee.classes
        ],
        images=[spec for spec, _ in runtime.fittings],
        temperature=_temperature(runtime.loaded),
        threshold=committee.threshold,
        rejection=rejection and RejectionReply(score=rejection.score, threshold=rejection.threshold),
        views=list(runtime.views),
        weights=[committee.weights[name] for name in committee.bundles],
        digests=committee.digests,
        provenance={key: value for key, value in committee.provenance.items() if not _is_path(value)},
        licence=committee.licence,
    )


def _temperature(loaded: LoadedCommittee) -> float:
    """That of the committee; a bundle alone is tempered by its own card."""
    bundles = list(loaded.bundles.values())
    own = bundles[0].card.temperature if len(bundles) == 1 else 1.0
    return loaded.committee.temperature * own


def _is_path(text: str) -> bool:
    """Where a model was made is nobody's business."""
    return "/" in text or "\\" in text


MODEL = Endpoint("GET", "/v1/model", "The card of the model", model, reply=ModelReply)
