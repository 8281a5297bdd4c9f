"""What trains: the classifier with its optimiser, its images and its modes, for a run and a range test;
and validation as evaluation sees the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from dessin.decisions import Decision
from dessin.models.classifier import Classifier
from dessin.models.freezing import Freezing
from dessin.models.losses import class_weights, make_loss
from dessin.recipe import Recipe
from dessin.training.batches import Step, StepSize, epoch_steps
from dessin.training.data import PixelSource, Rows, TrainingData
from dessin.training.optimise import make_optimizer
from dessin.training.step import Stepper, make_forward


def validate(
    classifier: Classifier,
    source: PixelSource,
    rows: Rows,
    labels: Rows,
    *,
    batch_size: int,
    autocast: torch.autocast,
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0..1) on rows (n,) of the store with labels (n,).

    Leaves the classifier in evaluation mode. The host waits for the device once, at the end.
    """
    classifier.eval()
    losses = torch.zeros((), dtype=torch.float64, device=source.device)
    correct = torch.zeros((), dtype=torch.int64, device=source.device)
    for start in range(0, len(rows), batch_size):
        part = slice(start, start + batch_size)
        pixels, _background = source.gather(rows[part])
        target = torch.from_numpy(labels[part]).to(source.device, non_blocking=True)
        with torch.inference_mode(), autocast:
            logits = classifier(pixels).float()
            losses += functional.cross_entropy(logits.double(), target, reduction="sum")
            correct += (logits.argmax(1) == target).sum()
    return float(losses) / len(rows), int(correct) / len(rows)


@dataclass(frozen=True)
class Engine:
    """A recipe on its images, ready to step; `still` are the modules whose batch statistics stay."""

    classifier: Classifier
    recipe: Recipe
    data: TrainingData
    source: PixelSource
    stepper: Stepper
    size: StepSize
    still: tuple[nn.Module, ...]
    workers: int

    @property
    def samples(self) -> int:
        """Images an epoch, copies included."""
        return len(self.data.train_rows) * self.recipe.pipeline.factor

    @property
    def steps_per_epoch(self) -> int:
        return self.size.steps(self.samples)

    def steps(self, epoch: int, first: int = 0) -> Iterator[Step]:
        """The steps of an epoch (counted from 0) from number `first` on."""
        return epoch_steps(
            self.data,
            self.source,
            self.recipe.pipeline,
            self.size,
            seed=self.recipe.seed,
            epoch=epoch,
            first=first,
            workers=self.workers,
        )

    def train_mode(self) -> None:
        """Dropout on; batch normalisation learns statistics but where they are to stay as they came."""
        self.classifier.train()
        for module in self.still:
            module.eval()

    def validate(self) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on the validation images."""
        return validate(
            self.classifier,
            self.source,
            self.data.validation_rows,
            self.data.validation_labels,
            batch_size=self.size.batch_size,
            autocast=self.stepper.autocast,
        )


def make_engine(
    classifier: Classifier,
    recipe: Recipe,
    data: TrainingData,
    *,
    device: torch.device,
    precision: str,
    batch_size: int,
    freezing: Freezing | None = None,
    workers: int = 0,
) -> Engine:
    """Move the classifier to the device and put everything around it; arguments as for `loop.fit`."""
    classifier.to(device)
    classes = classifier.classes
    weights = None
    if recipe.train.class_weights != "none":
        weights = class_weights(data.train_labels, classes, recipe.train.class_weights).to(device)
    stepper = Stepper(
        classifier=classifier,
        forward=make_forward(classifier, compiled=recipe.train.compile),
        optimizer=make_optimizer(classifier, recipe.optimizer, layer_decay=recipe.finetune.layer_decay),
        loss=make_loss(recipe.loss),
        weights=weights,
        classes=classes,
        seed=recipe.seed,
        sam=recipe.optimizer.sam,
        clip_norm=recipe.optimizer.clip_norm,
        autocast=torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"),
    )
    return Engine(
        classifier=classifier,
        recipe=recipe,
        data=data,
        source=PixelSource(data.store, device),
        stepper=stepper,
        size=StepSize(batch_size, recipe.train.accumulate),
        still=_still(classifier, recipe, freezing),
        workers=workers,
    )


def decide_batch_norm(recipe: Recipe) -> Decision:
    """Whether batch normalisation keeps its statistics (`frozen`) or learns new ones (`train`)."""
    asked = recipe.finetune.batch_norm
    if asked != "auto":
        return Decision("batch_norm", asked, "asked for in the recipe")
    if recipe.finetune.start != "new":
        reason = "the head is fitted to features under these statistics; new ones would undo it at once"
        return Decision("batch_norm", "frozen", reason)
    return Decision(
        "batch_norm", "train", "the head starts anew, so the statistics of what is trained may adapt"
    )


def _still(classifier: Classifier, recipe: Recipe, freezing: Freezing | None) -> tuple[nn.Module, ...]:
    """The batch normalisations that keep their statistics; scale and shift may still be trained."""
    frozen: list[nn.Module] = list(freezing.frozen_modules) if freezing else []
    if decide_batch_norm(recipe).value == "frozen":
        frozen = [classifier]
    inside = (module for parent in frozen for module in parent.modules())
    return tuple(module for module in inside if isinstance(module, nn.modules.batchnorm._BatchNorm))
