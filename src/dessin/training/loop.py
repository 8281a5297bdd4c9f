"""The training loop, from the first step to the best weights, resumable to the byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from dessin.errors import DessinError
from dessin.language import phrase, tr
from dessin.page.numbers import counted
from dessin.progress import say, track
from dessin.recipe import Recipe
from dessin.training.averaging import Averages, ema_share
from dessin.training.batches import images_of
from dessin.training.candidates import Candidates
from dessin.training.checkpoint import Checkpoints, TrainingState, check_fingerprint, fingerprint
from dessin.training.curve import CurveRow, write_curve
from dessin.training.data import Training
from dessin.training.engine import Engine, make_engine
from dessin.training.guard import Chance, chance_of, check_collapse, check_measured, warn_before
from dessin.training.optimise import Schedule, make_schedule
from dessin.training.outcome import Outcome, describe, make_outcome
from dessin.training.seeding import reproducible
from dessin.training.step import LossesSeen


@dataclass(frozen=True)
class _Run:
    """Everything that stays the same from step to step; `chance` is None where nothing is validated."""

    engine: Engine
    schedule: Schedule
    candidates: Candidates
    chance: Chance | None
    checkpoint_seconds: float
    curve: Path
    on_epoch: Callable[[CurveRow], None] | None

    @property
    def recipe(self) -> Recipe:
        return self.engine.recipe

    def save(self, state: TrainingState) -> None:
        engine, kept = self.engine, self.candidates
        kept.checkpoints.save(state, engine.classifier, engine.stepper.optimizer, kept.averages)

    def publish(self, state: TrainingState) -> None:
        """Put the newest row of the curve where it can be seen."""
        write_curve(self.curve, state.curve)
        if self.on_epoch is not None:
            self.on_epoch(state.curve[-1])


def fit(
    training: Training,
    folder: Path,
    *,
    lr: float | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 60.0,
    seconds_allowed: float | None = None,
    on_epoch: Callable[[CurveRow], None] | None = None,
) -> Outcome:
    """Train the classifier and leave it with the weights of its best epoch, in evaluation mode.

    Args:
        training: with `resume`, the classifier's weights are replaced by the checkpoint's.
        folder: the run folder; `curve.csv` and `checkpoint/` are written there.
        lr: the peak learning rate; by default the recipe's, which then must be a number.
        resume: go on from the newest checkpoint in `folder`, if there is one.
        checkpoint_seconds: time between checkpoints within an epoch; each epoch ends with one.
        seconds_allowed: begin no epoch that would end later than this; the outcome then says so.
        on_epoch: is given each row of the curve once it is written, and with `resume` those of before again,
            for a run may be killed between the two; it changes no result.

    Raises:
        Collapsed: the loss is not finite, or the run is at chance; `curve.csv` then shows how it went.
        DessinError: the recipe asks for what this data cannot give, or the run cannot be resumed as begun.
    """
    recipe, data, train = training.recipe, training.data, training.recipe.train
    peak = recipe.optimizer.lr if lr is None else lr
    if peak is None or isinstance(peak, str):
        raise DessinError(
            "The recipe leaves the learning rate open, and none was found for it.",
            do="Give fit the rate that find_lr decides, or put a number into optimizer.lr.",
        )
    check_measured(recipe, data)
    checkpoints = Checkpoints(folder / "checkpoint")
    state = _resume_or_start(checkpoints, fingerprint(training, peak), resume=resume)
    warn_before(recipe, data)
    with reproducible(training.computing.device, state.threads):
        engine = make_engine(training)
        labels, stepper = data.validation_labels, engine.stepper
        chance = None
        if len(labels):
            chance = chance_of(labels, data.train_labels, stepper.classes, stepper.loss, stepper.weights)
        averages = Averages(training.classifier, ema=train.ema > 0, mean=train.average_last > 0)
        run = _Run(
            engine=engine,
            schedule=make_schedule(recipe.optimizer, peak, engine.steps_per_epoch, train.epochs),
            candidates=Candidates(engine, averages, checkpoints),
            chance=chance,
            checkpoint_seconds=checkpoint_seconds,
            curve=folder / "curve.csv",
            on_epoch=on_epoch,
        )
        state = _restore_or_begin(run, state)
        started, before = time.monotonic(), state.epochs_done

        def epochs() -> Iterator[int]:
            while not _is_done(recipe, state):
                # Another epoch is taken to last as long as those so far; of the first one nothing is known.
                used, done = time.monotonic() - started, state.epochs_done - before
                if seconds_allowed is not None and done and used + used / done > seconds_allowed:
                    return
                yield state.epochs_done

        for _ in track(epochs(), train.epochs - before, "Training", unit="epochs"):
            state = _one_epoch(run, state)
        write_curve(run.curve, state.curve)
        run.candidates.keep_what_counts(state)
    return make_outcome(recipe, data, state)


def _resume_or_start(checkpoints: Checkpoints, conditions: dict[str, str], *, resume: bool) -> TrainingState:
    found = checkpoints.latest() if checkpoints.folder.exists() else None
    if found is None:
        if resume:
            say(tr("There is no checkpoint yet, so training starts at its beginning."))
        return TrainingState(fingerprint=conditions, threads=torch.get_num_threads())
    if not resume:
        raise DessinError(
            f"There is a checkpoint in {checkpoints.folder} already, at step {found.step}.",
            do="Resume that run with --resume, or choose another --out.",
        )
    check_fingerprint(found.fingerprint, conditions)
    epochs = counted(found.epochs_done, "epoch")
    say(tr("Resuming after step {step}, {epochs} finished.", step=found.step, epochs=epochs))
    if found.threads != torch.get_num_threads():
        threads = counted(found.threads, "thread")
        own = torch.get_num_threads()
        say(tr("Computing with {threads}, as the run was begun, not {own}.", threads=threads, own=own))
    return found


def _restore_or_begin(run: _Run, state: TrainingState) -> TrainingState:
    """The tensors of the checkpoint that was found; else a first checkpoint.

    A head that was fitted competes with what training makes of it, so that a run never ends below it.
    """
    engine = run.engine
    if state.digests:
        kept = run.candidates
        kept.checkpoints.restore(state, engine.classifier, engine.stepper.optimizer, kept.averages)
        if run.on_epoch is not None:
            for row in state.curve:
                run.on_epoch(row)
        return state
    if run.recipe.finetune.start != "new" and len(engine.data.validation_rows):
        state = run.candidates.add_epoch(state, epoch=0, rate=0.0)
        say(describe(state.curve[-1], run.recipe))
        run.publish(state)
    run.save(state)
    return state


def _is_done(recipe: Recipe, state: TrainingState) -> bool:
    """Whether nothing is left to train: a function of the curve, so that a resumed run agrees."""
    if not state.curve:
        return False
    patience = recipe.train.early_stop
    waited = state.epochs_done - (state.best.epoch if state.best else 0)
    ended_early = patience is not None and waited >= patience
    return state.epochs_done >= recipe.train.epochs or ended_early or bool(state.curve[-1].averaged)


def _one_epoch(run: _Run, state: TrainingState) -> TrainingState:
    """Train an epoch, judge it, and save; the last one is followed by the mean of the last weights."""
    recipe = run.recipe
    state = _train_epoch(run, state)
    rate = run.schedule.rate(state.step - 1, state.curve)
    state = run.candidates.add_epoch(state, epoch=state.epochs_done + 1, rate=rate)
    say(describe(state.curve[-1], recipe))
    run.publish(state)
    if run.chance is not None:
        check_collapse(
            state.curve, run.chance, epochs=recipe.train.epochs, rise_steps=run.schedule.rise_steps
        )
    if _is_done(recipe, state):
        state = run.candidates.add_average(state)
        if state.curve[-1].averaged:
            run.publish(state)
    run.save(state)
    return state


def _train_epoch(run: _Run, state: TrainingState) -> TrainingState:
    """The steps that are left of the epoch under way, with a checkpoint now and then."""
    engine, epoch, ema = run.engine, state.epochs_done, run.candidates.averages.ema
    first = epoch * engine.steps_per_epoch
    last = first + engine.steps_per_epoch
    started = saved = time.monotonic()
    losses = LossesSeen(state, engine.source.device)

    def now_at(step: int) -> TrainingState:
        loss_sum = losses.settle()
        seconds = state.seconds + time.monotonic() - started
        return state.model_copy(update={"step": step, "loss_sum": loss_sum, "seconds": seconds})

    engine.train_mode()
    done = state.step - first
    batches = track(
        engine.steps(epoch, done),
        engine.samples - done * engine.batches.size.images,
        phrase("Epoch {n} of {all}", n=epoch + 1, all=run.recipe.train.epochs),
        size=images_of,
    )
    for step, parts in enumerate(batches, start=state.step):
        rate = run.schedule.rate(step, state.curve)
        loss = engine.stepper.take(step, rate, parts)
        losses.add(loss, images=images_of(parts), step=step, rate=rate)
        if ema is not None:
            ema.update(ema_share(run.recipe.train.ema, step))
        # The last step of an epoch is saved with its validation, by the caller.
        if time.monotonic() - saved >= run.checkpoint_seconds and step + 1 < last:
            run.save(now_at(step + 1))
            saved = time.monotonic()
    return now_at(last)
