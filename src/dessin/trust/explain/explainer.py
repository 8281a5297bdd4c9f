"""A model or a committee that can be asked where it looks: answers, maps, and answers to covered drawings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.answers.committee import LoadedCommittee
from dessin.answers.inference import join, look, tree_of_fold
from dessin.answers.tree import ModelNode, Node, RoutedNode, VoteNode, leaves
from dessin.errors import DessinError
from dessin.images.ground import Pixels
from dessin.models.card import BundleImage
from dessin.models.classifier import Classifier
from dessin.models.network import Network
from dessin.training.folding import folded
from dessin.training.views import PLAIN
from dessin.trust.explain.maps import (
    GRID,
    Floats,
    Split,
    enlarged,
    gradient_cells,
    occlusion_drops,
    papers,
    scaled,
    split_forward,
)
from dessin.trust.explain.sources import Batch

Keep = NDArray[np.bool_]
# The probability (K,) of the explained class where of one drawing only `keep` (K, S, S) is to be seen.
Answer = Callable[[Keep], NDArray[np.float64]]
_SAMPLE = 2
_MASKS = 64


@dataclass(frozen=True)
class Share:
    """A model's part in naming a class: what it calls the class itself, and its weight (0..1)."""

    label: str
    weight: float


def shares(node: Node, label: str) -> dict[str, Share]:
    """The models that name the class `label`, by bundle; their weights sum to 1.

    In a vote these are the ballots' weights. A routed answer is a family's probability times that of a class
    within it, so whoever names the family has one half, and whoever names the class the other.
    """
    found: dict[str, Share] = {}
    for bundle, own, weight in _parts(node, label, 1.0):
        before = found[bundle].weight if bundle in found else 0.0
        found[bundle] = Share(own, before + weight)
    return found


def _parts(node: Node, label: str, weight: float) -> list[tuple[str, str, float]]:
    match node:
        case ModelNode():
            return [(node.bundle, label, weight)]
        case VoteNode():
            total = sum(ballot.weight for ballot in node.ballots)
            below = [(ballot.node, label, ballot.weight / total) for ballot in node.ballots if ballot.weight]
        case RoutedNode():
            family = node.families[label]
            router = (node.router, family) if node.router else (node.generalist, label)
            below = [(*router, 0.5), (node.experts.get(family, node.generalist), label, 0.5)]
    return [part for child, own, share in below for part in _parts(child, own, weight * share)]


@dataclass(frozen=True, eq=False)
class BatchAnswers:
    """What the models of `root` say of a batch: `probabilities` (N, C) of the committee.

    `pixels` (N, channels, S, S) uint8 and `splits`, one a body, by model; without gradients asked for there
    are no splits.
    """

    batch: Batch
    root: Node
    pixels: Mapping[str, Tensor]
    splits: Mapping[str, tuple[Split, ...]]
    probabilities: Floats


def _fit_in_words(image: BundleImage) -> str:
    return image.fit if image.page == "off" else f"{image.fit} of the page"


class Explainer:
    """Asks the models of a committee one after the other; one model is a committee of itself."""

    def __init__(self, loaded: LoadedCommittee, device: torch.device) -> None:
        """Raises:
        DessinError: models that fit drawings into their square in different ways.
        """
        self.loaded, self.device = loaded, device
        self.images: list[BundleImage] = [bundle.card.image for bundle in loaded.bundles.values()]
        fits = sorted({_fit_in_words(image) for image in self.images})
        if len(fits) > 1:
            raise DessinError(
                f"The models of {loaded.committee.name} fit drawings differently ({', '.join(fits)}), so "
                "their maps do not lie over one another.",
                do="Explain its members one by one.",
            )
        self.size = max(image.size for image in self.images)
        self.classes = loaded.committee.classes
        self._ready: dict[str, Network] = {}

    def root(self, fold: int | None) -> Node:
        """The tree that answers for a fold: only models that did not see it; the whole tree for no fold."""
        return self.loaded.committee.root if fold is None else tree_of_fold(self.loaded, fold)

    def ask(self, batch: Batch, *, gradients: bool) -> BatchAnswers:
        """Answers of the models that may be asked about the batch's fold; of all without a fold."""
        committee, root = self.loaded.committee, self.root(batch.fold)
        pixels, splits, answers = {}, {}, {}
        for name in leaves(root):
            card = self.loaded.bundles[name].card
            pixels[name] = batch.pixels(card.image)
            network = self._network(name, pixels[name])
            if gradients:
                splits[name] = split_forward(_with_gradients(network), pixels[name])
            if gradients and committee.views == PLAIN and not card.mirrored:
                logits = torch.stack([split.logits for split in splits[name]]).sum(dim=0).detach().float()
                answers[name] = torch.softmax(logits / card.temperature, dim=1).cpu().numpy()
            else:
                answers[name] = self._looked(name, pixels[name], papers(pixels[name]), committee.views)
        return BatchAnswers(batch, root, pixels, splits, join(self.loaded, answers, root))

    def maps(self, asked: BatchAnswers, labels: Sequence[str], method: str) -> Floats:
        """The weighted mean of the models' maps for the class of each drawing: (N, S, S) float32 in 0..1."""

        def one(name: str, numbers: Tensor) -> Floats:
            if method == "occlusion":
                cells = scaled(occlusion_drops(self._ready[name], asked.pixels[name], numbers))
            else:
                cells = gradient_cells(asked.splits[name], numbers, method)
            return enlarged(cells, self.size)

        return self._weighted(asked, labels, one, self.size)

    def drops(self, asked: BatchAnswers, labels: Sequence[str]) -> Floats:
        """What covering each cell costs the class, in log-probability: (N, g, g) float32."""

        def one(name: str, numbers: Tensor) -> Floats:
            return occlusion_drops(self._ready[name], asked.pixels[name], numbers)

        return self._weighted(asked, labels, one, GRID)

    def cells(self, asked: BatchAnswers, method: str) -> tuple[int, int]:
        """Rows and columns of the finest of the models' maps."""
        if method == "occlusion":
            return GRID, GRID
        splits = chain.from_iterable(asked.splits.values())
        shapes = [split.as_map(split.activations).shape[-2:] for split in splits]
        return max((int(height), int(width)) for height, width in shapes)

    def image(self, asked: BatchAnswers, place: int) -> Pixels:
        """A drawing as the model with the largest images sees it, (S, S, 3) uint8."""
        name = max(asked.pixels, key=lambda name: tuple(asked.pixels[name].shape[:0:-1]))
        pixels: Pixels = asked.pixels[name][place].permute(1, 2, 0).cpu().numpy()
        pixels = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
        return pixels if len(pixels) == self.size else _resized(pixels, self.size)

    def answer(self, asked: BatchAnswers, place: int, label: str) -> Answer:
        """The probability of a class where only parts of one drawing are to be seen, the rest being paper."""
        column = self.classes.index(label)

        def covered(keep: Keep) -> NDArray[np.float64]:
            parts = np.array_split(keep, -(-len(keep) // _MASKS))
            answers = np.concatenate([self._covered(asked, place, part) for part in parts])
            return answers[:, column].astype(np.float64)

        return covered

    def _covered(self, asked: BatchAnswers, place: int, keep: Keep) -> Floats:
        answers = {}
        for name, pixels in asked.pixels.items():
            one, side = pixels[place : place + 1], int(pixels.shape[-1])
            paper = papers(one)
            mask = torch.from_numpy(np.stack([_resized(part, side) for part in keep.astype(np.uint8)]))
            shown = torch.where(mask[:, None].to(self.device) > 0, one, paper[:, :, None, None])
            answers[name] = self._looked(name, shown, paper.expand(len(shown), -1), PLAIN)
        return join(self.loaded, answers, asked.root)

    def _weighted(
        self, asked: BatchAnswers, labels: Sequence[str], one: Callable[[str, Tensor], Floats], side: int
    ) -> Floats:
        parts = [shares(asked.root, label) for label in labels]
        total = np.zeros((len(labels), side, side), dtype=np.float32)
        for name in asked.pixels:
            column = {label: number for number, label in enumerate(self.loaded.bundles[name].card.classes)}
            numbers = [column[part[name].label] if name in part else 0 for part in parts]
            weights = np.array([part[name].weight if name in part else 0.0 for part in parts])
            if weights.any():
                values = one(name, torch.tensor(numbers, device=self.device))
                total += weights[:, None, None].astype(np.float32) * values
        return total

    def _looked(self, name: str, pixels: Tensor, paper: Tensor, views: Sequence[str]) -> Floats:
        temperature = self.loaded.bundles[name].card.temperature
        answer = look(self._ready[name], pixels, paper, temperature=temperature, views=views)
        return answer.cpu().numpy()

    def _network(self, name: str, pixels: Tensor) -> Network:
        """On the device and folded, which gives the same answers in less time."""
        if name not in self._ready:
            network = self.loaded.bundles[name].classifier.to(self.device)
            self._ready[name] = folded(network, pixels[:_SAMPLE])
        return self._ready[name]


def _with_gradients(network: Network) -> Classifier:
    if not isinstance(network, Classifier):
        raise DessinError(
            "The model is an exported one, which has no gradients to make such maps from.",
            do="Use the method occlusion, or name the run or bundle that it was exported from.",
        )
    return network


def _resized(pixels: Pixels, size: int) -> Pixels:
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
