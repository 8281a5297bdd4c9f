"""Every switch of the recipe trains, is killed, goes on to the same bytes, and is evaluated.

A value that a recipe may have and that no case here uses fails `test_no_value_is_left_out`.
"""

from __future__ import annotations

import hashlib
import shutil
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_run import CLASSES, apart, make_drawings, make_tiny_split

from dessin.answers.soft_labels import SoftLabels, write_soft_labels
from dessin.augmentation.ops import OPS
from dessin.models.losses import LOSSES
from dessin.recipe import Recipe, make_recipe
from dessin.runs.record import read_record
from dessin.runs.train import train
from dessin.schema import Section
from dessin.training.checkpoint import Checkpoints
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.matrix

BASE: dict[str, Any] = {
    "data": {"fold": 0},
    "image": {"size": 32},
    "model": {"backbone": "test_efficientnet", "weights": "none"},
    "finetune": {"mode": "full"},
    "augment": ["hflip"],
    "optimizer": {"lr": 2e-3, "weight_decay": 0.05, "warmup_epochs": 0.0},
    "train": {"epochs": 2, "batch_size": 12},
}

# What is laid over the base. Switches of several sections share a case: one that does not come back from a
# checkpoint changes the bytes, whatever stands beside it.
SWITCHES: tuple[dict[str, Any], ...] = (
    {
        "image": {"colour": "rgb", "fit": "letterbox"},
        "loss": "cross_entropy",
        "optimizer": {"name": "adamw", "schedule": "cosine"},
        "train": {"batch_size": "auto", "accumulate": 2, "precision": "auto"},
    },
    {
        "image": {"colour": "gray", "fit": "squash"},
        "loss": "label_smoothing(0.1)",
        "optimizer": {"name": "adam", "schedule": "step"},
        "train": {"precision": "float32", "select_by": "accuracy"},
    },
    {
        "image": {"fit": "crop", "clahe": True},
        "augment": ["mixup(0.4)"],
        "loss": "focal(2.0)",
        "optimizer": {"name": "sgd", "schedule": "plateau"},
        "train": {"precision": "bfloat16", "select_by": "loss"},
    },
    {
        "image": {"fit": "trim"},
        "augment": ["cutmix(1.0)"],
        "loss": "asymmetric(0, 4)",
        "optimizer": {"schedule": "constant", "warmup_epochs": 0.5},
        "train": {"class_weights": "balanced"},
    },
    {
        "image": {"page": "off"},
        "augment": ["mixup_or_cutmix(0.4, 1.0)"],
        "loss": "triplet(0.2)",
        "optimizer": {"schedule": "one_cycle"},
        "train": {"ema": 0.9},
    },
    {"image": {"page": "auto"}, "optimizer": {"lr": "auto"}, "train": {"average_last": 2}},
    {
        "data": {"fold": "none"},
        "model": {"features": "last", "drop_rate": 0.3, "drop_path": 0.1},
        "optimizer": {"sam": 0.05},
    },
    {
        "data": {"fold": 0, "training_curation": "auto"},
        "model": {"backbone": "resnet10t", "drop_block": 0.1},
        "optimizer": {"clip_norm": 1.0},
        "train": {"class_weights": "none"},
    },
    {"finetune": {"mode": "probe"}},
    {"finetune": {"mode": "probe", "probe": "logistic"}},
    {"finetune": {"mode": "probe", "probe": "ridge"}, "data": {"fold": "none"}},
    {"finetune": {"mode": "probe"}, "model": {"features": "several", "mirrored": True}},
    {"finetune": {"mode": "probe"}, "model": {"beside": ["test_resnet:none"]}},
    {"finetune": {"mode": "probe_then_full"}, "model": {"features": "several"}},
    {"finetune": {"mode": "full", "batch_norm": "frozen", "layer_decay": 0.8}},
    {"finetune": {"mode": "stages", "batch_norm": "auto"}, "train": {"early_stop": 1, "attempts": 1}},
    {"finetune": {"mode": "stages", "stages": [3, 4], "batch_norm": "train"}},
    {"finetune": {"mode": "stages", "cached_views": 2, "head_start": "probe"}, "train": {"epochs": 3}},
    {
        "finetune": {"mode": "stages", "stages": [3, 4], "cached_views": 2, "batch_norm": "train"},
        "copies": ["hflip"],
        "optimizer": {"lr": "auto"},
        "train": {"epochs": 4, "average_last": 2, "ema": 0.9},
    },
    {
        "finetune": {"mode": "last_blocks", "last_blocks": 2},
        "copies": ["hflip", ["rotate(20)", "thickness(0.8, 1.25)"]],
    },
    {"finetune": {"mode": "lora", "lora_rank": 2}, "model": {"backbone": "test_vit"}, "image": {"size": 160}},
    {"finetune": {"mode": "probe_then_full", "head_start": "auto"}},
    {"finetune": {"head": "linear", "head_start": "probe"}},
    {"finetune": {"head": "cosine", "head_start": "probe"}, "stages": {2: ["rotate(15)", "cutmix(1.0)"]}},
    {"finetune": {"head": "mlp", "head_start": "probe"}},
    {"finetune": {"head": "mlp", "head_start": "new"}},
    {"teacher": {"labels": "teacher"}, "track": ["tensorboard", "wandb(offline)", "mlflow"]},
    {"teacher": {"labels": "teacher", "weight": 0.5, "temperature": 3.0}, "loss": "focal(2.0)"},
    {
        "teacher": {"labels": "teacher", "weight": 1.0},
        "finetune": {"mode": "probe_then_full"},
        "augment": ["mixup_or_cutmix(0.4, 1.0)"],
        "copies": ["hflip"],
        "loss": "label_smoothing(0.1)",
        "train": {"class_weights": "balanced", "accumulate": 2},
    },
    {
        "finetune": {"mode": "probe_then_full", "head": "mlp", "layer_decay": 0.9},
        "augment": ["hflip", "rotate(10)", "thickness(0.8, 1.2)", "jitter(0.1, 0.1, 0, 0)", "cutmix(1.0)"],
        "copies": ["vflip"],
        "stages": {2: ["line_wobble(0.01)"]},
        "loss": "label_smoothing(0.1)",
        "optimizer": {"sam": 0.05, "clip_norm": 5.0, "schedule": "plateau"},
        "train": {"ema": 0.9, "average_last": 2, "accumulate": 2, "class_weights": "balanced"},
    },
)
# Ops that need values get these; the others are used bare.
OP_VALUES = {
    "rotate": "15", "translate": "0.1", "scale": "0.8, 1.2", "shear": "10",
    "affine": "10, 0.1, 0.9, 1.1, 5", "random_crop": "0.8",
    "centre_crop": "0.9", "perspective": "0.2", "elastic": "0.05",
    "line_wobble": "0.01",
    "jitter": "0.2, 0.2, 0.2, 0.05", "brightness": "0.3", "contrast": "0.3", "blur": "2", "noise": "0.1",
    "erase": "0.3", "thickness": "0.7, 1.4", "stroke_dropout": "0.2", "ink_fade": "0.5", "paper_tone": "0.3",
    "paper": "0.5", "ruling": "0.8", "shadow": "0.5",
    "autoaugment": "imagenet", "randaugment": "2, 9", "augmix": "3", "mixup": "0.4", "cutmix": "1.0",
    "mixup_or_cutmix": "0.4, 1.0",
}  # fmt: skip


def written(name: str) -> str:
    return f"{name}({OP_VALUES[name]})" if name in OP_VALUES else name


# Several ops a case, of which one at most may mix images.
ALONE = [name for name in sorted(OPS) if OPS[name].kind not in ("blend", "mixing")]
OP_CASES = (
    *({"augment": [*map(written, ALONE[start::5])]} for start in range(5)),
    {"augment": ["autoaugment(cifar10)", *map(written, ("augmix", "mixup"))]},
    {"augment": [written("cutmix")]},
    {"augment": [written("mixup_or_cutmix")]},
)
IMAGENET_NAMES = ("n02123045", "n07753592", "teapot")
CASES = (*SWITCHES, *OP_CASES)


def merged(case: dict[str, Any]) -> Recipe:
    values = dict(BASE)
    for key, value in case.items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    return make_recipe(values)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    with apart(tmp_path_factory.mktemp("matrix")) as folder:
        data = make_drawings(folder / "data")
        write_guesses(data, folder / "teacher")
        yield data, make_tiny_split(data, folder / "split.csv")


def write_guesses(data: Path, folder: Path) -> None:
    """Soft labels of every drawing, of a teacher that guesses."""
    image_ids = tuple(path.relative_to(data).as_posix() for path in sorted(data.rglob("*.png")))
    table = np.random.default_rng(0).dirichlet(np.ones(len(CLASSES)), len(image_ids))
    write_soft_labels(SoftLabels(image_ids, CLASSES, table.astype(np.float32)), folder)


def with_labels(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the place where soft labels lie, if it wants any."""
    if recipe.teacher.labels is None:
        return recipe
    teacher = recipe.teacher.model_copy(update={"labels": str(folder / recipe.teacher.labels)})
    return recipe.model_copy(update={"teacher": teacher})


def trained_and_kept(recipe: Recipe, data: Path, split: Path, out: Path, kept: Path) -> None:
    """Train; in `kept` is what a kill right after the checkpoint of the first epoch would have left."""
    original = Checkpoints.save

    def save(self: Checkpoints, state: Any, *rest: Any) -> None:
        original(self, state, *rest)
        if state.epochs_done == 1 and state.step and not kept.exists():
            shutil.copytree(out, kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", save)
        train(recipe, data=data, split=split, out=out)


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "bundle" / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case)[1:-1][:90])
def test_switch(case: dict[str, Any], drawings: tuple[Path, Path], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data, split = drawings
    recipe = with_labels(merged(case), data.parent)
    trained_and_kept(recipe, data, split, tmp_path / "whole", tmp_path / "resumed")
    if recipe.finetune.mode != "probe":
        assert read_record(tmp_path / "resumed").status == "running"
        train(resume=tmp_path / "resumed")
        assert weights_of(tmp_path / "resumed") == weights_of(tmp_path / "whole")
    record = read_record(tmp_path / "whole")
    assert record.status == "finished"
    measured = evaluate(tmp_path / "whole", out=tmp_path / "measured", holdout=recipe.data.fold == "none")
    assert 0.0 <= measured.metrics.accuracy.value <= 1.0


def literals(annotation: Any) -> Iterator[Any]:
    """Every value of every `Literal` within a type."""
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    else:
        for part in typing.get_args(annotation):
            if not isinstance(part, (str, int, float)):
                yield from literals(part)


def enum_values(section: type[Section], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from enum_values(kind, f"{prefix}{name}.")
        else:
            yield from ((f"{prefix}{name}", value) for value in literals(kind))


def used_values(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and all(isinstance(inner, str) for inner in value):
            yield from used_values(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_no_value_is_left_out() -> None:
    used = {(key, str(value)) for case in (BASE, *CASES) for key, value in used_values(case)}
    missing = [(key, value) for key, value in enum_values(Recipe) if (key, str(value)) not in used]
    elsewhere = [("finetune.head_start", "imagenet")]  # needs genuine weights: test_imagenet_start
    assert [entry for entry in missing if entry not in elsewhere] == []


def test_no_key_is_left_out() -> None:
    used = {key for case in (BASE, *CASES) for key, _ in used_values(case)}
    # Compiling takes a minute here, and less in test_step; a text tower is in test_text_start.
    elsewhere = {"data.path", "data.split", "data.curation", "seed", "train.compile"}
    elsewhere |= {"data.zero_shot", "finetune.text"}

    def keys(section: type[Section], prefix: str = "") -> Iterator[str]:
        for name, field in section.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                yield from keys(field.annotation, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    assert set(keys(Recipe)) - used - elsewhere == set()


def test_no_op_is_left_out() -> None:
    used = {text.partition("(")[0] for case in OP_CASES for text in case["augment"]}
    assert used == set(OPS)


def test_no_loss_is_left_out() -> None:
    used = {case["loss"].partition("(")[0] for case in CASES if "loss" in case}
    assert used == set(LOSSES)


def test_imagenet_start(tmp_path: Path) -> None:
    """Classes named as ImageNet's begin with its rows: right before any step, with genuine weights."""
    with apart(tmp_path):
        data = make_drawings(tmp_path / "data")
        for old, new in zip(sorted(path.name for path in data.iterdir()), IMAGENET_NAMES, strict=True):
            (data / old).rename(data / new)
        split = make_tiny_split(data, tmp_path / "split.csv")
        recipe = merged(
            {
                "model": {"backbone": "tf_efficientnet_lite0", "weights": "auto"},
                "finetune": {"mode": "full", "head_start": "imagenet"},
            }
        )
        run = train(recipe, data=data, split=split, out=tmp_path / "run")
    heads = [decision for decision in read_record(run).decisions if decision.name == "head"]
    assert [head.value for head in heads] == ["3 of 3 rows from ImageNet"]
