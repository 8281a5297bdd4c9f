"""The training loop, from the first step to the best weights, resumable to the byte."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from dessin.augment.apply import apply_plan
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.models.losses import make_loss
from dessin.progress import duration, say, track
from dessin.recipe import Recipe
from dessin.training.batches import Batch, batch_bounds, epoch_batches
from dessin.training.checkpoint import Best, Checkpoints, TrainingState
from dessin.training.clock import EpochClock
from dessin.training.curve import CurveRow, write_curve
from dessin.training.data import PixelSource, TrainingData
from dessin.training.fingerprint import check_fingerprint, fingerprint
from dessin.training.guard import check_finite, warn_before, warn_of_chance, warn_of_no_gain, warn_of_time
from dessin.training.optimise import learning_rate_at, make_optimizer, set_learning_rate, warmup_steps_of
from dessin.training.seeding import reproducible, seed_step

__all__ = ["Outcome", "TrainingData", "fit"]


@dataclass(frozen=True)
class Outcome:
    """What a training run came to; the classifier it was given holds the weights of `best_epoch`."""

    best_epoch: int
    epochs: int
    steps: int
    curve: tuple[CurveRow, ...]
    seconds: float
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class _Run:
    """Everything that stays the same from step to step."""

    classifier: Classifier
    optimizer: torch.optim.Optimizer
    loss: Callable[[Tensor, Tensor], Tensor]
    recipe: Recipe
    data: TrainingData
    source: PixelSource
    checkpoints: Checkpoints
    batch_size: int
    bfloat16: bool
    frozen: bool
    warmup_steps: int
    steps_per_epoch: int
    workers: int
    checkpoint_seconds: float

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.recipe.train.epochs

    @property
    def autocast(self) -> torch.autocast:
        return torch.autocast(self.source.device.type, dtype=torch.bfloat16, enabled=self.bfloat16)


def fit(
    classifier: Classifier,
    recipe: Recipe,
    data: TrainingData,
    *,
    folder: Path,
    device: str | torch.device,
    precision: str,
    batch_size: int,
    workers: int = 0,
    resume: bool = False,
    checkpoint_seconds: float = 60.0,
    seconds_allowed: float | None = None,
) -> Outcome:
    """Train the classifier and leave it with the weights of its best epoch, in evaluation mode.

    Args:
        classifier: as it is to start; with `resume`, its weights are replaced by the checkpoint's.
        recipe: its `augment`, `loss`, `optimizer`, `train`, `finetune.batch_norm` and `seed` act here.
        data: what to train and to validate on.
        folder: the run folder; `curve.csv` and `checkpoint/` are written there.
        device: such as `choose_device` decides.
        precision: `float32` or `bfloat16`.
        batch_size: images a step.
        workers: threads that prepare batches ahead; they change no result.
        resume: go on from the newest checkpoint in `folder`, if there is one.
        checkpoint_seconds: time between checkpoints within an epoch; each epoch ends with one.
        seconds_allowed: begin no epoch that would end later than this; the outcome then says so.

    Raises:
        DessinError: the loss is not finite, or the run cannot be resumed as it was begun.
    """
    where = torch.device(device)
    checkpoints = Checkpoints(folder / "checkpoint")
    state = _resume_or_start(
        checkpoints,
        fingerprint(recipe, data, device=where, precision=precision, batch_size=batch_size),
        resume=resume,
    )
    batch_norm = decide_batch_norm(recipe)
    steps_per_epoch = len(batch_bounds(len(data.train_rows), batch_size))
    warn_before(recipe, data)
    with reproducible(where, state.threads):
        classifier.to(where)
        run = _Run(
            classifier=classifier,
            optimizer=make_optimizer(classifier, recipe.optimizer),
            loss=make_loss(recipe.loss),
            recipe=recipe,
            data=data,
            source=PixelSource(data.store, where),
            checkpoints=checkpoints,
            batch_size=batch_size,
            bfloat16=precision == "bfloat16",
            frozen=batch_norm.value == "frozen",
            warmup_steps=warmup_steps_of(recipe.optimizer, steps_per_epoch, recipe.train.epochs),
            steps_per_epoch=steps_per_epoch,
            workers=workers,
            checkpoint_seconds=checkpoint_seconds,
        )
        state = _restore_or_begin(run, state)
        write_curve(folder / "curve.csv", state.curve)
        clock = EpochClock(seconds_allowed, state.epochs_done)
        while state.epochs_done < recipe.train.epochs and clock.allows_another(state.epochs_done):
            state = _close_epoch(run, _train_epoch(run, state))
            checkpoints.save(state, classifier, run.optimizer)
            write_curve(folder / "curve.csv", state.curve)
            say(_describe(state.curve[-1], recipe.train.epochs))
        if state.best is not None:
            checkpoints.restore_best(state.best, classifier)
        classifier.eval()
    return _outcome(run, state, batch_norm)


def _resume_or_start(checkpoints: Checkpoints, conditions: dict[str, str], *, resume: bool) -> TrainingState:
    found = checkpoints.latest() if checkpoints.folder.exists() else None
    if found is None:
        if resume:
            say("There is no checkpoint yet, so training starts at its beginning.")
        return TrainingState(fingerprint=conditions, threads=torch.get_num_threads())
    if not resume:
        raise DessinError(
            f"There is a checkpoint in {checkpoints.folder} already, at step {found.step}.",
            do="Resume that run with --resume, or choose another --out.",
        )
    check_fingerprint(found.fingerprint, conditions)
    say(f"Resuming after step {found.step}, {found.epochs_done} epochs finished.")
    if found.threads != torch.get_num_threads():
        say(f"Computing with {found.threads} threads, as the run was begun, not {torch.get_num_threads()}.")
    return found


def decide_batch_norm(recipe: Recipe) -> Decision:
    """Whether batch normalisation keeps its statistics (`frozen`) or learns new ones (`train`)."""
    asked = recipe.finetune.batch_norm
    if asked != "auto":
        return Decision("batch_norm", asked, "asked for in the recipe")
    if recipe.finetune.mode == "probe_then_full":
        reason = "the head starts from a probe on these statistics; new ones would undo it in the first steps"
        return Decision("batch_norm", "frozen", reason)
    return Decision(
        "batch_norm", "train", "the head starts anew, so the statistics may adapt to the drawings"
    )


def _train_epoch(run: _Run, state: TrainingState) -> TrainingState:
    """The steps that are left of the epoch under way, with a checkpoint now and then."""
    epoch = state.epochs_done
    last = (epoch + 1) * run.steps_per_epoch
    started = saved = time.monotonic()
    before, loss_sum = state.seconds, state.loss_sum
    batches = epoch_batches(
        run.data,
        run.source,
        run.recipe.augment,
        seed=run.recipe.seed,
        epoch=epoch,
        batch_size=run.batch_size,
        first=state.step - epoch * run.steps_per_epoch,
        workers=run.workers,
    )
    run.classifier.train()
    if run.frozen:
        _freeze_statistics(run.classifier)
    label = f"epoch {epoch + 1}/{run.recipe.train.epochs}"
    for step, batch in enumerate(track(batches, last - state.step, label), start=state.step):
        loss_sum += _train_step(run, step, batch) * len(batch.labels)
        now = time.monotonic()
        state = state.model_copy(
            update={"step": step + 1, "loss_sum": loss_sum, "seconds": before + now - started}
        )
        # The last step of an epoch is saved with its validation, by the caller.
        if now - saved >= run.checkpoint_seconds and step + 1 < last:
            run.checkpoints.save(state, run.classifier, run.optimizer)
            saved = time.monotonic()
    return state


def _train_step(run: _Run, step: int, batch: Batch) -> float:
    """One step of the optimiser; returns the mean loss of the batch before it."""
    rate = _learning_rate(run, step)
    set_learning_rate(run.optimizer, rate)
    seed_step(run.recipe.seed, step)
    pixels = apply_plan(batch.plan, batch.pixels, batch.background)
    labels = torch.from_numpy(batch.labels).to(run.source.device, non_blocking=True)
    with run.autocast:
        logits = run.classifier(pixels)
    targets = functional.one_hot(labels, logits.shape[1]).float()
    loss = run.loss(logits, targets)
    value = float(loss.item())
    check_finite(value, "training", f"at step {step + 1}", rate)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    return value


def _restore_or_begin(run: _Run, state: TrainingState) -> TrainingState:
    """The tensors of the checkpoint that was found; else a first checkpoint.

    A head from a probe competes with what training makes of it, so that a run never ends below it.
    """
    if state.digests:
        run.checkpoints.restore(state, run.classifier, run.optimizer)
        return state
    if run.recipe.finetune.mode == "probe_then_full" and len(run.data.validation_rows):
        state = _add_to_curve(run, state, epoch=0, train_loss=None, rate=0.0)
        say(_describe(state.curve[-1], run.recipe.train.epochs))
    run.checkpoints.save(state, run.classifier, run.optimizer)
    return state


def _close_epoch(run: _Run, state: TrainingState) -> TrainingState:
    """Validate, add the epoch to the curve, and keep the weights if they are the best so far."""
    train_loss = state.loss_sum / len(run.data.train_rows)
    rate = _learning_rate(run, state.step - 1)
    return _add_to_curve(run, state, epoch=state.epochs_done + 1, train_loss=train_loss, rate=rate)


def _add_to_curve(
    run: _Run, state: TrainingState, *, epoch: int, train_loss: float | None, rate: float
) -> TrainingState:
    started = time.monotonic()
    loss = accuracy = None
    best = state.best
    if len(run.data.validation_rows):
        loss, accuracy = _validate(run)
        check_finite(loss, "validation", f"after epoch {epoch}", rate)
        if best is None or _is_better(run.recipe.train.select_by, accuracy, loss, best):
            file, sha256 = run.checkpoints.save_best(state.step, run.classifier)
            best = Best(epoch=epoch, accuracy=accuracy, loss=loss, file=file, sha256=sha256)
    seconds = state.seconds + time.monotonic() - started
    row = CurveRow(
        epoch=epoch,
        step=state.step,
        train_loss=train_loss,
        validation_loss=loss,
        validation_accuracy=accuracy,
        lr=rate,
        seconds=round(seconds, 3),
    )
    return state.model_copy(
        update={"loss_sum": 0.0, "seconds": seconds, "curve": (*state.curve, row), "best": best}
    )


def _validate(run: _Run) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the validation images, as evaluation would see them."""
    run.classifier.eval()
    rows, labels = run.data.validation_rows, run.data.validation_labels
    loss_sum, correct = 0.0, 0
    for start in range(0, len(rows), run.batch_size):
        part = slice(start, start + run.batch_size)
        pixels, _background = run.source.gather(rows[part])
        target = torch.from_numpy(labels[part]).to(run.source.device)
        with torch.inference_mode(), run.autocast:
            logits = run.classifier(pixels).float()
        loss_sum += float(functional.cross_entropy(logits.double(), target, reduction="sum"))
        correct += int((logits.argmax(1) == target).sum())
    return loss_sum / len(rows), correct / len(rows)


def _is_better(select_by: str, accuracy: float, loss: float, best: Best) -> bool:
    """Of equal accuracies the smaller loss wins; of epochs equal in both, the earlier stays."""
    if select_by == "loss":
        return loss < best.loss
    return (accuracy, -loss) > (best.accuracy, -best.loss)


def _freeze_statistics(model: nn.Module) -> None:
    """Batch normalisation with the statistics it came with; its scale and shift are still trained."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _learning_rate(run: _Run, step: int) -> float:
    return learning_rate_at(
        step, peak=run.recipe.optimizer.lr, warmup_steps=run.warmup_steps, total_steps=run.total_steps
    )


def _describe(row: CurveRow, epochs: int) -> str:
    parts = []
    if row.train_loss is not None:
        parts.append(f"training loss {row.train_loss:.4f}")
    if row.validation_accuracy is not None:
        parts.append(f"validation loss {row.validation_loss:.4f}, accuracy {row.validation_accuracy:.1%}")
    if row.epoch == 0:
        return f"the probe, before training: {', '.join(parts)}"
    return f"epoch {row.epoch}/{epochs}: {', '.join(parts)}, lr {row.lr:.2g}, {duration(row.seconds)}"


def _outcome(run: _Run, state: TrainingState, batch_norm: Decision) -> Outcome:
    decisions = [batch_norm]
    best_epoch = state.epochs_done
    if state.best is None:
        reason = "there were no validation images, so the last epoch counts"
    else:
        best_epoch = state.best.epoch
        reason = f"the best validation {run.recipe.train.select_by} of {state.epochs_done} epochs"
        if best_epoch == 0:
            reason = f"no epoch of {state.epochs_done} was better than the probe, whose weights are kept"
            warn_of_no_gain()
        warn_of_chance(state.best.accuracy, run.data)
    decisions.append(Decision("best_epoch", best_epoch, reason))
    if state.epochs_done < run.recipe.train.epochs:
        reason = f"the time allowed was used; {run.recipe.train.epochs} were planned, on a faster machine"
        decisions.append(Decision("stopped_after_epoch", state.epochs_done, reason))
        warn_of_time(state.epochs_done, run.recipe.train.epochs)
    return Outcome(best_epoch, state.epochs_done, state.step, state.curve, state.seconds, tuple(decisions))
