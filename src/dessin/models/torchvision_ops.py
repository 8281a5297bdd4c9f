"""timm behind one door: cures a torchvision whose compiled ops do not fit the installed torch.

A CUDA build of torchvision beside a CPU build of torch cannot load its compiled ops, and its import then
fails on registering shapes for the ops `nms` and `qnms`. Declaring those two schemas first is enough: what
dessin and timm use of torchvision is Python. Where the compiled ops load, nothing is done.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.library import Library

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_SCHEMAS = {"nms": f"nms{_NMS}", "qnms": f"qnms{_NMS}"}


@lru_cache(maxsize=1)
def ensure_torchvision() -> Library | None:
    """Declare the missing ops if the compiled ones fail to load; returns what was declared, or None.

    Errors of importing torchvision itself are not touched: they appear where it is imported.
    """
    # Here, for torch takes a second that names of models on the hub need not wait for.
    import torch
    from torch.library import Library

    spec = importlib.util.find_spec("torchvision")
    if (
        "torchvision" in sys.modules
        or spec is None
        or _compiled_ops_load(spec.submodule_search_locations or ())
    ):
        return None
    # The library object must stay alive, or the schemas vanish: the cache of this function holds it.
    library = Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)  # type: ignore[no-untyped-call]
    return library


def _compiled_ops_load(folders: Any) -> bool:
    import torch

    for path in (path for folder in folders for path in sorted(Path(folder).glob("_C*"))):
        if path.suffix in (".so", ".pyd", ".dylib"):
            try:
                torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]
            except OSError:
                return False
            return True
    return False


@lru_cache(maxsize=1)
def import_timm() -> Any:
    """The timm package, importable whatever build of torchvision is beside it."""
    ensure_torchvision()
    with _hidden("wandb"):
        import timm

    return timm


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Within the block a package seems not to be installed, unless it was imported before.

    timm's own trainer writes to W&B, and so imports it where it is: half a second of every start.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
