"""What a training run came to, in numbers, decisions and words."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.decisions import Decision
from dessin.progress import duration
from dessin.recipe import Recipe
from dessin.training.checkpoint import TrainingState
from dessin.training.curve import CurveRow
from dessin.training.data import TrainingData
from dessin.training.engine import decide_batch_norm
from dessin.training.guard import warn_of_chance, warn_of_no_gain, warn_of_time


@dataclass(frozen=True)
class Outcome:
    """What a training run came to; the classifier it was given holds the weights of `best_epoch`.

    `averaged` is not 0 where they are the mean of the weights after so many epochs up to that one.
    """

    best_epoch: int
    averaged: int
    epochs: int
    steps: int
    curve: tuple[CurveRow, ...]
    seconds: float
    decisions: tuple[Decision[object], ...]


def make_outcome(recipe: Recipe, data: TrainingData, state: TrainingState) -> Outcome:
    """Sum a run up; says loudly where it gained nothing, is at chance or was cut short."""
    best_epoch, averaged = state.epochs_done, state.curve[-1].averaged
    if state.best is not None:
        best_epoch, averaged = state.best.epoch, state.best.averaged
        if best_epoch == 0:
            warn_of_no_gain(_start(recipe))
        warn_of_chance(state.best.accuracy, data)
    decisions: list[Decision[object]] = [decide_batch_norm(recipe)]
    if recipe.optimizer.schedule == "one_cycle":
        reason = "the rate rises over the first 30% of all steps; optimizer.warmup_epochs is not used"
        decisions.append(Decision("schedule", "one_cycle", reason))
    decisions.append(Decision("best_epoch", best_epoch, _why_best(recipe, state)))
    if averaged:
        reason = f"the mean of the weights after each of the last {averaged} epochs"
        decisions.append(Decision("weights kept", "averaged", reason))
    elif recipe.train.ema:
        reason = f"the moving average of the weights, with a decay of {recipe.train.ema:g} a step"
        decisions.append(Decision("weights kept", "averaged", reason))
    if state.epochs_done < recipe.train.epochs:
        decisions.append(_why_stopped(recipe, state))
    if recipe.train.average_last and not state.curve[-1].averaged:
        reason = "training stopped before two of the epochs that were to be averaged"
        decisions.append(Decision("average_last", "none", reason))
    return Outcome(
        best_epoch=best_epoch,
        averaged=averaged,
        epochs=state.epochs_done,
        steps=state.step,
        curve=state.curve,
        seconds=state.seconds,
        decisions=tuple(decisions),
    )


def describe(row: CurveRow, recipe: Recipe) -> str:
    """A row of the curve as a line for people."""
    parts = []
    if row.train_loss is not None:
        parts.append(f"training loss {row.train_loss:.4f}")
    if row.validation_accuracy is not None:
        parts.append(f"validation loss {row.validation_loss:.4f}, accuracy {row.validation_accuracy:.1%}")
    if row.epoch == 0:
        return f"{_start(recipe)}, before training: {', '.join(parts)}"
    if row.averaged:
        return f"mean of the last {row.averaged} epochs: {', '.join(parts) or 'nothing to validate it on'}"
    parts += [f"lr {row.lr:.2g}", duration(row.seconds)]
    return f"epoch {row.epoch}/{recipe.train.epochs}: {', '.join(parts)}"


def _start(recipe: Recipe) -> str:
    return "the probe" if recipe.finetune.start == "probe" else "the head of ImageNet classes"


def _why_best(recipe: Recipe, state: TrainingState) -> str:
    if state.best is None:
        return "there were no validation images, so the last epoch counts"
    if state.best.epoch == 0:
        return f"no epoch of {state.epochs_done} was better than {_start(recipe)}, whose weights are kept"
    return f"the best validation {recipe.train.select_by} of {state.epochs_done} epochs"


def _why_stopped(recipe: Recipe, state: TrainingState) -> Decision[int]:
    patience, planned = recipe.train.early_stop, recipe.train.epochs
    if patience is not None and state.best and state.epochs_done - state.best.epoch >= patience:
        reason = f"{patience} epochs in a row were no better than the best, of {planned} planned"
    else:
        reason = f"the time allowed was used; {planned} were planned, on a faster machine"
        warn_of_time(state.epochs_done, planned)
    return Decision("stopped_after_epoch", state.epochs_done, reason)
