"""What a committee answers: its leaves one after the other, each in all views, then the tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.ensembles.committee import LoadedCommittee
from dessin.ensembles.tree import (
    ModelNode,
    Node,
    RoutedNode,
    VoteNode,
    by_name,
    combine,
    leaves,
    restricted,
)
from dessin.errors import DessinError
from dessin.evaluation.inference import predict_rows
from dessin.images.store import PixelStore
from dessin.models.card import BundleImage
from dessin.statistics.temperature import tempered

OpenStore = Callable[[BundleImage], PixelStore]


def answer_rows(
    loaded: LoadedCommittee,
    open_store: OpenStore,
    image_ids: Sequence[str],
    *,
    device: torch.device,
    fold: int | None = None,
    views: Sequence[str] | None = None,
) -> NDArray[np.float32]:
    """Probabilities (N, C) float32 of images, columns in the order of the committee's classes.

    With `fold` only the leaves that validated that fold answer, so that none of them was trained on it.
    `views` replaces the committee's own.

    Raises:
        DessinError: no leaf that validated the fold, where one is asked for.
    """
    committee = loaded.committee
    root = committee.root if fold is None else tree_of_fold(loaded, fold)
    names = leaves(root)
    answers: dict[str, NDArray[np.float32]] = {}
    for number, name in enumerate(names, start=1):
        bundle = loaded.bundles[name]
        store = open_store(bundle.card.image)
        answers[name] = predict_rows(
            bundle.classifier,
            store,
            store.rows(image_ids),
            device=device,
            temperature=bundle.card.temperature,
            views=committee.views if views is None else views,
            label=f"model {number} of {len(names)}",
        )
    return join(loaded, answers, root)


def folds_of(loaded: LoadedCommittee) -> tuple[int, ...]:
    """The folds whose images the whole tree can be asked about, each member through a model without them."""
    fold = {name: bundle.card.provenance.get("fold", "") for name, bundle in loaded.bundles.items()}
    return tuple(sorted(_folds(loaded.committee.root, fold)))


def _folds(node: Node, fold: Mapping[str, str]) -> frozenset[int]:
    match node:
        case ModelNode():
            return frozenset(int(text) for text in [fold[node.bundle]] if text.isdigit())
        case VoteNode():
            parts = [_folds(ballot.node, fold) for ballot in node.ballots if ballot.weight]
            # Models of several folds stand beside one another as well as members do: what counts is where
            # no fewer voters can answer than anywhere else.
            voters = Counter(number for part in parts for number in part)
            most = max(voters.values(), default=0)
            return frozenset(number for number, count in voters.items() if count == most)
        case RoutedNode():
            below = [node.generalist, *([node.router] if node.router else []), *node.experts.values()]
            return frozenset.intersection(*(_folds(child, fold) for child in below))


def join(
    loaded: LoadedCommittee, answers: Mapping[str, NDArray[np.float32]], root: Node | None = None
) -> NDArray[np.float32]:
    """The committee's probabilities (N, C) from those of its leaves."""
    committee = loaded.committee
    classes_of = {name: loaded.bundles[name].card.classes for name in answers}
    answer = combine(root or committee.root, answers, classes_of)
    table = by_name(answer, committee.classes, what="The committee")
    return tempered(table, committee.temperature).astype(np.float32)


def tree_of_fold(loaded: LoadedCommittee, fold: int) -> Node:
    """The part of the tree whose models were validated on the fold."""
    root = restricted(
        loaded.committee.root,
        lambda name: loaded.bundles[name].card.provenance.get("fold") == str(fold),
    )
    if root is None:
        raise DessinError(
            f"No model of the committee {loaded.committee.name} was validated on fold {fold}.",
            allowed="What a committee answers out of fold, its models must have been trained for.",
            do="Train its members with --folds all, or ask for a fold that they have.",
        )
    return root
