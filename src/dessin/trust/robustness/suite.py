"""The suite: which corruptions, in which order, and the digest that names this very table.

Levels are shares of the image's side or of its range (degrees, factors, JPEG's quality and pixels a side
where that is the usual measure), so they mean the same at every size. The first is hardly seen; in the fifth
a person still names the drawing. A change of any number, of the order, or of what a corruption does, is a
new `VERSION`: results of two versions are never compared.
"""

from __future__ import annotations

from dessin.files import digest_of
from dessin.plugins import Table
from dessin.trust.robustness.corruption import Corruption
from dessin.trust.robustness.lines import line_thicker, line_thinner, strokes_missing, wobble
from dessin.trust.robustness.moves import rotation, scale, second_drawing, shift
from dessin.trust.robustness.photo import (
    blur,
    faded_ink,
    inverted,
    jpeg,
    low_resolution,
    noise,
    occlusion,
    paper,
)

VERSION = 1
SEED = 0

SUITE: tuple[Corruption, ...] = (
    *(line_thicker, line_thinner, strokes_missing, wobble),
    *(rotation, scale, shift, second_drawing),
    *(paper, faded_ink, inverted),
    *(blur, noise, jpeg, occlusion, low_resolution),
)


_ALL = Table("corruption", Corruption, SUITE)


def corruptions() -> tuple[Corruption, ...]:
    """Those of the suite, in its order, and after them those of plugins, which are measured beside it."""
    return tuple(_ALL.values())


def suite_digest() -> str:
    """The sha256 of the version and of every name and level."""
    return digest_of([VERSION, *([row.name, *row.levels] for row in SUITE)])
