"""What models answer to rows of a pixel store: one classifier in its views, or a committee's leaves and
then its tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dessin.answers.committee import LoadedCommittee
from dessin.answers.tree import ModelNode, Node, RoutedNode, VoteNode, by_name, combine, leaves, restricted
from dessin.errors import DessinError
from dessin.images.store import PixelStore
from dessin.models.card import BundleImage
from dessin.progress import track
from dessin.statistics.temperature import tempered
from dessin.training.data import PixelSource
from dessin.training.views import PLAIN, VIEWS

if TYPE_CHECKING:
    from dessin.models.network import Network


BATCH = 64


def predict_rows(
    classifier: Network,
    store: PixelStore,
    rows: NDArray[np.int64],
    *,
    device: torch.device,
    temperature: float = 1.0,
    views: Sequence[str] = PLAIN,
    label: str = "Predicting",
) -> NDArray[np.float32]:
    """Probabilities (n, C) float32 of the store's `rows` (n,), in evaluation mode and float32 arithmetic."""
    source = PixelSource(store, device)
    classifier.to(device).eval()
    batches = (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
    parts = []
    for batch in track(batches, len(rows), label, size=len):
        pixels, background = source.gather(batch)
        answer = look(classifier, pixels, background, temperature=temperature, views=views)
        parts.append(answer.cpu().numpy())
    nothing = np.zeros((0, classifier.classes), dtype=np.float32)
    return np.concatenate([nothing, *parts])


def look(
    classifier: Network,
    pixels: Tensor,
    background: Tensor,
    *,
    temperature: float = 1.0,
    views: Sequence[str] = PLAIN,
) -> Tensor:
    """The mean probabilities (N, C) float32 over views of pixels (N, channels, S, S) uint8.

    `background` (N, channels) uint8 fills what a view looks at beyond the picture. In views that change
    nothing of a drawing the mean is the plain answer itself.
    """
    return look_with_energy(classifier, pixels, background, temperature=temperature, views=views)[0]


def look_with_energy(
    classifier: Network,
    pixels: Tensor,
    background: Tensor,
    *,
    temperature: float = 1.0,
    views: Sequence[str] = PLAIN,
) -> tuple[Tensor, Tensor]:
    """What `look` gives, and the mean energies (N,) float32: log-sum-exp of the logits before temperature."""
    with torch.inference_mode():
        total = torch.zeros((), device=pixels.device)
        energy = torch.zeros((), device=pixels.device)
        for view in views:
            logits = classifier(VIEWS[view](pixels, background)).float()
            total = total + torch.softmax(logits / temperature, dim=1)
            energy = energy + torch.logsumexp(logits, dim=1)
        if not bool(torch.isfinite(total).all() & torch.isfinite(energy).all()):
            raise DessinError(
                "The model answers with NaN or infinity in place of numbers, so it is not used.",
                do="Copy the model again; if it is so at its source, train it again.",
            )
        return total / len(views), energy / len(views)


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
            label=f"Asking model {number} of {len(names)}" if len(names) > 1 else "Asking the model",
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
    provenance = {name: bundle.card.provenance for name, bundle in loaded.bundles.items()}
    root = restricted(loaded.committee.root, lambda name: provenance[name].get("fold") == str(fold))
    if root is None:
        raise DessinError(
            f"No model of the committee {loaded.committee.name} was validated on fold {fold}.",
            allowed="What a committee answers out of fold, its models must have been trained for.",
            do="Train its members with --folds all, or ask for a fold that they have.",
        )
    return root
