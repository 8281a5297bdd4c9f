"""A recipe: everything that defines a training run, as typed sections read from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from dessin.augmentation.ops import check_ops
from dessin.augmentation.pipeline import Pipeline
from dessin.errors import DessinError, listing, quoted
from dessin.images.spec import ImageSpec
from dessin.models import default_backbones
from dessin.models.losses import LOSSES, check_loss
from dessin.ops import parse_op
from dessin.reading_yaml import parse_yaml, read_yaml
from dessin.recipes.verb import recipe_file
from dessin.schema import Section, check_key, validated
from dessin.trackers import check_trackers

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
ClassName = Annotated[str, Field(min_length=1, max_length=100)]


def _as_list(given: object) -> object:
    """A single entry may be written without brackets."""
    return [given] if isinstance(given, str) else given


class DataSpec(Section):
    """Where the images, the split and the curation are; paths are relative to the working folder.

    `curation` is the one that the split was made with. `training_curation` acts on the training rows
    alone, so that runs with and without it are measured on the same images; `auto` is what an audit proposes.
    `zero_shot` are further classes that nothing is drawn of yet: a probe answers them by their names alone.
    """

    path: str | None = None
    split: str | None = None
    fold: int | Literal["none"] = 0
    curation: str | None = None
    training_curation: str | None = None
    zero_shot: Annotated[tuple[ClassName, ...], BeforeValidator(_as_list)] = ()

    def classes(self, drawn: Sequence[str]) -> tuple[str, ...]:
        """The classes that a run answers, of a split with the classes `drawn`.

        Raises:
            DessinError: one of `zero_shot` is drawn.
        """
        twice = sorted({*drawn} & {*self.zero_shot})
        if twice:
            raise DessinError(
                f"data.zero_shot names classes that have drawings: {listing(twice)}.",
                do="Leave them out there; finetune.text gives their names a share, too.",
            )
        return tuple(sorted({*drawn, *self.zero_shot})) if self.zero_shot else tuple(drawn)

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys of `UNSAID` where they are the usual ones: what was written before has none."""
        values: dict[str, Any] = whole(self)
        if not self.zero_shot:
            values.pop("zero_shot", None)
        return values


# Keys that a written recipe lacks where they have this value.
UNSAID: dict[str, object] = {
    "image.page": "off",
    "model.features": "last",
    "model.beside": [],
    "model.mirrored": False,
    "finetune.cached_views": 0,
    "finetune.probe": "logistic",
    "finetune.text": None,
    "data.zero_shot": [],
}


class ModelSpec(Section):
    """`drop_rate`, `drop_path` and `drop_block` are probabilities; not every backbone has the last two.

    With `features: several` the head reads the last two feature maps too, by their mean and maximum.
    `beside` are further frozen bodies, NAME or NAME:WEIGHTS, whose features a probe reads after those of the
    first. With `mirrored` the model answers with the mean of its logits for an image and its mirror image.
    """

    backbone: str = default_backbones.RECIPE
    weights: str = "auto"
    features: Literal["last", "several"] = "last"
    beside: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    mirrored: bool = False
    drop_rate: Rate = 0.0
    drop_path: Rate = 0.0
    drop_block: Rate = 0.0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.drop_path or self.drop_block:
            from dessin.models.capabilities import check_regularisers

            check_regularisers(self.backbone, drop_path=self.drop_path, drop_block=self.drop_block)
        if self.beside:
            from dessin.models.backbones import check_bodies

            check_bodies(self.bodies)
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys of `UNSAID` where they are the usual ones: what was written before has none."""
        values: dict[str, Any] = whole(self)
        if self.features == UNSAID["model.features"]:
            values.pop("features", None)
        for key in ("beside", "mirrored"):
            if not values.get(key):
                values.pop(key, None)
        return values

    @property
    def bodies(self) -> tuple[tuple[str, str], ...]:
        """Backbone and weights of each body, the first one first."""
        others = (entry.partition(":") for entry in self.beside)
        return ((self.backbone, self.weights), *((name, weights or "auto") for name, _, weights in others))

    @property
    def backbones(self) -> str:
        """Those of all bodies in words, without their weights, which may be a path."""
        return " + ".join(backbone for backbone, _ in self.bodies)

    @property
    def candidate(self) -> str:
        """All bodies as `scout` takes them: `NAME[:WEIGHTS]`, joined by `+`."""
        from dessin.models.backbones import written

        return written(self.bodies)


class FinetuneSpec(Section):
    """What is trained, and where the head begins.

    `stages` (of four, the last is 4), `last_blocks` and `lora_rank` belong to the modes `stages`,
    `last_blocks` and `lora`. Each block's learning rate is `layer_decay` times that of the block after it.
    With `cached_views` the frozen stages are computed once, for so many augmented views of each image, and
    later epochs train on these; an op that mixes images mixes what was computed of them.
    `head_start: auto` is a probe for `probe` and `probe_then_full`, and a new head otherwise.
    `probe` is how one is fitted. With `text` the names of classes join it as far as cross-validation finds
    them to help, by the text tower: `auto` (its own), hub:OWNER/NAME, or a folder. `batch_norm: auto` freezes
    the statistics of whatever is not trained, and all of them when the head starts from fitted weights.
    """

    mode: Literal["probe", "full", "stages", "last_blocks", "lora", "probe_then_full"] = "probe_then_full"
    stages: tuple[Annotated[int, Field(ge=1, le=4)], ...] | None = None
    last_blocks: int | None = Field(None, ge=1)
    lora_rank: int | None = Field(None, ge=1, le=256)
    cached_views: int = Field(0, ge=0, le=256)
    layer_decay: float = Field(1.0, gt=0.0, le=1.0)
    head: Literal["linear", "cosine", "mlp"] = "linear"
    head_start: Literal["auto", "new", "probe", "imagenet"] = "auto"
    probe: Literal["logistic", "ridge"] = "logistic"
    text: str | None = Field(None, min_length=1)
    batch_norm: Literal["auto", "frozen", "train"] = "auto"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("stages", "last_blocks", "lora_rank"):
            mode = key.removesuffix("_rank")
            if getattr(self, key) is not None and self.mode != mode:
                raise ValueError(f"{key} acts only with mode {mode}, and mode is {self.mode}")
        if self.stages is not None and (not self.stages or len(set(self.stages)) < len(self.stages)):
            raise ValueError("stages names each of 1 to 4 at most once, and at least one of them")
        if self.cached_views:
            stages = sorted(self.stages or (4,))
            if self.mode != "stages" or stages != list(range(stages[0], 5)):
                raise ValueError(
                    "cached_views keeps what the stages before the trained ones compute, so it needs mode "
                    "stages with the last ones, such as stages: [4] or [3, 4]"
                )
            if self.cached_views == 1:
                raise ValueError(
                    "cached_views is 0, for none, or at least 2: with one there is no augmentation"
                )
        if self.mode in ("probe", "probe_then_full") and self.head_start not in ("auto", "probe"):
            raise ValueError(f"mode {self.mode} starts the head from a probe, not from {self.head_start}")
        if self.text and self.start != "probe":
            raise ValueError(
                "text joins a probe, so it needs mode probe, probe_then_full or head_start probe"
            )
        if self.mode == "probe" and self.head != "linear":
            raise ValueError(f"a probe is a linear head, not a {self.head} one; use probe_then_full")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys of `UNSAID` where they are the usual ones: what was written before has none."""
        values: dict[str, Any] = whole(self)
        if self.probe == UNSAID["finetune.probe"]:
            values.pop("probe", None)
        if self.text is None:
            values.pop("text", None)
        if not self.cached_views:
            values.pop("cached_views", None)
        return values

    @property
    def start(self) -> Literal["new", "probe", "imagenet"]:
        """Where the head begins, with `auto` decided."""
        if self.head_start != "auto":
            return self.head_start
        return "probe" if self.mode in ("probe", "probe_then_full") else "new"


class OptimizerSpec(Section):
    """`lr: null` and `weight_decay: null` are what is usual for the backbone's family and the optimiser.

    `sam` is the radius of sharpness-aware steps (0: plain ones); `clip_norm` bounds the gradient's norm.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: Annotated[float, Field(gt=0.0, le=10.0)] | Literal["auto"] | None = None
    weight_decay: float | None = Field(None, ge=0.0)
    schedule: Literal["cosine", "step", "plateau", "constant", "one_cycle"] = "cosine"
    warmup_epochs: float = Field(0.5, ge=0.0)
    sam: float = Field(0.0, ge=0.0, le=1.0)
    clip_norm: float | None = Field(None, gt=0.0)


class TrainSpec(Section):
    """How long and in what portions.

    `ema` is the decay a step of the averaged weights that are then validated and kept (0: none).
    `average_last` adds the mean of the weights after the last k epochs as one more candidate (0: none).
    `accumulate` batches make a step. `early_stop` ends a run after so many epochs without a better one.
    `attempts` are how often a collapsed run may be begun in all.
    """

    epochs: int = Field(5, ge=1)
    batch_size: int | Literal["auto"] = "auto"
    accumulate: int = Field(1, ge=1, le=1024)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    select_by: Literal["accuracy", "loss"] = "accuracy"
    class_weights: Literal["none", "balanced"] = "none"
    ema: float = Field(0.0, ge=0.0, lt=1.0)
    average_last: int = Field(0, ge=0)
    early_stop: int | None = Field(None, ge=1)
    attempts: int = Field(3, ge=1, le=10)

    @field_validator("batch_size")
    @classmethod
    def _at_least_two(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 2:
            raise ValueError("a batch needs at least 2 images")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.average_last == 1 or self.average_last > self.epochs:
            raise ValueError("average_last is 0, or from 2 to the number of epochs")
        return self


class TeacherSpec(Section):
    """Soft labels to learn from beside the labels; off without `labels`, a folder of predictions.

    A training image's target is `weight` of the teacher's probabilities p^(1/`temperature`), renormalised,
    and for the rest its label. Evaluation is by labels, as ever.
    """

    labels: str | None = None
    weight: float = Field(0.9, ge=0.0, le=1.0)
    temperature: float = Field(1.0, ge=0.01, le=100.0)

    @model_validator(mode="after")
    def _acts(self) -> Self:
        for key in ("weight", "temperature"):
            if self.labels is None and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} acts only where labels names a folder of soft labels")
        return self


Ops = Annotated[tuple[str, ...], AfterValidator(check_ops)]


def _canonical(op: str) -> str:
    return str(parse_op(op))


def _as_lists(copies: object) -> object:
    """A copy made by a single op may be written without brackets."""
    if isinstance(copies, (list, tuple)):
        return [[entry] if isinstance(entry, str) else entry for entry in copies]
    return copies


class Recipe(Section):
    """One training run, whole; with a split and a seed it determines the weights to the byte.

    `copies` are sets of ops: for each, a fixed transformed copy of every image joins the training set.
    `stages` adds ops to `augment` from an epoch (counted from 1) on. `track` names what else the curve and
    the results are sent to; it changes no result, so the recipe of an old run may name what is not installed.
    """

    data: DataSpec = DataSpec()
    image: ImageSpec = ImageSpec()
    model: ModelSpec = ModelSpec()
    finetune: FinetuneSpec = FinetuneSpec()
    augment: Ops = ()
    copies: Annotated[tuple[Ops, ...], BeforeValidator(_as_lists)] = ()
    stages: dict[Annotated[int, Field(ge=1)], Ops] = Field(default_factory=dict)
    loss: Annotated[str, AfterValidator(check_loss)] = "cross_entropy"
    teacher: TeacherSpec = TeacherSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    train: TrainSpec = TrainSpec()
    track: tuple[Annotated[str, AfterValidator(_canonical)], ...] = ()
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # Checked as a whole: what is allowed depends on the other ops.
        _ = self.pipeline
        epochs = self.train.epochs
        late = [epoch for epoch in self.stages if epoch > epochs]
        if late:
            raise ValueError(f"the stage at epoch {late[0]} never begins: there are {epochs} epochs")
        if self.model.beside and self.finetune.mode != "probe":
            raise ValueError(
                f"model.beside joins frozen bodies, which finetune.mode: probe alone can have, and it is "
                f"{self.finetune.mode}; set finetune.mode to probe, or leave out model.beside"
            )
        if self.finetune.cached_views:
            self._check_cached_views()
        if self.model.features != "last" and self.finetune.start == "imagenet":
            raise ValueError("ImageNet's rows are for features: last; use another finetune.head_start")
        if self.finetune.text and (self.model.beside or self.model.features != "last"):
            raise ValueError(
                "finetune.text speaks of the last features of one backbone, without model.beside"
            )
        if self.data.zero_shot and not (self.finetune.text and self.finetune.mode == "probe"):
            raise ValueError("data.zero_shot needs finetune.text, and finetune.mode: probe")
        if self.teacher.labels is not None and self.finetune.mode == "probe":
            raise ValueError("a probe is fitted to labels, so a teacher needs another finetune.mode")
        if self.teacher.labels is not None and LOSSES[parse_op(self.loss).name].needs_features:
            what = "compares images by their one class, and a teacher's labels are soft"
            raise ValueError(f"the loss {self.loss} {what}")
        return self

    def _check_cached_views(self) -> None:
        if self.stages:
            raise ValueError(
                "finetune.cached_views draws its views as in the first epochs, so stages would add nothing"
            )
        if self.finetune.cached_views >= self.train.epochs:
            raise ValueError(
                f"finetune.cached_views pays in epochs that find a view there, so it is less than "
                f"train.epochs, which is {self.train.epochs}, or 0"
            )

    @property
    def pipeline(self) -> Pipeline:
        """Everything that happens to training images."""
        return Pipeline(self.augment, self.copies, tuple(sorted(self.stages.items())))


def read_recipe(path: Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a YAML recipe, or one that comes with dessin by its name, and apply `key.sub=value` overrides.

    Raises:
        DessinError: no such file, not YAML, an unknown key (the nearest is named) or a wrong value.
    """
    values = read_values(path)
    for override in overrides:
        apply_override(values, override)
    return make_recipe(values, where=str(path))


def read_values(path: Path) -> dict[str, object]:
    """The keys and values of a recipe file, or of one that comes with dessin by its name, as they stand."""
    path = recipe_file(path)
    values = read_yaml(path)
    if values is not None and not isinstance(values, dict):
        kind = type(values).__name__
        raise DessinError(f"{path} holds {kind}, and a recipe is a mapping of keys to values.")
    return values or {}


def make_recipe(values: Mapping[str, object], *, where: str = "the recipe") -> Recipe:
    """A recipe from plain values, validated like a file, with its trackers."""
    recipe = validated(Recipe, values, where)
    try:
        check_trackers(recipe.track)
    except DessinError as error:
        raise DessinError(f"{where}, key track: {error.seen}", allowed=error.allowed, do=error.do) from None
    return recipe


def apply_override(values: dict[str, object], override: str) -> None:
    """Put the value of `key.sub=value` (YAML) into nested `values`.

    Raises:
        DessinError: it is not written so, an unknown key, or a value that the key cannot have.
    """
    where = f"--set {quoted(override)}"
    key, equals, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise DessinError(
            f"{where} cannot be read.",
            allowed="It is written key=value, with dots for sections, such as --set train.epochs=3.",
        )
    value = parse_yaml(text, where=f"the value of {where}")
    check_key(Recipe, parts, value, where)
    section = values
    for part in parts[:-1]:
        inner = section.setdefault(part, {})
        if not isinstance(inner, dict):
            raise DessinError(f"{where} goes into {quoted(part)}, which is not a section.")
        section = inner
    section[parts[-1]] = value
