"""What work asks of a node of a cluster, from what the first of it took: cores, memory, a share of a GPU."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dessin.language import tr, tr_n
from dessin.system import most_memory

GIB: Final = 2**30
# Memory is asked for in these steps; of a GPU a quarter more than was measured, for what its allocator keeps.
_STEP, _SPARE, _MOST_SHARING = GIB // 4, 1.25, 4


@dataclass(frozen=True)
class Node:
    """What a node has; `memory` is what Ray gives away of it, in bytes."""

    id: str
    alive: bool
    cores: float
    gpus: float
    memory: float

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Node:
        has = node.get("Resources", {})
        return cls(
            node["NodeID"], node["Alive"], has.get("CPU", 0.0), has.get("GPU", 0.0), has.get("memory", 0.0)
        )


@dataclass(frozen=True)
class Took:
    """What work took: seconds, the most memory that its process had, and of a GPU the share, in 0..1."""

    seconds: float
    memory: int
    gpu: float = 0.0

    @classmethod
    def of_this_process(cls, seconds: float) -> Took:
        torch = sys.modules.get("torch")
        gpu = 0.0
        if torch is not None and torch.cuda.is_initialized():
            gpu = torch.cuda.max_memory_reserved() / torch.cuda.get_device_properties(0).total_memory
        return cls(seconds, most_memory(), gpu)

    @property
    def gib(self) -> float:
        return self.memory / GIB


@dataclass(frozen=True)
class Needs:
    """What one worker or task asks for: `memory` in bytes, `gpus` may be a share of one."""

    cores: int
    gpus: float = 0.0
    memory: int = 0

    def words(self) -> str:
        """For a plan."""
        parts = [tr_n("{n} core", "{n} cores", self.cores)]
        if self.memory:
            parts.append(tr("{gib} GiB", gib=f"{self.memory / GIB:.2f}"))
        if self.gpus:
            share = round(1 / self.gpus)
            parts.append(tr("1 GPU") if share == 1 else tr("1/{share} of a GPU", share=share))
        return ", ".join(parts)


def measured(needs: Needs, took: Took, nodes: Iterable[Node]) -> Needs:
    """The needs of further work like that which took so much, no more than one of the nodes has."""
    memory = math.ceil(took.memory / _STEP) * _STEP
    most = max((int(node.memory) for node in nodes if node.gpus >= needs.gpus), default=0)
    sharing = min(_MOST_SHARING, int(1 / (_SPARE * took.gpu))) if took.gpu else 1
    return replace(needs, memory=min(memory, most), gpus=needs.gpus / max(1, sharing))


def places_for(needs: Needs, nodes: Iterable[Node]) -> int:
    """How much of such work the nodes have room for at a time, at least 1."""
    return max(1, sum(_room(needs, node) for node in nodes))


def _room(needs: Needs, node: Node) -> int:
    limits = [node.cores / needs.cores]
    limits += [node.memory / needs.memory] if needs.memory else []
    limits += [node.gpus / needs.gpus] if needs.gpus else []
    return int(min(limits))
