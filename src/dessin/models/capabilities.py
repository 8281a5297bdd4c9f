"""What a backbone can be asked for: drop_path, drop_block, LoRA; found out by building it without weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from dessin.errors import DessinError
from dessin.models.backbones import sketch_body
from dessin.models.lora import lora_targets


@dataclass(frozen=True)
class Capabilities:
    """Which switches do something for a backbone."""

    drop_path: bool
    drop_block: bool
    lora: bool


@cache
def capabilities(backbone: str) -> Capabilities:
    """The capabilities of a timm model, in about 0.3 s, without weights.

    Raises:
        DessinError: an unknown backbone.
    """
    body = sketch_body(backbone)
    return Capabilities(
        drop_path=_accepts(backbone, drop_path=0.1),
        drop_block=_accepts(backbone, drop_block=0.1),
        lora=bool(lora_targets(body)),
    )


def check_regularisers(backbone: str, *, drop_path: float, drop_block: float) -> None:
    """Refuse a regulariser that the backbone does not have.

    Raises:
        DessinError: an unknown backbone, or a rate above 0 that would do nothing; it says what is allowed.
    """
    can = capabilities(backbone)
    asked = {"drop_path": (drop_path, can.drop_path), "drop_block": (drop_block, can.drop_block)}
    missing = [name for name, (rate, has) in asked.items() if rate and not has]
    if missing:
        has_names = ["drop_rate", *(name for name, (_, has) in asked.items() if has)]
        raise DessinError(
            f'The backbone "{backbone}" has no {" and no ".join(missing)}.',
            allowed=f"It has {' and '.join(has_names)}; drop_block is for ResNets and their like.",
            do=f"Set {' and '.join(f'model.{name}' for name in missing)} to 0, or choose another backbone.",
        )


def _accepts(backbone: str, *, drop_path: float = 0.0, drop_block: float = 0.0) -> bool:
    try:
        sketch_body(backbone, drop_path=drop_path, drop_block=drop_block)
    except DessinError:
        return False
    return True
