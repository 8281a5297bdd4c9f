"""What trains: the classifier with its optimiser, its images and its modes, for a run and a range test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from dessin.decisions import Decision
from dessin.models.classifier import Classifier
from dessin.models.losses import class_weights, make_loss
from dessin.models.prefix import Halves
from dessin.recipe import Recipe
from dessin.training.batches import EpochSteps, Step, StepSize
from dessin.training.cached_views import CachedViews, halves_of
from dessin.training.data import PixelSource, Rows, Training, TrainingData
from dessin.training.optimise import make_optimizer
from dessin.training.step import Stepper, make_forward

# Of the device's memory, at most, for what frozen stages say of the validation images.
_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Engine:
    """A training ready to step; `still` are the modules whose batch statistics stay.

    With cached views, what the frozen half computes of the validation images is `kept` too, by the number of
    a batch's first row.
    """

    training: Training
    batches: EpochSteps
    stepper: Stepper
    still: tuple[nn.Module, ...]
    halves: Halves | None = None
    kept: dict[int, Tensor] = field(default_factory=dict)

    @property
    def classifier(self) -> Classifier:
        return self.training.classifier

    @property
    def recipe(self) -> Recipe:
        return self.training.recipe

    @property
    def data(self) -> TrainingData:
        return self.training.data

    @property
    def source(self) -> PixelSource:
        return self.batches.source

    @property
    def samples(self) -> int:
        """Images an epoch, copies included."""
        return len(self.data.train_rows) * self.recipe.pipeline.factor

    @property
    def steps_per_epoch(self) -> int:
        return self.batches.size.steps(self.samples)

    def steps(self, epoch: int, first: int = 0) -> Iterator[Step]:
        """The steps of an epoch (counted from 0) from number `first` on."""
        return self.batches.of(epoch, first)

    def train_mode(self) -> None:
        """Dropout on; batch normalisation learns statistics but where they are to stay as they came."""
        self.classifier.train()
        for module in self.still:
            module.eval()

    def validate(self) -> tuple[float, float]:
        """Mean cross-entropy and accuracy (0..1) on the validation images, as evaluation sees them.

        Leaves the classifier in evaluation mode. The host waits for the device once, at the end.
        """
        self.classifier.eval()
        rows, labels, device = self.data.validation_rows, self.data.validation_labels, self.source.device
        losses = torch.zeros((), dtype=torch.float64, device=device)
        correct = torch.zeros((), dtype=torch.int64, device=device)
        size = self.batches.size.batch_size
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            target = torch.from_numpy(labels[part]).to(device, non_blocking=True)
            with torch.inference_mode(), self.stepper.autocast:
                logits = self._logits(start, rows[part]).float()
                losses += functional.cross_entropy(logits.double(), target, reduction="sum")
                correct += (logits.argmax(1) == target).sum()
        return float(losses) / len(rows), int(correct) / len(rows)

    def _logits(self, start: int, rows: Rows) -> Tensor:
        """Of validation images, in evaluation mode."""
        if self.halves is None or self.classifier.mirrored:
            return self.classifier(self.source.gather(rows)[0])  # type: ignore[no-any-return]
        activations = self.kept.get(start)
        if activations is None:
            activations = self.halves.first(self.source.gather(rows)[0])
            if len(self.data.validation_rows) * activations[0].nbytes <= _KEPT_BYTES:
                self.kept[start] = activations
        return self.classifier.classify(self.halves.then(activations))


def make_engine(training: Training) -> Engine:
    """Move the classifier to the device and put everything around it."""
    recipe, computing = training.recipe, training.computing
    classifier = training.classifier.to(computing.device)
    weights, weighing = None, recipe.train.class_weights
    if weighing != "none":
        weights = class_weights(training.data.train_labels, classifier.classes, weighing).to(computing.device)
    source = PixelSource(training.data.store, computing.device)
    halves = halves_of(classifier, recipe)
    stepper = Stepper(
        classifier=classifier,
        forward=make_forward(classifier, compiled=recipe.train.compile, halves=halves),
        optimizer=make_optimizer(classifier, recipe.optimizer, layer_decay=recipe.finetune.layer_decay),
        loss=make_loss(recipe.loss),
        weights=weights,
        classes=classifier.classes,
        seed=recipe.seed,
        sam=recipe.optimizer.sam,
        clip_norm=recipe.optimizer.clip_norm,
        autocast=computing.autocast,
    )
    batches = EpochSteps(
        data=training.data,
        source=source,
        pipeline=recipe.pipeline,
        size=StepSize(computing.batch_size, recipe.train.accumulate),
        seed=recipe.seed,
        workers=computing.workers,
        views=CachedViews(halves, training.data, source, recipe.pipeline, recipe) if halves else None,
    )
    # Batch normalisations that keep their statistics; scale and shift may still be trained.
    frozen: list[nn.Module] = list(training.freezing.frozen_modules) if training.freezing else []
    if decide_batch_norm(recipe).value == "frozen":
        frozen = [classifier]
    inside = (module for parent in frozen for module in parent.modules())
    still = tuple(module for module in inside if isinstance(module, nn.modules.batchnorm._BatchNorm))
    return Engine(training, batches, stepper, still, halves)


def decide_batch_norm(recipe: Recipe) -> Decision[str]:
    """Whether batch normalisation keeps its statistics (`frozen`) or learns new ones (`train`)."""
    chosen, reason = recipe.finetune.batch_norm, "asked for in the recipe"
    if chosen == "auto" and recipe.finetune.start == "new":
        chosen, reason = "train", "the head starts anew, so the statistics of what is trained may adapt"
    elif chosen == "auto":
        chosen = "frozen"
        reason = "the head is fitted to features under these statistics; new ones would undo it at once"
    return Decision("batch_norm", chosen, reason)
