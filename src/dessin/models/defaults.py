"""Where to begin with a family of backbones: learning rate and weight decay, with their reasons."""

from __future__ import annotations

from dessin.decisions import Decision
from dessin.models.torchvision_ops import import_timm

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


def default_lr(backbone: str, optimizer: str, mode: str) -> Decision[float]:
    """A learning rate to begin with, for an optimiser (`adamw`, `adam`, `sgd`) and a fine-tuning mode."""
    family = import_timm().models.model_entrypoint(backbone.partition(".")[0]).__module__.rpartition(".")[2]
    rate = next((rate for rate, families in _RATES.items() if family in families), _OTHERS)
    rate *= (_SGD if optimizer == "sgd" else 1.0) * (_LORA if mode == "lora" else 1.0)
    return Decision("lr", float(f"{rate:.3g}"), f"usual for {family} with {optimizer}; `lr: auto` would test")


def default_weight_decay(optimizer: str) -> Decision[float]:
    """The weight decay that goes with an optimiser."""
    return Decision("weight_decay", _DECAY[optimizer], f"usual for {optimizer}")
