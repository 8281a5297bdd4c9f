"""Which part of a classifier is trained, how fast it learns by default, and how fast each part of it.

Batch normalisation in what is frozen keeps the statistics that it came with: new ones would change the
features that the frozen weights were made for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from dessin.decisions import Decision
from dessin.errors import DessinError, unknown
from dessin.models.backbones import family
from dessin.models.classifier import Classifier
from dessin.models.lora import add_lora
from dessin.models.stages import BodyPart, parts_of

MODES = ("probe", "full", "stages", "last_blocks", "lora", "probe_then_full")

# AdamW's rate at a batch of 32, for fine-tuning all weights. Transformers lose their pretraining at the rates
# that convolutions with batch normalisation need; those in between have attention or layer norm in part.
_RATES = {
    5e-5: ("vision_transformer", "deit", "swin_transformer", "swin_transformer_v2", "eva", "beit"),
    1e-4: ("convnext", "metaformer", "maxxvit"),
    2e-4: ("resnet", "resnetv2", "regnet", "efficientnet", "mobilenetv3", "byobnet", "densenet", "vgg"),
}
_OTHERS = 1e-4
# SGD's steps are not divided by the gradient's size; LoRA's few weights start at zero and have far to go.
_SGD, _LORA = 50.0, 10.0
_DECAY = {"adamw": 0.05, "adam": 0.0, "sgd": 1e-4}


@dataclass(frozen=True)
class Freezing:
    """What is trained: `description` in words, `trained` of `total` parameters.

    Batch normalisation in the `frozen_modules` must keep its statistics, also in training mode.
    """

    description: str
    trained: int
    total: int
    frozen_modules: tuple[nn.Module, ...]

    @property
    def decision(self) -> Decision[str]:
        millions = f"{self.trained / 1e6:,.2f} of {self.total / 1e6:,.2f} million"
        reason = f"as asked: {millions} parameters ({self.trained / self.total:.1%})"
        if self.frozen_modules:
            reason += "; batch normalisation in what is frozen keeps the statistics that it came with"
        return Decision("trained", self.description, reason)


def apply_finetune(
    classifier: Classifier,
    *,
    mode: str,
    stages: Sequence[int] = (4,),
    last_blocks: int = 1,
    lora_rank: int = 8,
    seed: int = 0,
) -> Freezing:
    """Set what is trained (`requires_grad`), in place; the head always is.

    `probe` trains the head alone, `full` and `probe_then_full` everything, `stages` those of the body (of
    four, see `stages_of`), `last_blocks` so many blocks and what follows them, `lora` updates of low rank
    drawn from the seed. The stem is trained in `full` and `probe_then_full` only.

    Raises:
        DessinError: more blocks than there are, a stage without parameters, or a backbone that cannot do it.
    """
    if mode not in MODES:
        raise unknown("finetune.mode", mode, MODES)
    classifier.requires_grad_(mode in ("full", "probe_then_full"))
    classifier.head.requires_grad_(True)
    description = {"probe": "the head"}.get(mode, "everything")
    if mode == "stages":
        description = _stages(classifier, sorted(stages))
    elif mode == "last_blocks":
        description = _last_blocks(classifier, last_blocks)
    elif mode == "lora":
        targets = add_lora(classifier, lora_rank, seed=seed)
        names = [f"{target}.{update}" for target in targets for update in ("lora_a", "lora_b")]
        _train(classifier, names)
        description = f"LoRA of rank {lora_rank} on {len(targets)} layers, and the head"
    parameters = list(classifier.parameters())
    return Freezing(
        description=description,
        trained=sum(p.numel() for p in parameters if p.requires_grad),
        total=sum(p.numel() for p in parameters),
        frozen_modules=tuple(_frozen(classifier.body)),
    )


def _stages(classifier: Classifier, stages: list[int]) -> str:
    parts = parts_of(classifier.body)
    for stage in stages:
        names = [name for part in parts if part.stage == stage for name in part.parameters]
        if not names:
            raise DessinError(f'Stage {stage} of "{classifier.backbone}" has no parameters to train.')
        _train(classifier, names)
    return "; ".join([*(f"stage {stage} ({_extent(parts, stage)})" for stage in stages), "the head"])


def _extent(parts: tuple[BodyPart, ...], stage: int) -> str:
    names = [part.name for part in parts if part.stage == stage and part.parameters]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _last_blocks(classifier: Classifier, count: int) -> str:
    parts = parts_of(classifier.body)
    blocks = max(part.block for part in parts)
    if count > blocks:
        raise DessinError(
            f'finetune.last_blocks is {count}, and "{classifier.backbone}" has {blocks} blocks.',
            allowed=f"It is from 1 to {blocks}.",
        )
    chosen = [part for part in parts if part.block > blocks - count]
    _train(classifier, [name for part in chosen for name in part.parameters])
    return f"the last {count} of {blocks} blocks (from {chosen[0].name}) and the head"


def _train(classifier: Classifier, names: Iterable[str]) -> None:
    for name in names:
        classifier.body.get_parameter(name).requires_grad_(True)


def _frozen(module: nn.Module) -> Iterator[nn.Module]:
    """The largest modules that have parameters and none that is trained."""
    parameters = [parameter.requires_grad for parameter in module.parameters()]
    if not parameters or all(parameters):
        return
    if not any(parameters):
        yield module
        return
    for child in module.children():
        yield from _frozen(child)


def default_lr(backbone: str, optimizer: str, mode: str) -> Decision[float]:
    """A learning rate to begin with, for an optimiser (`adamw`, `adam`, `sgd`) and a fine-tuning mode."""
    kind = family(backbone)
    rate = next((rate for rate, families in _RATES.items() if kind in families), _OTHERS)
    rate *= (_SGD if optimizer == "sgd" else 1.0) * (_LORA if mode == "lora" else 1.0)
    return Decision("lr", float(f"{rate:.3g}"), f"usual for {kind} with {optimizer}; `lr: auto` would test")


def default_weight_decay(optimizer: str) -> Decision[float]:
    """The weight decay that goes with an optimiser."""
    return Decision("weight_decay", _DECAY[optimizer], f"usual for {optimizer}")


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that learn alike: their rate is times `lr_scale`, with or without weight decay."""

    parameters: tuple[nn.Parameter, ...]
    names: tuple[str, ...]
    lr_scale: float
    decays: bool


def layer_groups(classifier: Classifier, decay: float) -> list[ParameterGroup]:
    """The trained parameters in groups, from the head down.

    The head learns at the full rate, the last block at `decay` of it, each block before at `decay` of that,
    the stem at the lowest (Clark et al. 2020; Bao et al. 2022). Biases, normalisations and what the model
    itself exempts, such as position tables, have no weight decay.

    Raises:
        DessinError: a decay below 1 for a model in which no blocks can be told apart.
    """
    exempt = {f"body.{name}" for name in getattr(classifier.body, "no_weight_decay", set)()}
    depth = _depths(classifier) if decay < 1.0 else {}
    members: dict[tuple[int, bool], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in classifier.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and name not in exempt
            members.setdefault((depth.get(name, 0), decays), []).append((name, parameter))
    return [
        ParameterGroup(
            parameters=tuple(parameter for _, parameter in found),
            names=tuple(name for name, _ in found),
            lr_scale=decay**steps,
            decays=decays,
        )
        for (steps, decays), found in sorted(members.items(), key=lambda item: (item[0][0], not item[0][1]))
    ]


def _depths(classifier: Classifier) -> dict[str, int]:
    """How many blocks lie above a parameter of the body, counting its own."""
    parts = parts_of(classifier.body)
    blocks = max(part.block for part in parts)
    return {f"body.{name}": blocks - part.block + 1 for part in parts for name in part.parameters}
