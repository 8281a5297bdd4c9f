"""What answers about corrupted drawings: the models of a tree that did not see them, made fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import join, look, tree_of_fold
from dessin.answers.tree import Node, leaves
from dessin.evaluation.robustness.sketch import Pixels
from dessin.images.ink import border_median
from dessin.images.spec import ImageSpec, Interpolation
from dessin.models.card import BundleImage
from dessin.models.network import Network
from dessin.training.folding import folded
from dessin.training.views import PLAIN

Seen = tuple[ImageSpec, Interpolation]
_SAMPLE = 2


def seen_by(image: BundleImage) -> Seen:
    """What the pixels of a model depend on; models that agree in it share their corrupted drawings."""
    return image.spec, image.interpolation


@dataclass(frozen=True, eq=False)
class _Leaf:
    classifier: Network
    temperature: float
    place: int


class Answerer:
    """Asks the models of a tree about a batch and joins what they say.

    Args:
        seen: the kinds of pixels that a batch comes in, in their order.
        samples: a few real pixels (n, channels, S, S) of each kind, to check the folded models on.
        fold: only models that were validated on it answer; None for all.
        views: replaces the committee's own, where it is not None.
    """

    def __init__(
        self,
        loaded: LoadedCommittee,
        seen: Sequence[Seen],
        samples: Sequence[Pixels],
        *,
        device: torch.device,
        fold: int | None,
        views: Sequence[str] | None,
    ) -> None:
        self.loaded, self.device = loaded, device
        self.root: Node = loaded.committee.root if fold is None else tree_of_fold(loaded, fold)
        self.views = tuple(loaded.committee.views if views is None else views)
        self._leaves: dict[str, _Leaf] = {}
        for name in leaves(self.root):
            bundle = loaded.bundles[name]
            place = list(seen).index(seen_by(bundle.card.image))
            sample = torch.from_numpy(np.array(samples[place][:_SAMPLE])).to(device)
            ready = folded(bundle.classifier.to(device), sample)
            self._leaves[name] = _Leaf(ready, bundle.card.temperature, place)

    def __call__(self, batches: Sequence[Pixels]) -> NDArray[np.float32]:
        """Probabilities (n, C) of the drawings in `batches`, one batch for each kind of pixels."""
        ready = [self._ready(batch) for batch in batches]
        answers = {
            name: look(leaf.classifier, *ready[leaf.place], temperature=leaf.temperature, views=self.views)
            .cpu()
            .numpy()
            for name, leaf in self._leaves.items()
        }
        return join(self.loaded, answers, self.root)

    def _ready(self, batch: Pixels) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels and, where a view looks beyond the page, the paper as it is after the corruption."""
        shape = batch.shape[:2]
        paper = (
            np.zeros(shape, dtype=np.uint8)
            if self.views == PLAIN
            else np.stack([border_median(picture.transpose(1, 2, 0)) for picture in batch])
        )
        return torch.from_numpy(batch).to(self.device), torch.from_numpy(paper).to(self.device)
