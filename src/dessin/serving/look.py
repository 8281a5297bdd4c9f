"""How drawings look on their page: the width of lines, the room that they take, paper and ink; of given
drawings, or of those a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dessin.answers.committee import Committee
from dessin.collection.manifest import Manifest, build_manifest
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import page_of
from dessin.images.ground import Pixels
from dessin.images.ink import background, from_paper, ink_mask
from dessin.images.spec import Page
from dessin.parallel.mapper import ThreadMapper
from dessin.randomness import image_keys, permutation
from dessin.runs.record import FILE, read_record
from dessin.trust.mistakes.strokes import PAGE, measure_strokes

Colour = tuple[int, int, int]
_FEWEST = 5
# The measure reaches the middle of the first pixel of paper on either side, on its page of twice the pixels.
_OVER = 0.5 / PAGE
_LEAST = 1.0 / PAGE


@dataclass(frozen=True)
class Look:
    """What a typical drawing looks like.

    Attributes:
        thickness: of a line, over the page's longer side.
        size: longer side of the box around the ink, over the page's longer side.
        paper, ink: their colours.
        n: how many drawings it was measured on; 0 for a convention.
    """

    thickness: float
    size: float
    paper: Colour
    ink: Colour
    n: int = 0

    @property
    def dark_on_light(self) -> bool:
        return sum(self.ink) <= sum(self.paper)


# A convention, between Sketchy (lines of 2.5 px on a page of 256, 64% of it) and drawings cut to their ink.
USUAL = Look(thickness=2.5 / PAGE, size=0.75, paper=(255, 255, 255), ink=(0, 0, 0))


def measure_look(files: Sequence[Path], page: Page = "off") -> Look | None:
    """The median look of image files, with `page: auto` of the pages of photographs; None where too few of
    them can be read and have lines."""
    looks = ThreadMapper().map(partial(_look_of_file, page=page), files)
    found = [look for look in looks if look is not None]
    if len(found) < _FEWEST:
        return None
    return Look(
        thickness=float(np.median([look.thickness for look in found])),
        size=float(np.median([look.size for look in found])),
        paper=_middle([look.paper for look in found]),
        ink=_middle([look.ink for look in found]),
        n=len(found),
    )


def look_of(pixels: Pixels) -> Look | None:
    """The look of one drawing (H, W, 3) uint8; None without ink, or without anything like a line."""
    strokes = measure_strokes(pixels)
    if not math.isfinite(strokes.thickness):
        return None
    thickness = max(strokes.thickness / PAGE - _OVER, _LEAST)
    return Look(thickness, strokes.size, background(pixels), _ink(pixels), 1)


def _look_of_file(path: Path, page: Page) -> Look | None:
    try:
        return look_of(page_of(decode(read_image_bytes(path)).pixels, page))
    except Unreadable:
        return None


def _ink(pixels: Pixels) -> Colour:
    """The colour of a drawing's ink where it is strong, away from the soft edges of lines."""
    apart = from_paper(pixels)
    inked = ink_mask(pixels)
    strong = inked & (apart >= np.quantile(apart[inked], 0.75))
    return _middle(pixels[strong])


def _middle(colours: Sequence[Colour] | Pixels) -> Colour:
    red, green, blue = (round(float(value)) for value in np.median(np.asarray(colours), axis=0))
    return red, green, blue


SAMPLE = 120


def training_look(committee: Committee, places: Iterable[Path], page: Page = "off") -> Look:
    """The look of the first of some places that holds the drawings of the model, as it sees them; else the
    usual one."""
    for place in places:
        manifest = _its_drawings(committee, place)
        if manifest is not None:
            return measure_look(_sample(manifest), page) or USUAL
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
