"""What stands before a run begins: a complete recipe, the model as it is to start, every choice, the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dessin.decisions import Decision
from dessin.models.backbones import BackboneInfo, describe_backbone
from dessin.models.classifier import build_classifier
from dessin.models.defaults import default_lr, default_weight_decay
from dessin.models.freezing import apply_finetune
from dessin.models.weights import Weights, resolve_weights
from dessin.recipe import Recipe
from dessin.runs.inputs import Inputs, training_curation
from dessin.runs.plan import RunPlan, plan_run, rows_of
from dessin.runs.stages import Trainable
from dessin.training.device import choose_batch_size, choose_device, choose_precision
from dessin.training.engine import decide_batch_norm
from dessin.training.optimise import steps_per_epoch
from dessin.training.teacher import Teacher, read_teacher


@dataclass(frozen=True)
class Prepared:
    """A plan and everything it was made from; nothing is written yet."""

    plan: RunPlan
    inputs: Inputs
    info: BackboneInfo
    weights: Weights
    model: Trainable
    teacher: Teacher | None = None

    def build(self) -> Trainable:
        """The model as it was before anything was trained."""
        return _build(self.plan.recipe, len(self.plan.classes), self.weights)


def complete(recipe: Recipe) -> tuple[Recipe, tuple[Decision, ...]]:
    """The recipe with what is usual in place of what it leaves open, and those choices."""
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
    usual: Sequence[Decision] = (),
    decided: Sequence[Decision] = (),
) -> Prepared:
    """Plan, and build the classifier: whatever does not fit is found before a folder is made.

    `usual` are choices that completed the recipe; `decided` those of an earlier beginning of the run, which
    stand.
    """
    info = describe_backbone(recipe.model.backbone)
    weights = resolve_weights(recipe.model.backbone, recipe.model.weights)
    curation = training_curation(recipe.data.training_curation, inputs.manifest)
    train, _validation = rows_of(inputs.split, recipe, curation)
    teacher = read_teacher(recipe.teacher, [row.image_id for row in train], inputs.split.classes)
    model = _build(recipe, len(inputs.split.classes), weights)
    steps, choices = 0, [choose_device()]
    if recipe.finetune.mode != "probe":
        choices += _training_choices(recipe, model, len(train), str(choices[0].value), decided)
        batch_size = next(int(str(choice.value)) for choice in choices if choice.name == "batch_size")
        steps = steps_per_epoch(recipe, len(train), batch_size)
        choices += usual
    if teacher is not None:
        choices.append(teacher.decision)
    plan = plan_run(
        recipe,
        inputs.split,
        info=info,
        weights=weights,
        steps_per_epoch=steps,
        machine=tuple(choices),
        curation=curation,
    )
    return Prepared(plan, inputs, info, weights, model, teacher)


def _build(recipe: Recipe, classes: int, weights: Weights) -> Trainable:
    model, finetune = recipe.model, recipe.finetune
    classifier = build_classifier(
        model.backbone,
        classes,
        weights,
        drop_rate=model.drop_rate,
        drop_path=model.drop_path,
        drop_block=model.drop_block,
        seed=recipe.seed,
        image_size=recipe.image.size,
        channels=recipe.image.channels,
        head=finetune.head,
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


def _training_choices(
    recipe: Recipe, model: Trainable, images: int, device: str, decided: Sequence[Decision]
) -> list[Decision]:
    """Precision, batch size, what is trained, and what becomes of batch normalisation."""
    kept = {decision.name: decision for decision in decided}
    precision = kept.get("precision") or choose_precision(device, recipe.train.precision)
    batch_size = kept.get("batch_size") or choose_batch_size(
        model.classifier, recipe, images, device=device, precision=str(precision.value)
    )
    return [precision, batch_size, model.freezing.decision, decide_batch_norm(recipe)]
