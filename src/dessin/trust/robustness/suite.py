"""The table of the suite: its corruptions, their five strengths, and the digest that names this very table.

Strengths are shares of the picture's side or of its levels (degrees, factors, JPEG's quality and pixels a
side where that is the usual measure), so they mean the same at every size of picture. The first is hardly
seen; in the fifth a person still names the drawing. A change of any number, or of what a function does, is a
new `VERSION`: results of two versions are never compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dessin.files import digest_of
from dessin.trust.robustness import lines, moves, optics, paper
from dessin.trust.robustness.sketch import Pixels, Sketch

VERSION = 1
SEED = 0
STRENGTHS = 5
DRAWS = 4

Apply = Callable[[Sketch, Sequence[float]], list[Pixels]]


@dataclass(frozen=True)
class Corruption:
    """One row: its name, its title and meaning for people, its levels from weak to strong, and its function.

    `apply` gives a page for each level, so that what the five have in common is computed once.
    """

    name: str
    title: str
    meaning: str
    levels: tuple[float, ...]
    apply: Apply


SUITE = (
    Corruption(
        "line_thicker",
        "thicker lines",
        "each side of a line grows, in shares of the picture’s side",
        (0.0015, 0.0035, 0.006, 0.009, 0.0125),
        lines.line_thicker,
    ),
    Corruption(
        "line_thinner",
        "thinner lines",
        "each side of a line is lost, in shares of the picture’s side; thin lines fade instead",
        (0.0015, 0.0035, 0.006, 0.0085, 0.0115),
        lines.line_thinner,
    ),
    Corruption(
        "strokes_missing",
        "missing strokes",
        "pieces of strokes are gone, in shares of the ink",
        (0.04, 0.09, 0.16, 0.25, 0.36),
        lines.strokes_missing,
    ),
    Corruption(
        "wobble",
        "unsteady hand",
        "points are moved, in shares of the side (standard deviation)",
        (0.002, 0.004, 0.0065, 0.009, 0.0115),
        lines.wobble,
    ),
    Corruption("rotation", "rotation", "degrees, left or right", (4, 9, 16, 25, 36), moves.rotation),
    Corruption(
        "scale",
        "scale",
        "smaller by this factor, or larger by its root",
        (1.1, 1.25, 1.45, 1.7, 2.0),
        moves.scale,
    ),
    Corruption(
        "shift",
        "shift",
        "shares of the side, to where there is room",
        (0.03, 0.07, 0.12, 0.18, 0.25),
        moves.shift,
    ),
    Corruption(
        "second_drawing",
        "a second drawing",
        "another drawing beside this one, its size in shares of this one’s",
        (0.15, 0.3, 0.45, 0.6, 0.8),
        moves.second_drawing,
    ),
    Corruption(
        "paper",
        "paper",
        "darker and rougher paper, in shares of the white",
        (0.04, 0.11, 0.2, 0.32, 0.46),
        paper.paper,
    ),
    Corruption(
        "faded_ink",
        "faded ink",
        "shares of the contrast that are lost",
        (0.2, 0.4, 0.6, 0.75, 0.86),
        paper.faded_ink,
    ),
    Corruption(
        "inverted",
        "light on dark",
        "the share of the page that is a negative; at last all of it",
        (0.05, 0.2, 0.45, 0.7, 1.0),
        paper.inverted,
    ),
    Corruption(
        "blur",
        "blur",
        "standard deviation in shares of the side",
        (0.003, 0.006, 0.0095, 0.014, 0.019),
        optics.blur,
    ),
    Corruption(
        "noise",
        "noise",
        "standard deviation in shares of the range",
        (0.03, 0.08, 0.15, 0.24, 0.36),
        optics.noise,
    ),
    Corruption("jpeg", "JPEG", "quality, at the model’s own size", (50, 25, 10, 6, 3), optics.jpeg),
    Corruption(
        "occlusion",
        "occlusion",
        "a gray patch, its width in shares of the drawing’s longer side",
        (0.1, 0.2, 0.3, 0.4, 0.5),
        optics.occlusion,
    ),
    Corruption(
        "low_resolution",
        "low resolution",
        "pixels a side",
        (88, 66, 50, 40, 32),
        optics.low_resolution,
    ),
)


def suite_digest() -> str:
    """The sha256 of the version and of every name and level."""
    return digest_of([VERSION, *([row.name, *map(float, row.levels)] for row in SUITE)])
