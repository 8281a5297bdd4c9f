"""How each step of the portfolio is carried out; each may be killed and done again to the same end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from dessin.answers.committee import save_committee
from dessin.answers.predictions import to_predictions, write_predictions
from dessin.auto.best import TABLES, VALIDATION, copy_run, lead, replace_best
from dessin.auto.budget import Costs
from dessin.auto.measure import tuned_stages
from dessin.auto.situation import Step
from dessin.auto.state import StepDone
from dessin.committees.ensemble.measure import Settings, measure_rules
from dessin.committees.members import Members, find_members, make_committee
from dessin.committees.rules.choice import RULES, Choice, Rule, weighted_geometric
from dessin.decisions import Decision
from dessin.files import remove
from dessin.images.spec import Page
from dessin.language import tr
from dessin.models.backbones import candidate, recipe_values
from dessin.models.default_backbones import ROWS, joint_side, side_of
from dessin.page.numbers import percent
from dessin.progress import duration, say
from dessin.recipe import make_recipe
from dessin.runs.executors.job import Executor, JobSpec
from dessin.runs.executors.record import JOBS
from dessin.runs.inputs import Inputs
from dessin.runs.record import SPLIT_FILE, RunRecord, read_record
from dessin.runs.run import Order, begin_run
from dessin.runs.scout import rank, read_scout
from dessin.statistics.intervals import Estimate
from dessin.training.device import choose_device
from dessin.training.views import PLAIN

MODELS, SCOUT = "models", "scout"
BASE, VOTE = "best single", "vote"
# Better than weighted means of probabilities by 0 to 2 points (see docs/log.md).
RULE: Rule = weighted_geometric

# How a tuned member is trained; measured, see docs/log.md.
_OPS = ("hflip", "rotate(15)", "translate(0.07)", "scale(0.75, 1.25)", "thickness(0.7, 1.4)")
_MIXING = "mixup_or_cutmix(0.2, 1.0)"
# Of accuracy, that a vote of members must have over its best member to be worth their time.
LEAST_GAIN = 0.0
LR, WEIGHT_DECAY, EMA, BATCH = 2e-4, 0.05, 0.995, 32
# Of the last stage alone: the rate for so many epochs, and higher where there are fewer, up to the other.
_STAGE_LR, _STAGE_EPOCHS, _STAGE_MOST_LR = 3e-4, 16, 8e-4
# Steps that the moving average reaches back over, as a share of all.
_REACH = 0.2
# Of the disk, at most, for activations of frozen stages: 112 channels of half precision, at a sixteenth of
# the side, as the packaged bodies have them.
_VIEWS_BYTES, _CHANNELS = 2 << 30, 120


@dataclass(frozen=True)
class Workshop:
    """Where steps are carried out: the auto's folder, its data and seed, how many images it is to name at the
    end, whether it looks for the page in photographs, what tunes elsewhere and on how many folds at a
    time, and the lines of plans that were said."""

    folder: Path
    data: Path
    inputs: Inputs
    seed: int
    further: int = 0
    page: Decision[Page] | None = None
    executor: Executor | None = None
    lanes: int = 1
    said: set[str] = field(default_factory=set)

    @property
    def looks(self) -> Page:
        return self.page.value if self.page else "off"

    def place(self, step: Step) -> Path:
        return self.folder / (SCOUT if step.kind == "scout" else f"{MODELS}/{step.name}")

    def recipe_values(self, step: Step) -> dict[str, object]:
        fold = "none" if step.kind == "probe" else step.fold
        values: dict[str, object] = {
            "data": {
                "path": self.data.as_posix(),
                "split": (self.folder / SPLIT_FILE).as_posix(),
                "fold": fold,
                "curation": (self.folder / "curation.csv").as_posix(),
            },
            "image": {
                "size": joint_side([candidate(name)[0] for name in step.models], step.size),
                "page": self.looks,
            },
            "seed": self.seed + step.seed,
        }
        if step.kind == "probe":
            joined = recipe_values("+".join(step.models))["model"]
            model = {**joined, "features": "several", "mirrored": True}
            return {**values, "model": model, "finetune": {"mode": "probe", "probe": step.fit}}
        backbone, weights = candidate(step.models[0])
        # Measured with the packaged bodies on processors; of others the family's rate, on a GPU what fits.
        packaged = backbone in ROWS and ROWS[backbone].tier == "packaged"
        batch = BATCH if choose_device().value == "cpu" else "auto"
        stages = tuned_stages(backbone, choose_device().value)
        images = len(self.inputs.split.training(step.fold))
        how: dict[str, object] = {"mode": "probe_then_full"}
        if stages:
            how = {**_of_the_last_stage(step, images), "stages": stages}
        return {
            **values,
            "finetune": {**how, "probe": "ridge", "batch_norm": "frozen"},
            "augment": [*_OPS, *([] if stages else [_MIXING])],
            "loss": "label_smoothing(0.1)",
            "model": {"backbone": backbone, "weights": weights, "features": "several"},
            "optimizer": {
                **({"lr": _stage_rate(step.epochs) if stages else LR} if packaged else {}),
                "weight_decay": WEIGHT_DECAY,
                "warmup_epochs": min(1.0, step.epochs / 8),
            },
            "train": {
                "epochs": step.epochs,
                "batch_size": batch,
                "ema": _average_of(step, images) if stages else EMA,
            },
        }


def _of_the_last_stage(step: Step, images: int) -> dict[str, object]:
    """Views of frozen stages kept for half of the epochs, or of a large collection as many as fit."""
    view = 2 * _CHANNELS * (step.size // 16) ** 2 * images
    kept = min(step.epochs // 2, _VIEWS_BYTES // view)
    return {"mode": "stages", "head_start": "probe"} | ({"cached_views": kept} if kept > 1 else {})


def _average_of(step: Step, images: int) -> float:
    """The decay of the moving average, which reaches back over a share of all steps."""
    steps = step.epochs * -(-images // BATCH)
    return round(min(EMA, 1 - 1 / max(2.0, _REACH * steps)), 4)


def _stage_rate(epochs: int) -> float:
    return round(min(_STAGE_MOST_LR, _STAGE_LR * _STAGE_EPOCHS / epochs), 6)


@dataclass(frozen=True)
class Came:
    """What came of a step: accuracy, a sentence, costs as it had them.

    `best` names the step whose model became the best by it; it is empty where none did.
    """

    accuracy: Estimate | None
    verdict: str
    best: str
    costs: Costs


def carry_out(
    shop: Workshop, done: StepDone, costs: Costs, steps: tuple[StepDone, ...], allowed: float
) -> Came:
    """Do a step, or go on with it; a training ends at an epoch's end once `allowed` is used."""
    began, step = time.monotonic(), done.step
    work: dict[str, Callable[[], tuple[Estimate | None, str, str]]] = {
        "scout": lambda: _scout(shop, step),
        "probe": lambda: _probe(shop, step),
        "tune": lambda: _tune(shop, step, allowed),
        "committee": lambda: _vote(shop, step, steps),
    }
    accuracy, verdict, best = work[step.kind]()
    spent = time.monotonic() - began
    # What was begun before an interruption says little of how fast the machine is.
    whole = not done.seconds
    return Came(accuracy, verdict, best, _learnt(shop, step, spent, costs) if whole else costs)


def train_elsewhere(shop: Workshop, steps: Sequence[Step], allowed: float) -> dict[str, str]:
    """Carry out runs of tuning side by side, each as a job with the bytes that it would have here.

    Returns:
        By name, why a step's run is not there; empty where all are. A run that fails stops no other.
    """
    if shop.executor is None or any(step.kind != "tune" for step in steps):
        return {}
    specs = {step.name: _job(shop, step, allowed) for step in steps}
    names = {spec.name: name for name, spec in specs.items()}
    left = [spec for spec in specs.values() if spec.ended is None or spec.ended.status == "failed"]
    lost = {}
    for ended in shop.executor.run(left):
        time_spent = duration(ended.seconds)
        say(tr("{name}: {status} after {time}", name=ended.job, status=ended.status, time=time_spent))
        if ended.status != "finished":
            lost[names[ended.job]] = ended.reason
    for home in {spec.home for spec in specs.values()}:
        shutil.rmtree(home / JOBS, ignore_errors=True)
    return lost


def _job(shop: Workshop, step: Step, allowed: float) -> JobSpec:
    # Absolute, since a worker may stand elsewhere.
    place = shop.place(step).resolve()
    return JobSpec(
        name=place.name,
        recipe=make_recipe(shop.recipe_values(step)).model_dump(mode="json"),
        data=shop.data.resolve(),
        split=(shop.folder / SPLIT_FILE).resolve(),
        home=place.parent,
        threads=torch.get_num_threads(),
        runs=".",
        seconds_allowed=allowed,
        page=shop.page,
    )


def _scout(shop: Workshop, step: Step) -> tuple[Estimate | None, str, str]:
    sides = {name: side_of(candidate(name)[0], step.size) for name in step.models}
    rank(shop.inputs, sides, shop.place(step), shop.seed, features="several", page=shop.looks)
    row = next(row for row in read_scout(shop.place(step)) if row.chosen)
    return row.accuracy, f"picked {row.backbone}: {row.reason}", ""


def _run(shop: Workshop, step: Step, allowed: float | None = None) -> RunRecord:
    place = shop.place(step)
    if not ((place / RunRecord.FILE).is_file() and read_record(place).status == "finished"):
        recipe = make_recipe(shop.recipe_values(step))
        begin_run(Order(recipe, out=place, seconds_allowed=allowed, page=shop.page, said=shop.said))
    return read_record(place)


def _probe(shop: Workshop, step: Step) -> tuple[Estimate | None, str, str]:
    record = _run(shop, step)
    best, verdict = _crown(shop, step)
    found = record.results.get("validation")
    return found.accuracy if found else None, verdict, best


def _tune(shop: Workshop, step: Step, allowed: float) -> tuple[Estimate | None, str, str]:
    record = _run(shop, step, allowed)
    accuracy = record.results["validation"].accuracy
    if step.fold:
        return accuracy, "it counts as one more fold of its member", ""
    best, verdict = _crown(shop, step)
    return accuracy, verdict, best


def _crown(shop: Workshop, step: Step) -> tuple[str, str]:
    """A run becomes the best model where it is more accurate than that on the same drawings."""
    place = shop.place(step)
    gain = lead(place / VALIDATION, shop.folder)
    if gain is None or gain > 0:
        replace_best(shop.folder, copy_run(place))
        return (
            step.name,
            "the first model" if gain is None else f"{_points(gain)} better than the best before",
        )
    return "", f"{_points(-gain)} below the best" if gain else "no better than the best"


def _points(gain: float) -> str:
    return f"{100 * gain:.1f} points"


def _vote(shop: Workshop, step: Step, steps: tuple[StepDone, ...]) -> tuple[Estimate | None, str, str]:
    """The members' vote by weights whose choice is nested; it is the best model where that gains."""
    runs = [shop.place(each.step) for each in steps if _is_member(each.step, step) and not each.failed]
    members = find_members(runs, least=2)
    settings = Settings(VOTE, True, PLAIN, shop.data, shop.seed, 0.02)
    # By a name that is known, so that what a kill leaves is found.
    tables = shop.folder / TABLES
    remove(tables)
    tables.mkdir()
    compared, _, _ = measure_rules(members, settings, {BASE: RULES[BASE], VOTE: RULE}, tables)
    remove(tables)
    chosen = compared.named(VOTE)
    gain = chosen.gain.by_image.value
    weights = dict(zip((m.name for m in members.members), map(float, chosen.choice.weights), strict=True))
    shares = ", ".join(f"{percent(weight)} {name}" for name, weight in weights.items() if weight)
    if len(chosen.choice.members()) < 2:
        return chosen.nested, f"the vote would be {shares} alone", _alone(shop, members, chosen.choice, steps)
    if gain <= LEAST_GAIN:
        verdict = "no better than its best member on drawings that the choice did not see"
        return chosen.nested, verdict, ""
    temperatures = {m.name: t for m, t in zip(members.members, compared.temperatures, strict=True)}
    committee, bundles = make_committee(
        "auto",
        members,
        vote=chosen.choice.rule,
        weights=weights,
        temperatures=temperatures,
        views=PLAIN,
        provenance={
            "made_by": "auto",
            "rule": chosen.choice.rule,
            "folds": ",".join(map(str, members.folds)),
            "data": shop.data.as_posix(),
            "nested_accuracy": str(chosen.nested),
        },
    )

    def make(folder: Path) -> None:
        save_committee(folder, committee, bundles, split=shop.folder / SPLIT_FILE)
        answers = to_predictions(chosen.nested_probabilities, members.rows, members.classes)
        write_predictions(answers, folder / VALIDATION)

    replace_best(shop.folder, make)
    return chosen.nested, f"{shares}: {_points(gain)} above its best member, nested", step.name


def _alone(shop: Workshop, members: Members, choice: Choice, steps: tuple[StepDone, ...]) -> str:
    """A single member that has all weight by its likelihood is the best model, whatever a few answers say."""
    (number,) = choice.members()
    name = members.members[number].runs[0].folder.relative_to(shop.folder / MODELS).as_posix()
    before = next((each.step.name for each in reversed(steps) if each.best), "")
    if name == before:
        return ""
    replace_best(shop.folder, copy_run(shop.folder / MODELS / name))
    return str(name)


def _is_member(step: Step, committee: Step) -> bool:
    return step.name in committee.models or (step.kind == "tune" and step.recipe_name in committee.models)


def _learnt(shop: Workshop, step: Step, spent: float, costs: Costs) -> Costs:
    """Speeds as this step had them: a training by its epochs, others by how long they took in all."""
    ratio = max(0.05, spent / max(step.seconds, 0.5))
    names = [candidate(model)[0] for model in step.models]
    if step.kind == "tune":
        record = read_record(shop.place(step))
        seconds, epochs = record.timings.get("training", 0.0), _epochs(record, step)
        if not seconds or not epochs:
            return costs
        known, slower = costs.speed(names[0], step.size), seconds / epochs / costs.epoch(names[0], step.size)
        return costs.learnt({(names[0], step.size): known.slower(slower)}, slower)
    if step.kind == "committee":
        return replace(costs.learnt({}, 1.0), pace=costs.learnt({}, ratio).pace)
    if step.computing < 0.5 * step.seconds:
        return costs.learnt({}, ratio, fit=True)
    # Features that came faster than was thought say nothing of training; a machine that is slow does.
    measured = {
        (name, step.size): costs.speed(name, step.size).slower(ratio, training=max(1.0, ratio))
        for name in names
    }
    return costs.learnt(measured, ratio)


def _epochs(record: RunRecord, step: Step) -> int:
    stopped = record.decided("stopped_after_epoch", int)
    return stopped if stopped is not None else step.epochs
