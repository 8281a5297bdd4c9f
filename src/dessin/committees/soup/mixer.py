"""What mixtures of weights are asked about, and trained statistics come from: pixels, rows and a recipe."""

from __future__ import annotations

import torch

from dessin.collection.split.files import Assignment
from dessin.committees.soup.choice import alone
from dessin.committees.soup.members import SoupMembers
from dessin.committees.soup.weights import Mixer
from dessin.errors import DessinError
from dessin.images.store import PixelStore
from dessin.runs.inputs import Inputs, class_numbers, training_curation
from dessin.runs.joined import Measured
from dessin.runs.plan import rows_of
from dessin.training.data import TrainingData

_USUAL_BATCH = 32


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
        batch_size=_batch_size(guide),
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


def _batch_size(run: Measured) -> int:
    decided = {decision.name: decision.value for decision in run.record.decisions}
    return int(decided.get("batch_size", _USUAL_BATCH))
