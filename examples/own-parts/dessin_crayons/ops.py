from dessin.augmentation.draws import up_to
from dessin.augmentation.ops import ALWAYS, strength
from dessin.augmentation.spec import Act, OpSpec

CRAYON = OpSpec(
    "crayon",
    "wax that leaves up to a share of the paper's grain bare",
    (strength("share", 1), ALWAYS),
    Act("crayon {0:.0%}", pixels="dessin_crayons.pixels:crayon"),
    columns=1,
    draw=up_to,
    seeded=True,
)
