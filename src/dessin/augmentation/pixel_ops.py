"""The table of pixel functions: what a `PixelStep` of a plan calls by its name.

Every function is `f(pixels, background, values, seeds) -> (pixels, background)` over the n images of a step:

- `pixels` (n, C, S, S) and `background` (n, C), float32, 0..255, C = 1 (gray) or 3; neither is changed in
  place. The background comes back as well, because an op that recolours the paper (jitter, invert, ...) also
  recolours what a later op must fill with.
- `values` (n, k) float32, whose columns are below and in each function's docstring.
- `seeds` (n,) int64, for the functions that draw per pixel; the others do not look at them.

Nothing is read back from the device, and an image's result depends on no other image. What comes in within
0..255 goes out within 0..255.

| name | columns of `values` |
|---|---|
| jitter | brightness factor, contrast factor, saturation factor, hue in turns (1, 1, 1, 0: nothing) |
| brightness, contrast, color, sharpness | factor (1: nothing), as Pillow's ImageEnhance has them |
| blur | standard deviation in pixels |
| noise | standard deviation in levels |
| erase | centre x, centre y, width, height, as shares of the side |
| invert, equalize, autocontrast | none |
| clahe | clip limit (2 is usual) |
| posterize | bits kept, 1..8 |
| solarize | threshold in levels: from there on inverted |
| thickness | factor of the pen's width, 0.5..2 |
| stroke_dropout | share of the page's area |
| ink_fade | factor of the ink's contrast, unevenness over the page 0..1 |
| paper_tone | shift of red, green, blue at the middle, slope along x, slope along y; in levels |
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from dessin.augmentation import photometric, strokes
from dessin.augmentation import photometric as equalisation

PixelFunction = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

PIXEL_FUNCTIONS: dict[str, PixelFunction] = {
    "jitter": photometric.jitter,
    "brightness": photometric.brightness,
    "contrast": photometric.contrast,
    "color": photometric.color,
    "sharpness": photometric.sharpness,
    "blur": photometric.blur,
    "noise": photometric.noise,
    "erase": photometric.erase,
    "invert": photometric.invert,
    "posterize": photometric.posterize,
    "solarize": photometric.solarize,
    "autocontrast": photometric.autocontrast,
    "equalize": equalisation.equalize,
    "clahe": equalisation.clahe,
    "thickness": strokes.thickness,
    "stroke_dropout": strokes.stroke_dropout,
    "ink_fade": strokes.ink_fade,
    "paper_tone": strokes.paper_tone,
}
