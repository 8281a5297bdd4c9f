"""What a training run came to, in numbers, decisions and words."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.decisions import Decision
from dessin.language import retold, tr
from dessin.page.numbers import counted
from dessin.progress import duration, say, warn
from dessin.recipe import Recipe
from dessin.training.checkpoint import TrainingState
from dessin.training.curve import CurveRow
from dessin.training.data import TrainingData
from dessin.training.engine import decide_batch_norm
from dessin.training.guard import warn_of_chance


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
    train, best, done = recipe.train, state.best, state.epochs_done
    best_epoch, averaged = (best.epoch, best.averaged) if best else (done, state.curve[-1].averaged)
    if best is None:
        why = "there were no validation images, so the last epoch counts"
    else:
        why = f"the best validation {train.select_by} of {counted(done, 'epoch')}"
        if best_epoch == 0:
            start = _start(recipe)
            why = f"no epoch of {done} was better than {start}, whose weights are kept"
            kept = f"Training did not improve on {start}, so the weights it began from are kept."
            warn(f"{kept} A smaller lr may help.")
        warn_of_chance(best.accuracy, data)
    decisions: list[Decision[object]] = [decide_batch_norm(recipe)]
    if recipe.optimizer.schedule == "one_cycle":
        reason = "the rate rises over the first 30% of all steps; optimizer.warmup_epochs is not used"
        decisions.append(Decision("schedule", "one_cycle", reason))
    decisions.append(Decision("best_epoch", best_epoch, why))
    if averaged or train.ema:
        reason = f"the moving average of the weights, with a decay of {train.ema:g} a step"
        if averaged:
            reason = f"the mean of the weights after each of the last {averaged} epochs"
        decisions.append(Decision("weights kept", "averaged", reason))
    if done < train.epochs:
        reason = f"the time allowed was used; {train.epochs} were planned, on a faster machine"
        if train.early_stop is not None and best and done - best.epoch >= train.early_stop:
            waited = f"{train.early_stop} epochs in a row were no better than the best"
            reason = f"{waited}, of {train.epochs} planned"
        else:
            # What was asked for, and no fault.
            early = f"Training stops after epoch {done} of {train.epochs}"
            say(f"{early}: another would take longer than the time allowed.")
        decisions.append(Decision("stopped_after_epoch", done, reason))
    if train.average_last and not state.curve[-1].averaged:
        reason = "training stopped before two of the epochs that were to be averaged"
        decisions.append(Decision("average_last", "none", reason))
    return Outcome(best_epoch, averaged, done, state.step, state.curve, state.seconds, tuple(decisions))


def describe(row: CurveRow, recipe: Recipe) -> str:
    """A row of the curve as a line for people."""
    parts = []
    if row.train_loss is not None:
        parts.append(tr("training loss {loss}", loss=f"{row.train_loss:.4f}"))
    if row.validation_accuracy is not None:
        found = {"loss": f"{row.validation_loss:.4f}", "accuracy": f"{row.validation_accuracy:.1%}"}
        parts.append(tr("validation loss {loss}, accuracy {accuracy}", **found))
    told = ", ".join(parts)
    if row.epoch == 0:
        return tr("{start}, before training: {found}", start=retold(_start(recipe)), found=told)
    if row.averaged:
        nothing = tr("nothing to validate it on")
        return tr("mean of the last {n} epochs: {found}", n=row.averaged, found=told or nothing)
    told = ", ".join([*parts, f"lr {row.lr:.2g}", duration(row.seconds).spoken])
    return tr("epoch {epoch}/{epochs}: {found}", epoch=row.epoch, epochs=recipe.train.epochs, found=told)


def _start(recipe: Recipe) -> str:
    return "the probe" if recipe.finetune.start == "probe" else "the head of ImageNet classes"
