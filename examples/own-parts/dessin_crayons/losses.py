from dessin.models.losses import LossSpec

POLY = LossSpec("poly", "dessin_crayons.poly:poly", arguments=("epsilon",))
