from torch import Tensor, lerp

from dessin.augmentation.pixel_draws import smooth_field


def crayon(pixels: Tensor, background: Tensor, values: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Wax stays on the hills of the paper. `values` (n, 1): the share that stays bare."""
    grain = smooth_field(seeds, 24, pixels.shape[-1])
    bare = (4 * (grain + 4 * values[:, :, None, None] - 2)).sigmoid()
    return lerp(pixels, background[:, :, None, None], bare), background
