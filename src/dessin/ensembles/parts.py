"""Images dealt into parts, each of which can be kept away from a choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.randomness import image_keys, permutation

PARTS = 5


def deal_groups(groups: NDArray[np.int64], image_ids: Sequence[str], *, seed: int = 0) -> NDArray[np.int64]:
    """The part of each image, (N,): five parts of whole `groups` (N,), or as many as there are groups.

    The largest groups go first, each into the part with the fewest images. It is done by the names of images
    and the seed; which images come first, and how groups are numbered, does not matter.

    Raises:
        DessinError: all images are in one group.
    """
    index = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(index)
    if len(sizes) < 2:
        raise DessinError(
            "All images are in one group, so no part of them can be kept apart to measure a choice.",
            do="Use more images, or runs of more folds.",
        )
    # The first image by name stands for its group, since groups of one have no name of their own.
    by_name = np.array(sorted(range(len(index)), key=lambda image: image_ids[image]))
    leader = by_name[np.unique(index[by_name], return_index=True)[1]]
    order = permutation(seed, "outer parts", 0, image_keys([image_ids[image] for image in leader]))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(min(PARTS, len(sizes)), dtype=np.int64)
    part_of = np.empty(len(sizes), dtype=np.int64)
    for group in order:
        part_of[group] = filled.argmin()
        filled[part_of[group]] += sizes[group]
    return np.asarray(part_of[index])
