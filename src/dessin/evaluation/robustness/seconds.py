"""Which drawing stands beside another one: of the same set and fold, and of another class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.evaluation.robustness.suite import SEED
from dessin.randomness import image_keys, uniform


def choose_seconds(
    image_ids: Sequence[str], labels: Sequence[str], folds: Sequence[str], *, seed: int = SEED
) -> NDArray[np.int64]:
    """For each of N drawings the place (0..N-1) of the one beside it, (N,).

    It depends on the drawing and on which drawings the fold has, not on their order. It is of the same fold,
    so that a model that was not trained on the one was not trained on the other.

    Raises:
        DessinError: a fold whose drawings are all of one class.
    """
    draws = uniform(seed, "robustness second", 0, image_keys(image_ids), 1)[:, 0]
    chosen = np.empty(len(image_ids), dtype=np.int64)
    for fold in sorted(set(folds)):
        places = [place for place, other in enumerate(folds) if other == fold]
        places.sort(key=lambda place: image_ids[place])
        if len({labels[place] for place in places}) < 2:
            part = fold if fold == "holdout" else f"fold {fold}"
            raise DessinError(
                f"All {len(places)} drawings of {part} are of the class "
                f'"{labels[places[0]]}", and the suite puts one of another class beside each.',
                do="Split with fewer folds or a larger holdout.",
            )
        for place in places:
            start = int(draws[place] * len(places))
            circle = (places[(start + step) % len(places)] for step in range(len(places)))
            chosen[place] = next(other for other in circle if labels[other] != labels[place])
    return chosen
