"""What stands before a run begins: a complete recipe, the model as it is to start, every choice, the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dessin.answers.teacher import Teacher, read_teacher
from dessin.decisions import Decision
from dessin.models.backbones import check_backbone, describe_backbone
from dessin.models.classifier import Classifier, build_classifier
from dessin.models.drawn import DRAWN, drawn_file, warn_of_own_drawings
from dessin.models.freezing import Freezing, apply_finetune, default_lr, default_weight_decay
from dessin.models.text_tower import NoTextTowerError, TextTower, class_rows, find_text_tower
from dessin.models.weights import Weights, resolve_weights
from dessin.recipe import Recipe
from dessin.runs.inputs import Inputs, training_curation
from dessin.runs.plan import Pretrained, RunPlan, Tuning, plan_run, rows_of
from dessin.training.cached_views import decide_views, halves_of
from dessin.training.device import Computing, choose_batch_size, choose_device, choose_precision
from dessin.training.engine import decide_batch_norm
from dessin.training.optimise import steps_per_epoch


@dataclass(frozen=True)
class Trainable:
    """A classifier with its pretrained weights, and which part of it is trained."""

    classifier: Classifier
    freezing: Freezing


@dataclass(frozen=True)
class Prepared:
    """A plan and everything it was made from; nothing is written yet.

    `teacher` says something of each of the plan's training images, `text` of the names of its classes.
    """

    plan: RunPlan
    inputs: Inputs
    pretrained: Pretrained
    model: Trainable
    teacher: Teacher | None = None
    text: TextTower | None = None

    @property
    def recipe(self) -> Recipe:
        return self.plan.recipe

    @property
    def weights(self) -> Weights:
        return self.pretrained.weights

    @property
    def device(self) -> torch.device:
        return torch.device(self.plan.device.value)

    def computing(self, workers: int = 0) -> Computing:
        """How its training is computed; a probe's features are, by 32."""
        tuning = self.plan.tuning
        if tuning is None:
            return Computing(self.device, workers=workers)
        return Computing(self.device, tuning.precision.value, tuning.batch_size.value, workers)

    def build(self) -> Trainable:
        """The model as it was before anything was trained."""
        return _build(self.recipe, len(self.plan.classes), self.pretrained)


def complete(recipe: Recipe) -> tuple[Recipe, tuple[Decision[float], ...]]:
    """The recipe with what is usual in place of what it leaves open, and those choices.

    Raises:
        DessinError: an unknown backbone, or one without the weights that the recipe asks for by name; it is
            said here, before any image is read.
    """
    for backbone, weights in recipe.model.bodies:
        check_backbone(backbone)
        if weights == DRAWN:
            drawn_file(backbone)
    optimizer, usual = recipe.optimizer, []
    if optimizer.lr is None:
        usual.append(default_lr(recipe.model.backbone, optimizer.name, recipe.finetune.mode))
    if optimizer.weight_decay is None:
        usual.append(default_weight_decay(optimizer.name))
    update = {decision.name: decision.value for decision in usual}
    return recipe.model_copy(update={"optimizer": optimizer.model_copy(update=update)}), tuple(usual)


def prepare(
    recipe: Recipe,
    inputs: Inputs,
    *,
    usual: Sequence[Decision[float]] = (),
    decided: Sequence[Decision[Any]] = (),
    page: Decision[str] | None = None,
) -> Prepared:
    """Plan, and build the classifier: whatever does not fit is found before a folder is made.

    `usual` are choices that completed the recipe; `decided` those of an earlier beginning of the run, which
    stand; `page` is why pages are looked for, where the recipe's author did not ask for it.
    """
    own, *beside = (
        Pretrained(describe_backbone(backbone), resolve_weights(backbone, weights))
        for backbone, weights in recipe.model.bodies
    )
    pretrained = replace(own, beside=tuple(beside))
    for backbone, weights in recipe.model.bodies:
        if weights == DRAWN:
            warn_of_own_drawings(backbone, inputs.manifest.root, inputs.class_names)
    curation = training_curation(recipe.data.training_curation, inputs.manifest)
    train, _validation = rows_of(inputs.split, recipe, curation)
    teacher = read_teacher(recipe.teacher, [row.image_id for row in train], inputs.split.classes)
    tower, told = _text_tower(recipe)
    model, device = (
        _build(recipe, len(recipe.data.classes(inputs.split.classes)), pretrained),
        choose_device(),
    )
    tuning = None
    if recipe.finetune.mode != "probe":
        kept = {decision.name: decision for decision in decided}
        precision = kept.get("precision") or choose_precision(device.value, recipe.train.precision)
        batch_size = kept.get("batch_size") or choose_batch_size(
            model.classifier, recipe, len(train), device=device.value, precision=precision.value
        )
        halves = halves_of(model.classifier, recipe)
        if halves:
            views = decide_views(halves, recipe, len(train) * recipe.pipeline.factor)
            usual = (*usual, views)
        tuning = Tuning(
            precision,
            batch_size,
            trained=model.freezing.decision,
            batch_norm=decide_batch_norm(recipe),
            steps_per_epoch=steps_per_epoch(recipe, len(train), batch_size.value),
            usual=tuple(usual),
        )
    taught = teacher.decision if teacher else None
    plan = plan_run(
        *(recipe, inputs.split, pretrained, device, tuning),
        teacher=taught,
        curation=curation,
        page=page,
        text=told,
    )
    return Prepared(plan, inputs, pretrained, model, teacher, tower)


def _text_tower(recipe: Recipe) -> tuple[TextTower | None, Decision[str] | None]:
    """What is asked for, and where it is from; a backbone's own that is not to be had is done without."""
    asked = recipe.finetune.text
    if asked is None:
        return None, None
    try:
        tower = find_text_tower(recipe.model.backbone, asked)
    except NoTextTowerError as error:
        if asked != "auto" or recipe.data.zero_shot:
            raise
        return None, Decision("text tower", "off", error.seen)
    how = "the backbone's own" if asked == "auto" else "asked for in the recipe"
    return tower, Decision("text tower", tower.source, f"{how}; sha256 {tower.sha256[:12]}…")


def named_rows(prepared: Prepared) -> NDArray[np.float32] | None:
    """(C, D) what the names of the classes say of the backbone's features; None without a text tower."""
    if prepared.text is None:
        return None
    known = prepared.inputs.manifest.names
    names = [known.get(label, label) for label in prepared.plan.classes]
    return class_rows(prepared.text, prepared.weights, names).numpy()


def _build(recipe: Recipe, classes: int, pretrained: Pretrained) -> Trainable:
    model, finetune = recipe.model, recipe.finetune
    classifier = build_classifier(
        model.backbone,
        classes,
        pretrained.weights,
        drop_rate=model.drop_rate,
        drop_path=model.drop_path,
        drop_block=model.drop_block,
        seed=recipe.seed,
        image_size=recipe.image.size,
        channels=recipe.image.channels,
        head=finetune.head,
        features=model.features,
        beside=[other.weights for other in pretrained.beside],
        mirrored=model.mirrored,
    )
    freezing = apply_finetune(
        classifier,
        mode=finetune.mode,
        stages=finetune.stages or (4,),
        last_blocks=finetune.last_blocks or 1,
        lora_rank=finetune.lora_rank or 8,
        seed=recipe.seed,
    )
    return Trainable(classifier, freezing)
