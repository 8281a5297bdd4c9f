"""A recipe: everything that defines a training run, as typed sections read from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field, field_validator

from dessin.augment.registry import check_ops
from dessin.errors import DessinError
from dessin.files import read_text
from dessin.images.spec import ImageSpec
from dessin.models.losses import check_loss
from dessin.schema import Section, validated

Rate = Annotated[float, Field(ge=0.0, lt=1.0)]


class DataSpec(Section):
    """Where the images, the split and the curation are; paths are relative to the working folder."""

    path: str | None = None
    split: str | None = None
    fold: int | Literal["none"] = 0
    curation: str | None = None


class ModelSpec(Section):
    backbone: str = "tf_efficientnet_lite0"
    weights: str = "auto"
    drop_rate: Rate = 0.0
    drop_path: Rate = 0.0


class FinetuneSpec(Section):
    """`batch_norm: auto` freezes the statistics when the head starts from a probe."""

    mode: Literal["probe", "full", "probe_then_full"] = "probe_then_full"
    batch_norm: Literal["auto", "frozen", "train"] = "auto"


class OptimizerSpec(Section):
    name: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(2e-4, gt=0.0, le=10.0)
    weight_decay: float = Field(0.05, ge=0.0)
    schedule: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(0.5, ge=0.0)


class TrainSpec(Section):
    epochs: int = Field(5, ge=1)
    batch_size: int | Literal["auto"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    select_by: Literal["accuracy", "loss"] = "accuracy"

    @field_validator("batch_size")
    @classmethod
    def _at_least_two(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 2:
            raise ValueError("a batch needs at least 2 images")
        return value


class Recipe(Section):
    """One training run, whole; with a split and a seed it determines the weights to the byte."""

    data: DataSpec = DataSpec()
    image: ImageSpec = ImageSpec()
    model: ModelSpec = ModelSpec()
    finetune: FinetuneSpec = FinetuneSpec()
    augment: Annotated[tuple[str, ...], AfterValidator(check_ops)] = ()
    loss: Annotated[str, AfterValidator(check_loss)] = "cross_entropy"
    optimizer: OptimizerSpec = OptimizerSpec()
    train: TrainSpec = TrainSpec()
    seed: int = Field(0, ge=0, lt=2**31)


def read_recipe(path: Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a YAML recipe and apply `key.sub=value` overrides.

    Raises:
        DessinError: no such file, not YAML, an unknown key (the nearest is named) or a wrong value.
    """
    try:
        values = yaml.safe_load(read_text(path)) or {}
    except yaml.YAMLError as error:
        raise DessinError(f"{path} is not valid YAML: {error}.", do="Correct it and run again.") from None
    if not isinstance(values, dict):
        raise DessinError(
            f"{path} holds {type(values).__name__}, and a recipe is a mapping of keys to values."
        )
    for override in overrides:
        _apply(values, override)
    return make_recipe(values, where=str(path))


def make_recipe(values: Mapping[str, object], *, where: str = "the recipe") -> Recipe:
    """A recipe from plain values, validated like a file."""
    return validated(Recipe, values, where)


def _apply(values: dict[str, object], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise DessinError(
            f'Cannot read the override "{override}".',
            allowed="An override is written key=value, with dots for sections, such as train.epochs=3.",
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise DessinError(f'The value in the override "{override}" is not valid YAML.') from None
    section = values
    for part in parts[:-1]:
        inner = section.setdefault(part, {})
        if not isinstance(inner, dict):
            raise DessinError(f'The override "{override}" goes into {part}, which is not a section.')
        section = inner
    section[parts[-1]] = value
