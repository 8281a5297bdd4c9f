"""The look of the drawings that a model was trained on, found by the digest of its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dessin.answers.committee import Committee
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.randomness import image_keys, permutation
from dessin.runs.record import FILE, read_record
from dessin.serving.studio.try_it.look import USUAL, Look, measure_look

SAMPLE = 120


def training_look(committee: Committee, places: Iterable[Path]) -> Look:
    """The look of the first of some places that holds the drawings of the model; else the usual one."""
    for place in places:
        manifest = _its_drawings(committee, place)
        if manifest is not None:
            return measure_look(_sample(manifest)) or USUAL
    return USUAL


def recorded_data(model: Path, committee: Committee) -> tuple[Path, ...]:
    """Where a model says that its drawings lay when it was trained: a run in its record, or a committee."""
    named = committee.provenance.get("data")
    if (model / FILE).is_file():
        try:
            named = read_record(model).recipe.data.path
        except DessinError:
            named = None
    return (Path(named),) if named else ()


def _its_drawings(committee: Committee, place: Path) -> Manifest | None:
    """The manifest of a place, if it is that of the model's drawings."""
    try:
        collection = read_collection(place)
    except (DessinError, OSError):
        return None
    # Their digests take a while, so that a collection of other classes is not even looked at.
    if not set(committee.classes) <= set(collection.classes):
        return None
    manifest = build_manifest(collection)
    return manifest if manifest.digest == committee.digests.get("manifest") else None


def _sample(manifest: Manifest) -> list[Path]:
    ids = [row.image_id for row in manifest.rows]
    order = permutation(0, "look", 0, image_keys(ids))[:SAMPLE]
    return [manifest.path(ids[place]) for place in order]
