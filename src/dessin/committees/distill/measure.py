"""Committee, student and student alone: accuracies and differences on the same images, speed, and size."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.committee import COMMITTEE_FILE, find_model
from dessin.answers.inference import join, look
from dessin.answers.predictions import join_out_of_fold
from dessin.answers.tree import Node, leaves
from dessin.committees.distill.plan import ALONE as ALONE_RUN
from dessin.committees.distill.plan import STUDENT as STUDENT_RUN
from dessin.committees.distill.plan import DistillPlan, committee_answers, part_of
from dessin.committees.distill.result import (
    ALONE,
    COMMITTEE,
    STUDENT,
    WHOLE,
    Answerer,
    DistillResults,
    Gain,
    LabelsRow,
    Pace,
    Size,
    SpeedResults,
)
from dessin.committees.gains import over_folds
from dessin.images.paths import image_path
from dessin.models.bundle import Bundle, load_bundle
from dessin.models.card import CARD_FILE, read_card
from dessin.progress import say, track
from dessin.runs.inputs import class_numbers
from dessin.runs.joined import finished_record, own_predictions
from dessin.runs.machine import describe_hardware
from dessin.runs.subject import Subject
from dessin.statistics.comparison import compare
from dessin.statistics.metrics import measure
from dessin.training.data import PixelSource
from dessin.training.device import choose_device, seconds_of
from dessin.training.views import PLAIN

BATCH = 32
# The range of so many rounds holds their median in 98 of 100 cases.
ROUNDS = 7
# Single images are asked for one after the other, so many a round.
_SINGLE = 8
Answer = Callable[[Sequence[str]], object]


def measured_answers(
    plan: DistillPlan, runs: Mapping[str, Path], out: Path
) -> dict[str, NDArray[np.float32]]:
    """What committee, student and lone student say of the measured images, (N, C) each.

    Every image is answered by the committee's models without its fold and by that fold's students.
    """
    split = plan.subject.inputs.split
    parts = {COMMITTEE: [committee_answers(plan, out, fold) for fold in plan.folds]}
    for name, run in ((STUDENT, STUDENT_RUN), (ALONE, ALONE_RUN)):
        folders = [runs[f"{run}-fold-{fold}"] for fold in plan.folds]
        parts[name] = [own_predictions(f, finished_record(f), split, "validation") for f in folders]
    return {name: join_out_of_fold(own, plan.measured, split.classes) for name, own in parts.items()}


def measure_distillation(
    plan: DistillPlan,
    runs: Mapping[str, Path],
    tables: Mapping[str, NDArray[np.float32]],
    labels: Sequence[LabelsRow],
    speed: SpeedResults,
) -> DistillResults:
    """Everything that the report says of the `measured_answers`, but for the words."""
    subject, settings, first = plan.subject, plan.settings, plan.folds[0]
    split, rows = subject.inputs.split, plan.measured
    targets = class_numbers(rows, split.classes)
    groups = np.array([row.group for row in rows])
    folds = np.array([row.fold for row in rows], dtype=np.int64)
    right = {name: table.argmax(axis=1) == targets for name, table in tables.items()}
    against = [
        (STUDENT, base, over_folds(right[STUDENT], right[base], folds, groups, split.folds))
        for base in (COMMITTEE, ALONE)
    ]
    paid, gained = compare(against, settings.matters, luck=False)
    student = runs[f"{STUDENT_RUN}-fold-{first}"] / "bundle"
    size = _size([(student, load_bundle(student))])
    sizes = {COMMITTEE: _committee_size(subject, part_of(subject, first)), STUDENT: size, ALONE: size}
    answerers = []
    for name, table in tables.items():
        found = measure(table, targets, groups, split.classes)
        answerers.append(Answerer(name=name, accuracy=found.accuracy, loss=found.loss, size=sizes[name]))
    return DistillResults(
        committee=subject.loaded.committee.name,
        student=settings.student,
        images=len(rows),
        groups=len(set(groups.tolist())),
        folds=plan.folds,
        weight=settings.weight,
        temperature=settings.temperature,
        views=settings.views,
        seed=plan.recipe.seed,
        matters=settings.matters,
        answerers=tuple(answerers),
        paid=paid,
        gained=gained,
        whole=_committee_size(subject, subject.loaded.committee.root),
        labels=tuple(labels),
        speed=speed,
        final=settings.final,
        decisions=plan.decisions,
    )


def untaught(plan: DistillPlan, runs: Mapping[str, Path]) -> list[int]:
    """The folds whose student has the very weights of the one that learnt alone."""

    def weights(run: str, fold: int) -> str:
        return read_card(runs[f"{run}-fold-{fold}"] / "bundle").digests["weights"]

    return [fold for fold in plan.folds if weights(STUDENT_RUN, fold) == weights(ALONE_RUN, fold)]


def _committee_size(subject: Subject, root: Node) -> Size:
    """The size of the models of a part of the committee."""
    folder = find_model(subject.given)
    whole, bundles = (folder / COMMITTEE_FILE).is_file(), subject.loaded.bundles
    return _size([(image_path(folder, name) if whole else folder, bundles[name]) for name in leaves(root)])


def _size(models: Sequence[tuple[Path, Bundle]]) -> Size:
    parameters = sum(p.numel() for _, bundle in models for p in bundle.classifier.parameters())
    files = [folder / name for folder, bundle in models for name in (bundle.card.file, CARD_FILE)]
    return Size(models=len(models), parameters=parameters, bytes=sum(f.stat().st_size for f in files))


def measure_speed(subject: Subject, fold: int, student: Path) -> SpeedResults:
    """Time the whole committee, what answers for a fold, and the student, on images of that fold."""
    device = torch.device(str(choose_device().value))
    say(f"measuring speed on {device.type}: {ROUNDS} rounds")
    ids = [row.image_id for row in subject.inputs.split.validation(fold)][:BATCH]
    ids = [ids[i % len(ids)] for i in range(BATCH)]
    asked = _answerers(subject, fold, load_bundle(student), device)
    seconds: dict[tuple[str, int], list[float]] = {}
    # The first round warms up: kernels are chosen and memory is taken then.
    for number in track(range(ROUNDS + 1), ROUNDS + 1, "Measuring speed", unit="rounds"):
        for batch, images in ((BATCH, BATCH), (1, _SINGLE)):
            for name, answer in asked.items():
                spent = seconds_of(partial(_ask, answer, ids[:images], batch), device) / images
                if number:
                    seconds.setdefault((name, batch), []).append(spent)
    paces = tuple(
        Pace(name=name, batch=batch, **_middle([1.0 / each for each in spent]))
        for (name, batch), spent in seconds.items()
    )
    # Round by round, so that what else the machine did at the time touches both.
    ratios = {
        (name, batch): [their / own for their, own in zip(spent, seconds[STUDENT, batch], strict=True)]
        for (name, batch), spent in seconds.items()
        if name != STUDENT
    }
    gains = tuple(Gain(against=name, batch=batch, **_middle(of)) for (name, batch), of in ratios.items())
    hardware = describe_hardware(torch.get_num_threads())
    return SpeedResults(rounds=ROUNDS, device=device.type, hardware=hardware, paces=paces, gains=gains)


def _answerers(subject: Subject, fold: int, student: Bundle, device: torch.device) -> Mapping[str, Answer]:
    """What is timed, by name: each answers images as one batch, from pixels on the device."""
    loaded, opener = subject.loaded, subject.inputs.opener()
    sources: dict[str, PixelSource] = {}
    for bundle in (*loaded.bundles.values(), student):
        bundle.classifier.to(device).eval()

    def seen(bundle: Bundle, image_ids: Sequence[str], views: Sequence[str]) -> NDArray[np.float32]:
        store = opener(bundle.card.image)
        if store.digest not in sources:
            sources[store.digest] = PixelSource(store, device)
        images, background = sources[store.digest].gather(store.rows(image_ids))
        temperature = bundle.card.temperature
        answer = look(bundle.classifier, images, background, temperature=temperature, views=views)
        return np.asarray(answer.cpu().numpy())

    def voted(root: Node) -> Answer:
        names, views = leaves(root), loaded.committee.views

        def answer(image_ids: Sequence[str]) -> None:
            join(loaded, {name: seen(loaded.bundles[name], image_ids, views) for name in names}, root)

        return answer

    return {
        WHOLE: voted(loaded.committee.root),
        COMMITTEE: voted(part_of(subject, fold)),
        STUDENT: lambda image_ids: seen(student, image_ids, PLAIN),
    }


def _ask(answer: Answer, image_ids: Sequence[str], batch: int) -> None:
    for first in range(0, len(image_ids), batch):
        answer(image_ids[first : first + batch])


def _middle(rounds: Sequence[float]) -> dict[str, float]:
    """The median of all rounds, the least and the most."""
    return {"value": statistics.median(rounds), "low": min(rounds), "high": max(rounds)}
