"""What a body is made of, in the order of the data: a stem, blocks, and four stages, for every family.

A block is the smallest repeated unit: a residual block, a transformer block. Stages are those of timm's
description: what ends at a quarter, an eighth, a sixteenth and a thirty-second of the image's side. A model
without four such levels, such as a plain transformer, has its blocks divided into quarters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from dessin.errors import DessinError

STAGES = (1, 2, 3, 4)
_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class BodyPart:
    """One module of a body that is not divided further, or the loose parameters of one that is.

    `stage` is 0 for the stem, else 1 to 4. `block` is 0 before the first block; what stands between two
    blocks goes with the later one, and what follows the last goes with the last. `parameters` are names.
    """

    name: str
    stage: int
    block: int
    parameters: tuple[str, ...]


def parts_of(body: Any) -> tuple[BodyPart, ...]:
    """All parts of a timm model, in the order of the data; each parameter belongs to exactly one.

    Raises:
        DessinError: a model in which no four blocks can be told apart.
    """
    found = list(_walk(body, "", divided=True))
    blocks = _blocks(found)
    if len(blocks) < len(STAGES):
        raise DessinError(
            f"A {type(body).__name__} has {len(blocks)} blocks, too few for {len(STAGES)} stages.",
            do="Use finetune.mode full, or choose another backbone.",
        )
    stages = _stages_by_level(body, [name for name, _, _ in found])
    parts = []
    for place, (name, module, whole) in enumerate(found):
        number = 0 if place < blocks[0] else min(bisect_left(blocks, place) + 1, len(blocks))
        stage = stages[place] if stages else -(-number * len(STAGES) // len(blocks))
        own = module.named_parameters(recurse=whole)
        prefix = f"{name}." if name else ""
        parts.append(BodyPart(name, stage, number, tuple(prefix + inner for inner, _ in own)))
    return tuple(parts)


def stages_of(body: Any) -> dict[int, tuple[str, ...]]:
    """The names of the modules of each stage, 0 (the stem) to 4; raises like `parts_of`."""
    parts = parts_of(body)
    return {
        stage: tuple(part.name for part in parts if part.stage == stage and part.parameters)
        for stage in (0, *STAGES)
    }


def _walk(module: nn.Module, name: str, *, divided: bool) -> Iterator[tuple[str, nn.Module, bool]]:
    """Name, module, and whether it is taken whole (else only its loose parameters)."""
    if not divided and not isinstance(module, _LISTS) and not type(module).__name__.endswith("Stage"):
        yield name, module, True
        return
    if next(module.parameters(recurse=False), None) is not None:
        yield name, module, False
    for key, child in module.named_children():
        yield from _walk(child, f"{name}.{key}" if name else key, divided=False)


def _blocks(found: list[tuple[str, nn.Module, bool]]) -> list[int]:
    """The places of the blocks: at least two layers with weights, and repeated or listed.

    Where there are none, as in a plain chain of convolutions, every layer with weights is one.
    """
    kinds = Counter(type(module) for _, module, _ in found)
    layers = [sum(p.ndim >= 2 for p in module.parameters()) if whole else 0 for _, module, whole in found]
    blocks = [
        place
        for place, (name, module, _) in enumerate(found)
        if layers[place] >= 2 and ("." in name or kinds[type(module)] > 1)
    ]
    return blocks or [place for place, count in enumerate(layers) if count]


def _stages_by_level(body: Any, names: list[str]) -> list[int]:
    """The stage of each part by the levels that timm describes; [] where there are not just four of them."""
    levels: dict[int, str] = {}
    for level in getattr(body, "feature_info", None) or ():
        levels[int(level["reduction"])] = str(level["module"])
    four = [levels[reduction] for reduction in sorted(levels) if reduction >= 4]
    order = {name: place for place, (name, _) in enumerate(body.named_modules())}
    # Some descriptions name what is no module.
    if len(four) != len(STAGES) or not order.keys() >= set(levels.values()):
        return []

    def end(module: str) -> int:
        return max(place for name, place in order.items() if f"{name}.".startswith(f"{module}."))

    # The stem ends with the last level before a quarter, or else where the first stage begins.
    stem = max((end(levels[r]) for r in levels if r < 4), default=order[four[0]] - 1)
    ends = [stem, *(end(module) for module in four[:-1])]
    return [bisect_left(ends, order[name]) for name in names]
