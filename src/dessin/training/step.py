"""One step of training: its pixels, its loss, its gradients, and what the optimiser makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from dessin.augmentation.apply import apply_plan, mix
from dessin.errors import DessinError
from dessin.models.classifier import Classifier
from dessin.models.losses import Loss, mean_loss
from dessin.models.prefix import Halves
from dessin.training.batches import Batch
from dessin.training.checkpoint import TrainingState
from dessin.training.guard import check_finite
from dessin.training.optimise import perturbed, set_learning_rate, statistics_kept, trained_parameters
from dessin.training.seeding import seed_step

# On a GPU the host runs ahead; each look at a loss makes it wait until the device has come so far.
_STEPS_BETWEEN_LOOKS = 16


class LossesSeen:
    """Sums losses times images in float64, in the order of the steps, however often it looks."""

    def __init__(self, state: TrainingState, device: torch.device) -> None:
        self._total, self._curve = state.loss_sum, state.curve
        self._epoch = state.epochs_done + 1
        self._between = 1 if device.type == "cpu" else _STEPS_BETWEEN_LOOKS
        self._waiting: list[tuple[Tensor, int, int, float]] = []

    def add(self, loss: Tensor, *, images: int, step: int, rate: float) -> None:
        """Note the mean loss of a step (counted from 0) of so many images; raises like `settle`."""
        self._waiting.append((loss, images, step, rate))
        if len(self._waiting) >= self._between:
            self.settle()

    def settle(self) -> float:
        """The sum so far.

        Raises:
            Collapsed: one of the losses is not finite.
        """
        if self._waiting:
            values = torch.stack([loss for loss, *_ in self._waiting]).tolist()
            for value, (_, images, step, rate) in zip(values, self._waiting, strict=True):
                check_finite(
                    value, "training", epoch=self._epoch, step=step + 1, rate=rate, curve=self._curve
                )
                self._total += value * images
            self._waiting.clear()
        return self._total


# (n, channels, S, S) pixels → logits (n, C), features (n, D).
Forward = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Stepper:
    """What a step needs and does not change from step to step; `weights` are the classes', (C,), or None."""

    classifier: Classifier
    forward: Forward
    optimizer: torch.optim.Optimizer
    loss: Loss
    weights: Tensor | None
    classes: int
    seed: int
    sam: float
    clip_norm: float | None
    autocast: torch.autocast

    def take(self, step: int, rate: float, batches: Sequence[Batch]) -> Tensor:
        """Do a step; returns the mean loss of its images before it, a scalar that stays on the device.

        With `sam`, gradients are taken twice: the second time at the weights where the first ones say that
        the loss is worst, with the same dropout, and leaving batch statistics alone.
        """
        set_learning_rate(self.optimizer, rate)
        inputs: Iterable[tuple[Tensor, Tensor]] = (self.inputs(batch) for batch in batches)
        if self.sam:
            inputs = list(inputs)
        loss = self._gradients(step, inputs, len(batches))
        parameters = trained_parameters(self.optimizer)
        if self.sam:
            with perturbed(parameters, self.sam), statistics_kept(self.classifier):
                self._gradients(step, inputs, len(batches))
        if self.clip_norm is not None:
            clip_grad_norm_(parameters, self.clip_norm)
        self.optimizer.step()
        return loss

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Augmented and mixed pixels (n, channels, S, S), and soft targets (n, C).

        A cached view's activations are mixed like pixels: manifold mixup (Verma et al., ICML 2019).
        """
        pixels = self.pixels(batch)
        given = torch.from_numpy(batch.labels if batch.targets is None else batch.targets)
        targets = given.to(pixels.device, non_blocking=True)
        if batch.targets is None:
            targets = functional.one_hot(targets, self.classes).float()
        return mix(batch.mixing, pixels, targets)

    def pixels(self, batch: Batch) -> Tensor:
        """Augmented pixels (n, channels, S, S), or a cached view's activations as they are."""
        if batch.plan is None:
            return batch.pixels
        return apply_plan(batch.plan, batch.pixels, batch.background)

    def mean_loss(self, pixels: Tensor, targets: Tensor) -> Tensor:
        """The weighted mean over the images."""
        with self.autocast:
            logits, features = self.forward(pixels)
        values = self.loss(logits, targets, features if self.loss.needs_features else None)
        return mean_loss(values, targets, self.weights)

    def _gradients(self, step: int, inputs: Iterable[tuple[Tensor, Tensor]], parts: int) -> Tensor:
        """Leave the gradients of the mean over all images of the step; returns that mean."""
        seed_step(self.seed, step)
        self.optimizer.zero_grad(set_to_none=True)
        losses, masses = [], []
        for pixels, targets in inputs:
            loss = self.mean_loss(pixels, targets)
            # How much the images of a part count together: their number, or their classes' weights.
            mass = targets.new_full((), float(len(targets)))
            if self.weights is not None:
                mass = (targets @ self.weights).sum()
            # With several parts how much they count together is known only at the end.
            (loss * mass if parts > 1 else loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            masses.append(mass)
        if parts == 1:
            return losses[0]
        shares = torch.stack(masses) / torch.stack(masses).sum()
        gradients = [p.grad for p in trained_parameters(self.optimizer) if p.grad is not None]
        torch._foreach_div_(gradients, torch.stack(masses).sum())
        return (torch.stack(losses) * shares).sum()


def make_forward(classifier: Classifier, *, compiled: bool, halves: Halves | None = None) -> Forward:
    """The classifier as one function, compiled where that is asked for; names of modules stay as they are.

    With `halves` of its body it takes activations in place of pixels.
    """
    read = halves.then if halves else classifier.features

    def forward(pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = read(pixels)
        return classifier.classify(features), features

    if not compiled:
        return forward
    from torch._dynamo.exc import TorchDynamoException

    # A kernel for each shape: which one computes must not depend on the shapes that came before.
    fast = torch.compile(forward, dynamic=False)

    def checked(pixels: Tensor) -> tuple[Tensor, Tensor]:
        try:
            return fast(pixels)
        except TorchDynamoException as error:
            # Its first paragraph; the rest is advice on how to debug torch.
            why = " ".join(str(error).partition("\n\n")[0].split())
            raise DessinError(
                f"torch.compile cannot compile {classifier.backbone}: {why}.",
                do="Set train.compile to false.",
            ) from error

    return checked
