"""What the generalist, the router and the experts say of the same images, and how that is joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.inference import predict_rows
from dessin.answers.predictions import read_predictions
from dessin.answers.tree import ModelNode, RoutedNode, combine
from dessin.committees.families.family_map import FamilyMap
from dessin.committees.families.verb import OutOfFold
from dessin.committees.members import Members
from dessin.committees.route.parts import TrainedPart
from dessin.models.bundle import load_bundle
from dessin.runs.inputs import Inputs
from dessin.training.device import choose_device

Floats = NDArray[np.float64]
_GENERALIST, _ROUTER = "generalist", "router"


@dataclass(frozen=True, eq=False)
class RouteAnswers:
    """Out-of-fold answers of N images, in the order of the members' rows.

    Attributes:
        generalist: what it says, with targets, groups and folds.
        router: (N, F) over the families in the order of their names; None without one.
        experts: family → (N, classes of the family), also of images of other families.
    """

    generalist: OutOfFold
    families: FamilyMap
    router: Floats | None
    experts: Mapping[str, Floats]

    @property
    def family(self) -> NDArray[np.int64]:
        """The family number of each class, (C,)."""
        return self.families.numbers(self.generalist.classes)

    @property
    def truth(self) -> NDArray[np.int64]:
        """The true family of each image, (N,)."""
        return self.family[self.generalist.targets]

    def joined(self, *, router: Floats | None, experts: bool) -> Floats:
        """The routed probabilities (N, C); without a `router` (N, F), the generalist's own sums count."""
        answers: dict[str, NDArray[Any]] = {_GENERALIST: self.generalist.probabilities}
        classes_of = {_GENERALIST: self.generalist.classes}
        if router is not None:
            answers[_ROUTER], classes_of[_ROUTER] = router, self.families.names
        chosen = self.experts if experts else {}
        for name, table in chosen.items():
            answers[f"expert {name}"], classes_of[f"expert {name}"] = table, self.families.members(name)
        node = RoutedNode(
            generalist=ModelNode(bundle=_GENERALIST),
            router=None if router is None else ModelNode(bundle=_ROUTER),
            families=dict(self.families.family_of),
            experts={name: ModelNode(bundle=f"expert {name}") for name in chosen},
        )
        return combine(node, answers, classes_of)[0]

    def perfect_router(self) -> Floats:
        """Probability 1 for the true family, (N, F)."""
        return np.eye(len(self.families.names))[self.truth]


def collect_answers(
    members: Members,
    generalist: OutOfFold,
    families: FamilyMap,
    trained: Sequence[TrainedPart],
    inputs: Inputs,
) -> RouteAnswers:
    """The router's own validation answers, and each expert's to all images of the folds that it validates."""
    rows_of = {
        fold: np.array([i for i, row in enumerate(members.rows) if row.fold == fold], dtype=np.int64)
        for fold in members.folds
    }
    router: Floats | None = None
    experts: dict[str, Floats] = {}
    for part in trained:
        rows = rows_of[part.fold]
        ids = [members.rows[i].image_id for i in rows]
        count = len(part.part.split.classes)
        if part.part.family:
            table = experts.setdefault(part.part.family, np.zeros((len(members.rows), count)))
            table[rows] = _look(part, ids, inputs)
        else:
            router = np.zeros((len(members.rows), count)) if router is None else router
            router[rows] = _own(part, ids)
    return RouteAnswers(generalist, families, router, experts)


def _own(part: TrainedPart, image_ids: Sequence[str]) -> NDArray[np.float32]:
    """What the run itself wrote, in the order of `image_ids`."""
    own = read_predictions(part.folder / "validation")
    row = {image_id: i for i, image_id in enumerate(own.image_ids)}
    return own.probabilities[[row[image_id] for image_id in image_ids]]


def _look(part: TrainedPart, image_ids: Sequence[str], inputs: Inputs) -> NDArray[np.float32]:
    """An expert's answers to images of every family: in a committee it is asked about all of them."""
    bundle = load_bundle(part.bundle)
    image = bundle.card.image
    store = inputs.open_store(image.spec, image.interpolation)
    return predict_rows(
        bundle.classifier,
        store,
        store.rows(image_ids),
        device=torch.device(str(choose_device().value)),
        temperature=bundle.card.temperature,
        label=f"asking {part.folder.name}",
    )
