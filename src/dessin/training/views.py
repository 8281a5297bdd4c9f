"""Views: fixed ways of looking at an image, each a sample for a probe or a look at test time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dessin.errors import DessinError, unknown

if TYPE_CHECKING:
    from torch import Tensor

    View = Callable[[Tensor, Tensor], Tensor]


def _moved(degrees: float = 0.0, scale: float = 1.0) -> View:
    """Turn and resize about the centre; what comes in from outside is the image's background."""
    turn = math.radians(degrees)
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale

    def look(pixels: Tensor, background: Tensor) -> Tensor:
        # Here, for the names of views are asked for where nothing is computed.
        import torch
        from torch.nn import functional

        matrix = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]], device=pixels.device)
        fill = background.float()[:, :, None, None]
        grid = functional.affine_grid(
            matrix.expand(len(pixels), 2, 3), list(pixels.shape), align_corners=False
        )
        # Zero is the background here, so the zeros that come in from outside are background too.
        return functional.grid_sample(pixels.float() - fill, grid, align_corners=False) + fill

    return look


VIEWS: dict[str, View] = {
    "identity": lambda pixels, _: pixels,
    "hflip": lambda pixels, _: pixels.flip(3),
    "vflip": lambda pixels, _: pixels.flip(2),
    "rotate_left": _moved(degrees=10.0),
    "rotate_right": _moved(degrees=-10.0),
    "smaller": _moved(scale=0.85),
    "larger": _moved(scale=1.15),
}

PLAIN = ("identity",)


def check_views(views: Sequence[str]) -> tuple[str, ...]:
    """The views as they are; an unknown name, none at all or one named twice is refused."""
    for view in views:
        if view not in VIEWS:
            raise unknown("view", view, VIEWS)
    if not views or len(set(views)) < len(views):
        seen = f"The views are {', '.join(views) or 'none'}."
        raise DessinError(seen, allowed="At least one, and each only once.")
    return tuple(views)
