"""The runs of a soup: measured on the same images, begun from the same weights; and what mixes those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.collection.split.files import Assignment
from dessin.committees.members import told_apart
from dessin.committees.soup.weights import Floats, Mixer, State, alone
from dessin.errors import DessinError
from dessin.images.store import PixelStore
from dessin.models.bundle import Bundle, load_bundle
from dessin.models.card import BundleCard
from dessin.models.classifier import Classifier
from dessin.runs.folds import is_fold_folder
from dessin.runs.inputs import Inputs, class_numbers, training_curation
from dessin.runs.joined import Measured, join_runs
from dessin.runs.plan import rows_of
from dessin.runs.record import RunRecord
from dessin.training.data import TrainingData

_USUAL_BATCH = 32


@dataclass(frozen=True, eq=False)
class SoupMembers:
    """M sets of weights with their answers (N, C) on the N common validation images, by id.

    `runs` are those that the weights come from: a run for each, or one for both ends of a fine-tuning.
    `classifier` is an empty one of their kind, to be filled; `targets` and `groups` are (N,) int64.
    """

    names: tuple[str, ...]
    runs: tuple[Measured, ...]
    card: BundleCard
    classifier: Classifier
    states: tuple[State, ...]
    answers: tuple[Floats, ...]
    rows: tuple[Assignment, ...]
    targets: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def fold(self) -> int:
        fold = self.runs[0].record.recipe.data.fold
        assert isinstance(fold, int), "runs that validated a fold"
        return fold


def read_members(folders: Sequence[Path]) -> SoupMembers:
    """Read the runs, in the order given.

    Raises:
        DessinError: runs that were not measured on the same images, or that do not share a start.
    """
    joined = join_runs(folders, "validation")
    names = names_apart(folders)
    runs = tuple(replace(run, name=name) for run, name in zip(joined.runs, names, strict=True))
    bundles = [own_bundle(run) for run in runs]
    cards = [bundle.card for bundle in bundles]
    _check_start(runs, cards)
    classifiers = [bundle.with_weights("a soup") for bundle in bundles]
    states = tuple(classifier.plain_state() for classifier in classifiers)
    _check_shapes(runs, states)
    row_of = {row.image_id: row for row in runs[0].split.rows}
    rows = tuple(row_of[image_id] for image_id in joined.image_ids)
    return SoupMembers(
        names=names,
        runs=runs,
        card=cards[0],
        classifier=classifiers[0],
        states=states,
        answers=tuple(answers_of(run, rows, cards[0].classes) for run in runs),
        rows=rows,
        targets=class_numbers(rows, cards[0].classes),
        groups=joined.groups,
    )


def names_apart(folders: Sequence[Path]) -> tuple[str, ...]:
    """Each run by its folder, with as many parents as it takes to tell all apart; `fold-0` says little."""
    paths = [folder.resolve() for folder in folders]
    return told_apart(paths, depth=2 if any(map(is_fold_folder, paths)) else 1)


def own_bundle(run: Measured) -> Bundle:
    """A run's bundle; one that its predictions did not come from is refused."""
    bundle = load_bundle(run.folder / "bundle")
    if run.record.digests.model not in ("", bundle.card.digests["weights"]):
        raise DessinError(
            f"{run.folder / 'bundle'} is not the model that gave the predictions of {run.name}.",
            do="Restore it, or leave the run out.",
        )
    return bundle


def answers_of(run: Measured, rows: Sequence[Assignment], classes: tuple[str, ...]) -> Floats:
    """What a run answered, (N, C), in the order of `rows`."""
    predictions = run.predictions
    if predictions.classes != classes:
        raise DessinError(
            f"The predictions of {run.name} and its bundle do not have the same list of classes.",
            do=f"Evaluate the run again with dessin evaluate {run.folder} --out OUT.",
        )
    return predictions.table([row.image_id for row in rows], classes)


def _check_start(runs: Sequence[Measured], cards: Sequence[BundleCard]) -> None:
    """Means of weights mean something only for runs that went out from the same point."""
    facts = [_facts(run, card) for run, card in zip(runs, cards, strict=True)]
    for what in facts[0]:
        values = [fact[what] for fact in facts]
        other = next((i for i, value in enumerate(values) if value != values[0]), None)
        if other is not None:
            raise DessinError(
                f"The runs do not share a start. {what}: {values[0]} in {runs[0].name}; {values[other]} in "
                f"{runs[other].name}.",
                allowed="The weights of a soup are means of runs of one backbone, from the same pretrained "
                "weights and the same start of the head, on one fold of one split.",
                do="Leave that run out; models that differ are joined by dessin ensemble.",
            )


def _facts(run: Measured, card: BundleCard) -> dict[str, str]:
    """What must be equal, in words."""
    record, image = run.record, card.image
    digest = record.digests.weights
    return {
        "The backbone": card.backbone,
        "The pretrained weights": f"sha256 {digest[:12]}…" if digest else f"drawn from seed {record.seed}",
        "The image": f"{image.size} px, {image.colour}, {image.fit}{', CLAHE' if image.clahe else ''}",
        "The normalisation": f"mean {image.mean}, std {image.std}, {image.interpolation}",
        "The head": card.head,
        "The start of the head": _head_start(record),
        "The list of classes": f"{len(card.classes)} from {card.classes[0]} to {card.classes[-1]}",
        "The split": f"sha256 {record.digests.split[:12]}…",
        "The fold": str(record.recipe.data.fold),
    }


def _head_start(record: RunRecord) -> str:
    """A probe is the minimum of a convex loss, whatever the seed; a new head is drawn from it."""
    start = record.recipe.finetune.start
    words = {"probe": "a probe", "imagenet": "ImageNet's rows"}
    return words.get(start, f"drawn from seed {record.seed}")


def _check_shapes(runs: Sequence[Measured], states: Sequence[State]) -> None:
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    for run, own in zip(runs[1:], shapes[1:], strict=True):
        if own != shapes[0]:
            raise DessinError(
                f"The weights of {run.name} and {runs[0].name} do not have the same shapes.",
                do="Leave one of them out.",
            )


def make_mixer(members: SoupMembers, inputs: Inputs, store: PixelStore, device: torch.device) -> Mixer:
    """A mixer of the members whose own answers are known already."""
    guide = guide_of(members.runs)
    count = len(members.states)
    return Mixer(
        classifier=members.classifier,
        states=members.states,
        store=store,
        rows=store.rows([row.image_id for row in members.rows]),
        training=lambda: training_data(training_rows(guide, inputs), members.card.classes, store),
        recipe=guide.record.recipe,
        batch_size=guide.record.decided("batch_size", int) or _USUAL_BATCH,
        device=device,
        known={alone(number, count): answers for number, answers in enumerate(members.answers)},
    )


def guide_of(runs: tuple[Measured, ...]) -> Measured:
    """The run whose images and augmentation batch statistics are estimated with.

    Any would do that trained; it is the first by the digest of its weights, so that neither the order of the
    runs nor what they got right has a say.
    """
    trained = [run for run in runs if run.record.recipe.finetune.mode != "probe"]
    return min(trained or runs, key=lambda run: run.record.digests.model)


def training_rows(run: Measured, inputs: Inputs) -> tuple[Assignment, ...]:
    """The images that a run was trained on, after its training curation.

    Raises:
        DessinError: the curation is not the one that the run had.
    """
    curation = training_curation(run.record.recipe.data.training_curation, inputs.manifest)
    if (curation.digest if curation else "") != run.record.digests.training_curation:
        raise DessinError(
            f"The training curation of {run.name} has changed since, so its training images are not known.",
            do="Restore it, or leave the run out.",
        )
    return rows_of(inputs.split, run.record.recipe, curation)[0]


def training_data(rows: tuple[Assignment, ...], classes: tuple[str, ...], store: PixelStore) -> TrainingData:
    """Training images alone; nothing is validated with them."""
    where = store.rows([row.image_id for row in rows])
    return TrainingData(store, where, class_numbers(rows, classes), where[:0], where[:0])
