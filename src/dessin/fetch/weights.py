"""The verb `weights`: published weights fetched ahead, for machines without internet."""

from __future__ import annotations

from huggingface_hub import constants

from dessin.errors import DessinError
from dessin.language import tr
from dessin.models.backbones import describe_backbone
from dessin.models.weights import NoWeightsError, Weights, resolve_weights
from dessin.ops import names
from dessin.page.notebook import ShownTuple
from dessin.progress import say


def weights(*backbones: str) -> ShownTuple[Weights]:
    """Fetch published weights ahead, for a machine without internet.

    Only safetensors files are fetched, into the cache of the hub. Each is said with its size, licence and
    sha256; one that is here already is not fetched again. `dessin doctor` shows the table of backbones that
    auto and scout take where their weights are here.

    Args:
        backbones: Names of timm's, with or without the tag of the weights.

    Raises:
        DessinError: no or unknown names, or weights that are not to be had.
    """
    asked = tuple(dict.fromkeys(name for text in backbones for name in names(text)))
    if not asked:
        raise DessinError(
            "No backbone was named.", do="Name one or more; dessin doctor shows a table of them."
        )
    # All names are looked at before the first is fetched.
    infos = [describe_backbone(name) for name in asked]
    found = []
    for info in infos:
        try:
            kept = resolve_weights(info.name)
        except NoWeightsError as error:
            do = "Fetch them where the hub answers, and copy its cache to this machine."
            raise NoWeightsError(error.seen, do=do) from None
        found.append(kept)
        assert kept.path is not None
        size = f"{kept.path.stat().st_size / 1e6:.1f} MB"
        say(
            tr(
                "{name}: {size}, licence {licence}, sha256 {sha256}, from {source}",
                name=info.name,
                size=size,
                licence=kept.licence,
                sha256=kept.sha256,
                source=kept.source,
            )
        )
    if any(kept.source.startswith("hub ") for kept in found):
        say(
            tr(
                "They are in {folder}. For a machine without internet copy that folder there, and set "
                "HF_HUB_CACHE to it and HF_HUB_OFFLINE to 1.",
                folder=constants.HF_HUB_CACHE,
            )
        )
    return ShownTuple(found)
