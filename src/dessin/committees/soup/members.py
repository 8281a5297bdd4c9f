"""What a soup is mixed from: runs that share a start, or the two ends of one fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.inference import predict_rows
from dessin.collection.split.files import Assignment
from dessin.committees.members import told_apart
from dessin.committees.soup.result import PROBE, TUNED
from dessin.committees.soup.weights import Floats, Mixer, State, alone
from dessin.errors import DessinError
from dessin.images.store import PixelStore
from dessin.models.bundle import Bundle, load_bundle
from dessin.models.card import BundleCard
from dessin.models.classifier import Classifier
from dessin.models.lora import merge_lora
from dessin.reading import number_of, read_csv
from dessin.recipe import TeacherSpec
from dessin.runs.fold_group import is_fold_folder
from dessin.runs.inputs import Inputs, class_numbers, training_curation
from dessin.runs.joined import Measured, finished_record, join_runs, own_predictions, own_split
from dessin.runs.plan import rows_of
from dessin.runs.prepare import named_rows, prepare
from dessin.runs.stages import PROBE_VIEWS
from dessin.statistics.intervals import group_index
from dessin.training.data import TrainingData
from dessin.training.device import FEATURES
from dessin.training.features import extract_features
from dessin.training.probe import PENALTY, shared_probe

_USUAL_BATCH = 32
CURVE_FILE = "curve.csv"
# The run's own answers again, but for the order of float32 sums.
_SAME_ANSWERS = 1e-4
# A probe of another machine's features may name an image or two in a thousand otherwise.
_SAME_SHARE = 0.002
_BEGAN = {"new": "anew", "imagenet": "at ImageNet's rows"}


@dataclass(frozen=True, eq=False)
class SoupMembers:
    """M sets of weights with their answers (N, C) on the N common validation images, by id.

    `runs` are those that the weights come from: a run for each, or one for both ends of a fine-tuning.
    `classifier` is an empty one of their kind, to be filled; `groups` are (N,) int64.
    """

    names: tuple[str, ...]
    runs: tuple[Measured, ...]
    card: BundleCard
    classifier: Classifier
    states: tuple[State, ...]
    answers: tuple[Floats, ...]
    rows: tuple[Assignment, ...]
    groups: NDArray[np.int64]

    @property
    def ends(self) -> bool:
        """Whether these are the probe and the end of one fine-tuning."""
        return len(self.runs) < len(self.states)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """The true class numbers, (N,)."""
        return class_numbers(self.rows, self.card.classes)

    @property
    def fold(self) -> int:
        fold = self.runs[0].record.recipe.data.fold
        assert isinstance(fold, int), "runs that validated a fold"
        return fold


def read_members(folders: Sequence[Path]) -> SoupMembers:
    """Read the runs, in the order given."""
    joined = join_runs(folders, "validation")
    names = names_apart(folders)
    runs = tuple(replace(run, name=name) for run, name in zip(joined.runs, names, strict=True))
    bundles = [own_bundle(run) for run in runs]
    cards = [bundle.card for bundle in bundles]
    _check_start(runs, cards)
    classifiers = [bundle.with_weights("a soup") for bundle in bundles]
    states = tuple(classifier.plain_state() for classifier in classifiers)
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    for run, own in zip(runs, shapes, strict=True):
        if own != shapes[0]:
            raise DessinError(
                f"The weights of {run.name} and {runs[0].name} do not have the same shapes.",
                do="Leave one of them out.",
            )
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
    digest, start = record.digests.weights, record.recipe.finetune.start
    # A probe is the minimum of a convex loss, whatever the seed; a new head is drawn from it.
    begun = {"probe": "a probe", "imagenet": "ImageNet's rows"}
    return {
        "The backbone": " + ".join(card.backbones),
        "The pretrained weights": f"sha256 {digest[:12]}…" if digest else f"drawn from seed {record.seed}",
        "The weights beside": f"sha256 {record.digests.beside[:12]}…" if record.digests.beside else "none",
        "The image": image.spec.words,
        "The normalisation": f"mean {image.mean}, std {image.std}, {image.interpolation}",
        "The head": card.head,
        "What the head reads": f"features: {card.features}",
        "What is looked at": "the mirror image too" if card.mirrored else "the image alone",
        "The start of the head": begun.get(start, f"drawn from seed {record.seed}"),
        "The list of classes": f"{len(card.classes)} from {card.classes[0]} to {card.classes[-1]}",
        "The split": f"sha256 {record.digests.split[:12]}…",
        "The fold": str(record.recipe.data.fold),
    }


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
    """The images that a run was trained on, after its training curation."""
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


def read_tuned(folder: Path) -> Measured:
    """The run, if it has two ends to go between."""
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


def read_ends(
    run: Measured, inputs: Inputs, store: PixelStore, device: torch.device
) -> tuple[SoupMembers, tuple[str, ...]]:
    """The members "probe" and "fine-tuned", in this order, and notes of how they were found to be right."""
    bundle = own_bundle(run)
    classifier = bundle.with_weights("a soup")
    row_of = {row.image_id: row for row in run.split.rows}
    rows = tuple(row_of[image_id] for image_id in sorted(run.predictions.image_ids))
    where = store.rows([row.image_id for row in rows])
    tuned, known = classifier.plain_state(), answers_of(run, rows, bundle.card.classes)
    again = predict_rows(classifier, store, where, device=device, label="Asking the fine-tuned end")
    same = _check_tuned(run, again, known)
    start = _start_state(run, bundle, inputs, store, device)
    if all(torch.equal(start[name], tuned[name]) for name in tuned):
        raise DessinError(f"{run.name} has the very weights of its probe.", do="Fine-tune it longer.")
    classifier.load_state_dict(start)
    begun = predict_rows(classifier, store, where, device=device, label="Asking the probe's end")
    members = SoupMembers(
        names=(PROBE, TUNED),
        runs=(run,),
        card=bundle.card,
        classifier=classifier,
        states=(start, tuned),
        answers=(begun, known),
        rows=rows,
        groups=group_index([row.group for row in rows]),
    )
    accuracy = float((begun.argmax(axis=1) == members.targets).mean())
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
    record = run.record
    # A probe is fitted to labels, so a teacher is not asked for.
    recipe = record.recipe.model_copy(update={"teacher": TeacherSpec()})
    prepared = prepare(recipe, inputs, decided=record.decisions)
    if prepared.weights.sha256 != record.digests.weights:
        raise DessinError(
            f"The pretrained weights that are here (sha256 {prepared.weights.sha256[:12]}…) are not those "
            f"that {run.name} began with ({record.digests.weights[:12]}…).",
            do="Restore them.",
        )
    rows = training_rows(run, inputs)
    data = training_data(rows, bundle.card.classes, store)
    classifier = prepared.model.classifier
    digests = prepared.pretrained.digests
    # Runs of before bfloat16 say nothing of it.
    precision = record.decided(FEATURES, str) or "float32"
    features = extract_features(
        classifier, digests, store, data.train_rows, PROBE_VIEWS, device=device, precision=precision
    )
    head, _ = shared_probe(
        features,
        data.train_labels,
        [row.group for row in rows],
        classifier.classes,
        seed=recipe.seed,
        weakest=record.decided(PENALTY, float) or 0.0,
        kind=recipe.finetune.probe,
        named=named_rows(prepared),
    )
    weight, bias = torch.from_numpy(head.weight), torch.from_numpy(head.bias)
    classifier.start_head(weight, bias, torch.from_numpy(features[0]))
    merge_lora(classifier)
    return classifier.plain_state()


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
    return number_of(found, str(folder / CURVE_FILE)) if found else None
