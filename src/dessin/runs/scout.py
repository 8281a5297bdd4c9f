"""`dessin scout`: rank backbones by a probe on cached features, with intervals and cost, and pick one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.errors import DessinError
from dessin.files import write_csv
from dessin.folders import result_folder
from dessin.images.spec import ImageSpec, Page
from dessin.language import tr
from dessin.models.backbones import asked_for, candidates, describe_backbone
from dessin.models.candidates import Job
from dessin.models.card import Features
from dessin.models.classifier import build_classifier
from dessin.models.drawn import DRAWN, drawn_file, warn_of_own_drawings
from dessin.models.weights import resolve_weights
from dessin.page.notebook import Shown
from dessin.parallel.mapper import Mapper
from dessin.progress import say, warn
from dessin.reading import count_of, number_of, read_csv
from dessin.runs.candidates import candidates_here
from dessin.runs.executors.choose import choose_mapper
from dessin.runs.inputs import Inputs, class_numbers, read_inputs
from dessin.statistics.intervals import Estimate, bootstrap_mean
from dessin.training.device import choose_device
from dessin.training.features import extract_features, seconds_an_image
from dessin.training.probe import fit_probe

SCOUT_FILE = "scout.csv"
COLUMNS = ("backbone", "accuracy", "low", "high", "n", "images_per_second", "parameters", "chosen", "reason")
VIEWS = ("identity", "hflip")
# A smaller difference of speed is within what a busy machine makes of two runs of the same model.
_CHEAPER = 1.2


@dataclass(frozen=True, repr=False)
class ScoutResult(Shown):
    """One row a backbone, best accuracy first, and the one that was picked with the reason."""

    TABLE = "rows"

    rows: tuple[ScoutRow, ...]
    chosen: str
    reason: str
    path: Path


@dataclass(frozen=True)
class _Trial:
    """A probed candidate; `correct` (N,) 0 or 1 for every image outside the holdout, each predicted unseen.

    `seconds` an image of each of its bodies.
    """

    row: ScoutRow
    correct: NDArray[np.float64]
    seconds: tuple[float, ...] = ()


def scout(
    data: str | Path,
    *,
    split: str | Path,
    models: str | Sequence[str] | None = None,
    out: str | Path,
    size: int | None = None,
    features: Literal["last", "several"] = "last",
    page: Literal["auto", "off"] = "off",
    seed: Annotated[int, "from 0"] = 0,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
) -> ScoutResult:
    """Rank backbones by a probe on their features, with intervals and speed.

    Each is measured out of fold over the split's folds; the holdout stays shut. The probe is ridge: its
    penalty is chosen inside the training folds in closed form, so ranking takes seconds beyond the features.

    Args:
        data: Class folders, a CSV, or a contest folder.
        split: The split file.
        models: The backbones to rank; by default those that suit this machine and whose weights are here or
            on the hub (see dessin doctor). NAME:drawn is one with weights that have seen drawings, NAME:RUN
            one with those of an earlier run; beside NAME it shows whether they help here. A+B:drawn joins
            the features of both in one probe, which takes the sum of their times.
        out: A new folder for scout.csv.
        size: The side of the images in pixels; by default each backbone's own, of joined ones the first's.
        features: What the probe reads: the last layer, or the last two feature maps beside it.
        page: With `auto` the sheet of paper in a photograph is looked at, as image.page of a recipe has it.
        seed: Of the intervals.
        executor: This machine, or all nodes of a Ray cluster, which must share the cache folder.
        address: The running cluster, `auto` or `host:port`; by default a Ray of this machine alone.

    Raises:
        DessinError: no or unknown backbones, a split that does not fit, no weights for any backbone, or no
            such cluster.
    """
    asked = asked_for(models)
    for backbone, weights in chain.from_iterable(map(candidates, asked or ())):
        describe_backbone(backbone)
        if weights == DRAWN:
            drawn_file(backbone)
    mapper = choose_mapper(executor, address, "scout", out, gpu=True)
    inputs = read_inputs(data, split, None)
    if asked is None:
        plan = candidates_here(Job(len(inputs.split.rows), None, tuned=False))
        for line in (f"Candidates: {', '.join(plan.names)}.", *plan.lines()):
            say(line)
        asked = plan.names
    sides = {name: size or describe_backbone(candidates(name)[0][0]).input_size for name in asked}
    return rank(inputs, sides, Path(out), seed, mapper, features=features, page=page)


def rank(
    inputs: Inputs,
    sides: Mapping[str, int],
    out: Path,
    seed: int,
    mapper: Mapper | None = None,
    *,
    features: Features = "last",
    page: Page = "off",
) -> ScoutResult:
    """`scout` of candidates that are known, each at its side in pixels."""
    bodies = chain.from_iterable(map(candidates, sides))
    drawn = [backbone for backbone, weights in bodies if weights == DRAWN]
    if drawn:
        warn_of_own_drawings(drawn[0], inputs.manifest.root, inputs.class_names)
    with result_folder(out, what="the result of scout") as part:
        images = {name: ImageSpec(size=side, page=page) for name, side in sides.items()}
        rows, reason = _ranked(inputs, images, seed, mapper, features)
        write_csv(part / SCOUT_FILE, COLUMNS, map(_fields, rows))
    result = ScoutResult(rows, next(row.backbone for row in rows if row.chosen), reason, out / SCOUT_FILE)
    for line in _table(result):
        say(line)
    return result.with_words(tr("Scout"), _table(result)[-1])


def _ranked(
    inputs: Inputs, images: Mapping[str, ImageSpec], seed: int, mapper: Mapper | None, features: Features
) -> tuple[tuple[ScoutRow, ...], str]:
    """The backbones, best first and those without weights last, and why the chosen one is."""
    groups = [row.group for row in inputs.split.training(None)]
    trials: list[_Trial] = []
    failures: list[ScoutRow] = []
    for name, image in images.items():
        try:
            trials.append(_try(inputs, name, image, seed, mapper, features))
        except DessinError as error:
            warn(f"{name} is left out: {error}")
            failures.append(ScoutRow(name, None, 0.0, _parameters(name), False, f"left out: {error.seen}"))
    if not trials:
        raise DessinError(
            f"None of the {len(images)} backbones could be probed. "
            f"{failures[0].backbone}: {failures[0].reason}",
            do="Name backbones whose weights are here (see dessin doctor).",
        )
    trials = _of_one_speed({name: image.size for name, image in images.items()}, trials)
    picked, reason = _pick(trials, groups, seed)
    ranked = sorted(trials, key=_accuracy, reverse=True)
    rows = []
    for trial in ranked:
        why = f"{_points(_gap(ranked[0], trial, groups, seed))} below {ranked[0].row.backbone}"
        if trial is ranked[0]:
            why = "the highest accuracy, but a cheaper one cannot be told from it"
        chosen = trial is picked
        rows.append(replace(trial.row, chosen=chosen, reason=reason if chosen else why))
    return (*rows, *failures), reason


def _parameters(name: str) -> int:
    return sum(describe_backbone(backbone).parameters for backbone, _ in candidates(name))


def _try(
    inputs: Inputs, name: str, image: ImageSpec, seed: int, mapper: Mapper | None, reads: Features
) -> _Trial:
    first, *beside = (resolve_weights(*body) for body in candidates(name))
    split = inputs.split
    classifier = build_classifier(
        first.backbone, len(split.classes), first, image_size=image.size, features=reads, beside=beside
    )
    device = torch.device(str(choose_device().value))
    store = inputs.open_store(image, describe_backbone(first.backbone).interpolation)
    rows = split.training(None)
    positions = store.rows([row.image_id for row in rows])
    digests = tuple(weights.sha256 for weights in (first, *beside))
    features = extract_features(classifier, digests, store, positions, VIEWS, device=device, mapper=mapper)
    labels = class_numbers(rows, split.classes)
    groups = np.array([row.group for row in rows])
    folds = np.array([row.fold for row in rows])
    count = len(split.classes)
    probe = fit_probe(features, labels, groups.tolist(), count, kind="ridge", seed=seed, folds=folds)
    if probe.unseen is None:
        raise DessinError(
            "Without one of the folds, one class alone is left to learn from.",
            do="Make a split of fewer folds.",
        )
    correct = (probe.unseen.argmax(axis=1) == labels).astype(np.float64)
    accuracy = bootstrap_mean(correct, groups, seed=seed)
    seconds = seconds_an_image(classifier.to(device), store)
    return _Trial(ScoutRow(name, accuracy, 1 / sum(seconds), _parameters(name), False, ""), correct, seconds)


def _of_one_speed(sides: Mapping[str, int], trials: Sequence[_Trial]) -> list[_Trial]:
    """One network has one speed at a side, whatever its weights and joined with what: its fastest pass.

    A joined candidate takes the sum of its bodies' times.
    """
    fastest: dict[tuple[str, int], float] = {}
    networks = []
    for trial in trials:
        name = trial.row.backbone
        networks.append([(backbone, sides[name]) for backbone, _ in candidates(name)])
        for network, seconds in zip(networks[-1], trial.seconds, strict=True):
            fastest[network] = min(seconds, fastest.get(network, seconds))
    rates = [1 / sum(fastest[network] for network in bodies) for bodies in networks]
    return [
        replace(trial, row=replace(trial.row, images_per_second=rate))
        for trial, rate in zip(trials, rates, strict=True)
    ]


def _pick(trials: Sequence[_Trial], groups: Sequence[str], seed: int) -> tuple[_Trial, str]:
    """The most accurate, unless a cheaper one cannot be told from it; then the cheapest of those."""
    best = max(trials, key=_accuracy)
    if len(trials) == 1:
        return best, "the only one that could be probed"
    cheaper = [
        trial
        for trial in trials
        if trial.row.images_per_second > _CHEAPER * best.row.images_per_second
        and _gap(best, trial, groups, seed).low <= 0.0
    ]
    if not cheaper:
        second = max((trial for trial in trials if trial is not best), key=_accuracy)
        lead = f"{_points(_gap(best, second, groups, seed))} above {second.row.backbone}"
        return best, f"the highest accuracy, {lead}; none that is much cheaper comes within its interval"
    picked = max(cheaper, key=lambda trial: trial.row.images_per_second)
    gap = _points(_gap(best, picked, groups, seed))
    faster = picked.row.images_per_second / best.row.images_per_second
    return picked, (f"{faster:.1f} times as fast as {best.row.backbone}, whose lead of {gap} could be chance")


def _gap(best: _Trial, other: _Trial, groups: Sequence[str], seed: int) -> Estimate:
    """How much more accurate one is than another, paired by image."""
    return bootstrap_mean(best.correct - other.correct, groups, seed=seed, bounds=(-1.0, 1.0))


def _points(gap: Estimate) -> str:
    return f"{100 * gap.value:.1f} points [{100 * gap.low:.1f}, {100 * gap.high:.1f}]"


def _accuracy(trial: _Trial) -> float:
    return trial.row.accuracy.value if trial.row.accuracy else 0.0


def _fields(row: ScoutRow) -> list[object]:
    estimate = row.accuracy
    numbers: list[object] = ["", "", "", 0]
    if estimate is not None:
        numbers = [f"{value:.4f}" for value in (estimate.value, estimate.low, estimate.high)]
        numbers.append(estimate.n)
    speed = f"{row.images_per_second:.1f}" if estimate is not None else ""
    return [row.backbone, *numbers, speed, row.parameters, "yes" if row.chosen else "no", row.reason]


def read_scout(folder: Path) -> tuple[ScoutRow, ...]:
    """The rows that `scout` left in a folder."""
    path, rows = folder / SCOUT_FILE, []
    where = str(path)
    for row in read_csv(path, COLUMNS)[1]:
        estimate = None
        if row["accuracy"]:
            value, low, high = (number_of(row[name], where) for name in ("accuracy", "low", "high"))
            estimate = Estimate(value, low, high, count_of(row["n"], where))
        speed = number_of(row["images_per_second"] or "0", where)
        parameters = count_of(row["parameters"], where)
        chosen = row["chosen"] == "yes"
        rows.append(ScoutRow(row["backbone"], estimate, speed, parameters, chosen, row["reason"]))
    return tuple(rows)


def _table(result: ScoutResult) -> list[str]:
    width = max(len(row.backbone) for row in result.rows)
    lines = [f"  {'backbone':<{width}}  {'accuracy':<32}  {'images/s':>8}  parameters"]
    for row in result.rows:
        accuracy = str(row.accuracy) if row.accuracy else "none"
        speed = f"{row.images_per_second:.0f}" if row.accuracy else ""
        mark, million = "*" if row.chosen else " ", row.parameters / 1e6
        lines.append(f"{mark} {row.backbone:<{width}}  {accuracy:<32}  {speed:>8}  {million:.1f} M")
    return [*lines, f"Picked {result.chosen}: {result.reason}."]


@dataclass(frozen=True)
class ScoutRow:
    """One candidate of a scout: a backbone, with its weights (`NAME:WEIGHTS`) where others than `auto` were
    asked for, or several joined by `+`.

    `accuracy` is None where the weights were not to be had.
    """

    backbone: str
    accuracy: Estimate | None
    images_per_second: float
    parameters: int
    chosen: bool
    reason: str
