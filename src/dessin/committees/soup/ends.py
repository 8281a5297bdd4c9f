"""The two ends of a fine-tuning: the probe that it began at, fitted again, and what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dessin.answers.inference import predict_rows
from dessin.committees.soup.members import (
    SoupMembers,
    answers_of,
    names_apart,
    own_bundle,
    training_data,
    training_rows,
)
from dessin.committees.soup.result import PROBE, TUNED
from dessin.committees.soup.weights import Floats, State
from dessin.errors import DessinError
from dessin.files import read_csv
from dessin.images.store import PixelStore
from dessin.models.bundle import Bundle
from dessin.models.lora import merge_lora
from dessin.recipe import TeacherSpec
from dessin.runs.inputs import Inputs, class_numbers
from dessin.runs.joined import Measured, finished_record, own_predictions, own_split
from dessin.runs.prepare import Prepared, prepare
from dessin.runs.stages import PROBE_VIEWS
from dessin.statistics.intervals import group_index
from dessin.training.features import extract_features
from dessin.training.probe import shared_probe

CURVE_FILE = "curve.csv"
# The run's own answers again, but for the order of float32 sums.
_SAME_ANSWERS = 1e-4
# A probe of another machine's features may name an image or two in a thousand otherwise.
_SAME_SHARE = 0.002


def read_tuned(folder: Path) -> Measured:
    """The run, if it has two ends to go between.

    Raises:
        DessinError: an unfinished run, one without validation images, that began at no probe, or that ended
            with it.
    """
    record = finished_record(folder)
    name, finetune = names_apart([folder])[0], record.recipe.finetune
    if finetune.start != "probe" or finetune.mode == "probe":
        what = "is a probe itself" if finetune.mode == "probe" else f"began its head {_BEGAN[finetune.start]}"
        raise DessinError(
            f"{name} {what}, so there are no two models to go between.",
            allowed="The kind wise needs one run that was fine-tuned from a probe.",
            do="Train with finetune.mode: probe_then_full.",
        )
    if "validation" not in record.results:
        raise DessinError(
            f"{name} has no validation results (its fold is {record.recipe.data.fold}), so no step can be "
            "chosen.",
            do="Use a run that validated a fold.",
        )
    if record.decided("best_epoch", int) == 0:
        raise DessinError(
            f"{name} kept the weights of its probe: no epoch of its fine-tuning was better. Both ends are "
            "the same model, and nothing lies between.",
            do="Fine-tune again with a lower optimizer.lr or more epochs.",
        )
    split = own_split(folder, record)
    return Measured(name, folder, record, split, own_predictions(folder, record, split, "validation"))


_BEGAN = {"new": "anew", "imagenet": "at ImageNet's rows"}


def read_ends(
    run: Measured, inputs: Inputs, store: PixelStore, device: torch.device
) -> tuple[SoupMembers, tuple[str, ...]]:
    """The members "probe" and "fine-tuned", in this order, and notes of how they were found to be right.

    Raises:
        DessinError: an end that is not the run's: other answers than it has kept, or another accuracy than
            its curve states for the probe.
    """
    bundle = own_bundle(run)
    classifier = bundle.with_weights("a soup")
    row_of = {row.image_id: row for row in run.split.rows}
    rows = tuple(row_of[image_id] for image_id in sorted(run.predictions.image_ids))
    where = store.rows([row.image_id for row in rows])
    tuned, known = classifier.plain_state(), answers_of(run, rows, bundle.card.classes)
    again = predict_rows(classifier, store, where, device=device, label="the fine-tuned end")
    same = _check_tuned(run, again, known)
    start = _start_state(run, bundle, inputs, store, device)
    if all(torch.equal(start[name], tuned[name]) for name in tuned):
        raise DessinError(f"{run.name} has the very weights of its probe.", do="Fine-tune it longer.")
    classifier.load_state_dict(start)
    begun = predict_rows(classifier, store, where, device=device, label="the probe's end")
    targets = class_numbers(rows, bundle.card.classes)
    accuracy = float((begun.argmax(axis=1) == targets).mean())
    members = SoupMembers(
        names=(PROBE, TUNED),
        runs=(run,),
        card=bundle.card,
        classifier=classifier,
        states=(start, tuned),
        answers=(begun, known),
        rows=rows,
        targets=targets,
        groups=group_index([row.group for row in rows]),
    )
    return members, (same, _check_probe(run, accuracy, len(rows)))


def _check_tuned(run: Measured, again: Floats, known: Floats) -> str:
    """The bundle must give the run's own answers; how nearly it does."""
    difference = float(np.abs(again - known).max())
    if difference > _SAME_ANSWERS:
        raise DessinError(
            f"The bundle of {run.name} does not give the run's own probabilities: one differs by "
            f"{difference:.2g}.",
            allowed=f"Up to {_SAME_ANSWERS:g} is the order of sums.",
            do="Use the versions and the hardware that it was trained with, or train it again here.",
        )
    same = "to the last digit" if difference == 0.0 else f"to {difference:.1g}"
    return f"The fine-tuned end gives the run's own probabilities again, {same}."


def _start_state(
    run: Measured, bundle: Bundle, inputs: Inputs, store: PixelStore, device: torch.device
) -> State:
    """The weights that the run began at: the pretrained body with a probe, fitted as the run fitted it."""
    prepared = _prepared(run, inputs)
    rows = training_rows(run, inputs)
    data = training_data(rows, bundle.card.classes, store)
    classifier = prepared.model.classifier
    features = extract_features(
        classifier, prepared.weights.sha256, store, data.train_rows, PROBE_VIEWS, device=device
    )
    weight, bias, _ = shared_probe(
        features,
        data.train_labels,
        [row.group for row in rows],
        classifier.classes,
        seed=run.record.recipe.seed,
    )
    classifier.start_head(torch.from_numpy(weight), torch.from_numpy(bias), torch.from_numpy(features[0]))
    merge_lora(classifier)
    return classifier.plain_state()


def _prepared(run: Measured, inputs: Inputs) -> Prepared:
    """The model as the run built it. A probe is fitted to labels, so a teacher is not asked for."""
    record = run.record
    recipe = record.recipe.model_copy(update={"teacher": TeacherSpec()})
    prepared = prepare(recipe, inputs, decided=record.decisions)
    if prepared.weights.sha256 != record.digests.weights:
        raise DessinError(
            f"The pretrained weights that are here (sha256 {prepared.weights.sha256[:12]}…) are not those "
            f"that {run.name} began with ({record.digests.weights[:12]}…).",
            do="Restore them.",
        )
    return prepared


def _check_probe(run: Measured, accuracy: float, images: int) -> str:
    """The probe's accuracy must be what the curve states for the epoch 0, where it states it."""
    stated = stated_accuracy(run.folder)
    if stated is None:
        return (
            f"The probe was fitted again; it names {accuracy:.1%} right. The run's curve does not state it."
        )
    if abs(stated - accuracy) > max(_SAME_SHARE, 1.5 / images):
        raise DessinError(
            f"The probe that was fitted again names {accuracy:.2%} of the validation images right, and the "
            f"curve of {run.name} says that it began at {stated:.2%}.",
            do="Use the versions and the hardware that it was trained with, or train it again here.",
        )
    told = "as the run's curve states for its epoch 0"
    if round(abs(stated - accuracy) * images):
        told = f"where the run's curve states {stated:.1%} for its epoch 0: within rounding"
    return f"The probe was fitted again; it names {accuracy:.1%} right, {told}."


def stated_accuracy(folder: Path) -> float | None:
    """What the run's curve says of the probe: its accuracy at epoch 0, if it was measured."""
    if not (folder / CURVE_FILE).is_file():
        return None
    rows = read_csv(folder / CURVE_FILE, ["epoch", "validation_accuracy"])[1]
    found = next((row["validation_accuracy"] for row in rows if row["epoch"] == "0"), "")
    return float(found) if found else None
