"""What must be equal for a resumed run to end with the same bytes, and the words when it is not."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import torch

from dessin.errors import DessinError
from dessin.recipe import Recipe
from dessin.training.data import TrainingData

_LIBRARIES = ("dessin", "torch", "timm", "numpy")


def fingerprint(
    recipe: Recipe,
    data: TrainingData,
    *,
    device: torch.device,
    precision: str,
    batch_size: int,
    lr: float,
) -> dict[str, str]:
    """Everything that decides the weights but the number of threads, which a resumed run takes over.

    Paths are left out: the data is what its digest says, and so are a teacher's labels, wherever they lie. So
    is who is told of the run.
    """
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    else:
        processor = torch.backends.cpu.get_cpu_capability()
    return {
        **_flat("recipe", recipe.model_dump(mode="json", exclude=_paths(recipe))),
        "data": data.digest,
        "device": device.type,
        "processor": processor,
        "precision": precision,
        "batch size": str(batch_size),
        "learning rate": repr(lr),
        **{f"version of {name}": version(name) for name in _LIBRARIES},
    }


def check_fingerprint(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse to go on with a run under other conditions.

    Raises:
        DessinError: names every difference.
    """
    names = sorted(set(before) | set(now))
    differences = [
        f"{name} was {_short(before.get(name))} and is {_short(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]
    if differences:
        raise DessinError(
            f"This run cannot be resumed as it was begun: {'; '.join(differences)}.",
            allowed="A resumed run needs the same recipe, data, machine and versions, to end the same.",
            do="Restore what differs, or start a new run with another --out.",
        )


def _paths(recipe: Recipe) -> Mapping[str, bool | set[str]]:
    """What of the recipe is not compared; a teacher that is off is left out whole."""
    return {"data": True, "track": True, "teacher": recipe.teacher.labels is None or {"labels"}}


def _flat(prefix: str, value: object) -> dict[str, str]:
    if isinstance(value, dict):
        flat: dict[str, str] = {}
        for key, inner in value.items():
            flat |= _flat(f"{prefix}.{key}", inner)
        return flat
    return {prefix: str(value)}


def _short(value: str | None) -> str:
    if value is None:
        return "absent"
    return value if len(value) <= 40 else f"{value[:12]}…"
