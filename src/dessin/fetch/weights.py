"""The verb `weights`: published weights fetched ahead, for machines without internet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from huggingface_hub import constants

from dessin.answers.committee import find_home
from dessin.answers.published import hub_name
from dessin.errors import DessinError
from dessin.language import tr
from dessin.models.backbones import describe_backbone
from dessin.models.card import CARD_FILE, read_card
from dessin.models.weights import NoWeightsError, Weights, resolve_weights
from dessin.ops import names
from dessin.page.notebook import ShownTuple
from dessin.progress import say


def weights(*backbones: str) -> ShownTuple[Weights]:
    """Fetch published weights ahead, for a machine without internet.

    Only safetensors files (and, of models, their cards and ONNX files) are fetched, into the cache of the
    hub. Each is said with its size, licence and sha256; one that is here already is not fetched again.
    `dessin doctor` shows the table of backbones that auto and scout take where their weights are here.

    Args:
        backbones: Names of timm's, with or without the tag of the weights, or models on the hub as
            hub:OWNER/NAME.

    Raises:
        DessinError: no or unknown names, or weights that are not to be had.
    """
    asked = tuple(dict.fromkeys(name for text in backbones for name in names(text)))
    if not asked:
        raise DessinError(
            "No backbone was named.", do="Name one or more; dessin doctor shows a table of them."
        )
    # All names are looked at before the first is fetched.
    wanted = [name if hub_name(name) else describe_backbone(name).name for name in asked]
    found = []
    for kept in chain.from_iterable(map(_kept, wanted)):
        found.append(kept)
        assert kept.path is not None
        size = f"{kept.path.stat().st_size / 1e6:.1f} MB"
        say(
            tr(
                "{name}: {size}, licence {licence}, sha256 {sha256}, from {source}",
                name=kept.backbone,
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


def _kept(name: str) -> Iterator[Weights]:
    """The weights of a backbone, or of each network of a model on the hub."""
    named = hub_name(name)
    if named is not None:
        for file in sorted(find_home(Path(name)).rglob(CARD_FILE)):
            card = read_card(file.parent)
            bodies, source = "+".join(card.backbones), f"hub {named.repository}"
            yield Weights(bodies, source, file.parent / card.file, card.digests["weights"], card.licence)
        return
    try:
        yield resolve_weights(name)
    except NoWeightsError as error:
        do = "Fetch them where the hub answers, and copy its cache to this machine."
        raise NoWeightsError(error.seen, do=do) from None
