"""The table of default backbones: what is trained, tried and shown where nobody names one; no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

# What a recipe that names none trains; a recipe means the same on every machine.
RECIPE = "tf_efficientnet_lite0"
# What `dessin demo` compares, anywhere in minutes.
DEMO = ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
# What `dessin auto` and `scout` always try: their weights come as packages, so no internet is needed.
ALWAYS = ("tf_efficientnet_lite0:drawn", "tf_efficientnet_lite0", "tf_efficientnet_lite2")
# Where the column `sketch` is from: the row at the side that the weights were made for. A backbone without a
# figure has no row there.
SKETCH_SOURCE = "timm, results/results-sketch.csv, commit 7479d451"

Tier = Literal["packaged", "small", "strong", "named"]


@dataclass(frozen=True)
class Backbone:
    """A row: `packaged` anywhere, `small` where the hub is, `strong` on a GPU, `named` only when asked for.

    `licence` is of the weights, as SPDX writes it. `millions` are the parameters without a head, `gmacs` the
    billions of multiplications of an image at `size`, the side in pixels that it was trained at; it reads
    sides that `step` divides. `sketch` is its accuracy in percent on ImageNet-Sketch without having been
    trained on drawings (`SKETCH_SOURCE`), None where that has none. `features_gib` is for features of 64
    images in float32, `tuning_gib` for a step of all its weights with AdamW and 8 images, `lora_gib` for one
    of low-rank updates (None: not offered), all at `size`. Steps of the strong and the named are in bfloat16
    with fused attention, as a GPU computes them, and a fifth is allowed for what stays in float32; those of
    others in float32. All are calculated from the layers, not measured on a GPU.
    """

    name: str
    tier: Tier
    licence: str
    millions: float
    gmacs: float
    sketch: float | None
    size: int
    features_gib: float
    tuning_gib: float
    step: int = 1
    lora_gib: float | None = None

    @property
    def gigabytes(self) -> float:
        """Of the file of its weights."""
        return 4e-3 * self.millions

    @property
    def described(self) -> str:
        sketch = f", {self.sketch}% on ImageNet-Sketch" if self.sketch is not None else ""
        return f"{self.licence}, {self.millions:.0f} M parameters{sketch}"

    def side(self, most: int) -> int:
        """The largest side in pixels up to `most` that it reads and was trained at."""
        return min(most, self.size) // self.step * self.step


# Of each tier the first that fits is taken first.
TABLE = (
    Backbone("tf_efficientnet_lite0", "packaged", "Apache-2.0", 3.4, 0.4, 24.4, 224, 1.2, 0.8),
    Backbone("tf_efficientnet_lite1", "packaged", "Apache-2.0", 4.1, 0.6, 25.5, 240, 1.3, 1.2),
    Backbone("tf_efficientnet_lite2", "packaged", "Apache-2.0", 4.8, 0.9, 24.6, 260, 1.6, 1.5),
    Backbone(
        "eva02_large_patch14_448.mim_m38m_ft_in22k_in1k",
        *("strong", "MIT", 304.1, 361.7, 70.7, 448, 3.8, 17.7),
        step=14,
        lora_gib=14.3,
    ),
    # Its weights came after that table. 71.7% is said of it, and no source for that could be read.
    Backbone(
        "vit_so400m_patch14_siglip_378.webli_ft_in1k",
        *("strong", "Apache-2.0", 428.2, 335.2, None, 378, 4.6, 15.1),
        step=14,
        lora_gib=10.3,
    ),
    Backbone(
        "convnext_large_mlp.clip_laion2b_soup_ft_in12k_in1k_320",
        *("strong", "Apache-2.0", 198.6, 70.1, 64.9, 320, 5.4, 7.3),
        lora_gib=4.7,
    ),
    Backbone(
        "vit_pe_core_large_patch14_336.fb",
        *("strong", "Apache-2.0", 316.1, 192.2, None, 336, 3.4, 11.4),
        step=14,
        lora_gib=7.8,
    ),
    Backbone(
        "vit_so400m_patch14_siglip_gap_224.v2_webli",
        *("strong", "Apache-2.0", 412.4, 109.5, None, 224, 2.6, 9.7),
        step=14,
        lora_gib=5.1,
    ),
    Backbone(
        "convnext_base.clip_laion2b_augreg_ft_in12k_in1k",
        *("strong", "Apache-2.0", 87.6, 20.1, 59.8, 256, 2.3, 3.2),
        lora_gib=2.0,
    ),
    Backbone(
        "tiny_vit_21m_224.dist_in22k_ft_in1k",
        *("small", "Apache-2.0", 20.6, 4.2, 44.8, 224, 1.2, 1.8),
        step=32,
    ),
    Backbone("convnext_small.fb_in22k_ft_in1k", *("small", "Apache-2.0", 49.5, 8.7, 43.6, 224, 1.3, 2.4)),
    # Its licence is its own and asks for consent: never taken unless a person names it.
    Backbone(
        "vit_large_patch16_dinov3.lvd1689m",
        *("named", "dinov3-license", 303.1, 82.4, None, 256, 2.1, 8.1),
        step=16,
        lora_gib=4.4,
    ),
)
ROWS = {row.name: row for row in TABLE}


def side_of(name: str, most: int) -> int:
    """The side in pixels at which a candidate is used where up to `most` are wanted."""
    row = ROWS.get(name.partition(":")[0])
    return row.side(most) if row else most


def joint_side(names: Iterable[str], most: int) -> int:
    """The largest side up to `most` that all of them read, and that one of them was trained at or more."""
    rows = [ROWS[name] for name in names if name in ROWS]
    step = math.lcm(*(row.step for row in rows))
    largest = max((row.size for row in rows), default=most)
    return max(step, min(most, largest) // step * step)
