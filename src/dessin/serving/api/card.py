"""The card of the model that is served, without anything about the machine that serves it."""

from __future__ import annotations

from dessin.answers.committee import Committee, LoadedCommittee
from dessin.files import sha256_bytes
from dessin.serving.api.schemas import ClassReply, ModelId, ModelReply, RejectionReply
from dessin.serving.runtime import Runtime


def model_id(committee: Committee) -> ModelId:
    """Name and digest; the digest of several models is that of all their digests."""
    weights = [committee.weights[name] for name in committee.bundles]
    digest = weights[0] if len(weights) == 1 else sha256_bytes("\n".join(weights).encode())
    return ModelId(name=committee.name, digest=digest)


def model_card(runtime: Runtime) -> ModelReply:
    """What the model says of itself; where it was made is left out, for that is a path."""
    committee = runtime.committee
    rejection = committee.rejection
    return ModelReply(
        model=model_id(committee),
        classes=[
            ClassReply(label=label, name=committee.names.get(label, label)) for label in committee.classes
        ],
        images=[spec for spec, _ in runtime.fittings],
        temperature=_temperature(runtime.loaded),
        threshold=committee.threshold,
        rejection=None
        if rejection is None
        else RejectionReply(score=rejection.score, threshold=rejection.threshold),
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
    return "/" in text or "\\" in text
