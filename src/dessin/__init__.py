"""dessin: from a folder of drawings to a classifier you can trust, and can say why.

Every verb of the command line is a function here with the same name and arguments, imported when first used,
so that `import dessin` costs nothing: `dessin.audit("drawings", out="audit")`. `dir(dessin)` lists them.
Beside them are `load`, for a model that answers, and `quiet`.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dessin.errors import DessinError as DessinError
from dessin.verbs import VERBS

__version__ = "0.1.0"

# Read by GNU's OpenMP when torch loads it: threads that wait for each other give the core away soon. Alone it
# costs a few per cent at most; beside another computation the default was measured many times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# tqdm, which libraries bring along, says this in every notebook without widgets; dessin has its own bars.
warnings.filterwarnings("ignore", message="IProgress not found")

if TYPE_CHECKING:
    from dessin.progress import quiet as quiet
    from dessin.serving.model import load as load
    from dessin.verbs import *  # noqa: F403  the functions, beside their table

_VERBS = {verb.name: verb for verb in VERBS}
# What a command line has no use for, and where it lives.
_FURTHER = {"load": "dessin.serving.model", "quiet": "dessin.progress"}


class _Dessin(ModuleType):
    """Keeps the names of verbs: `import dessin.audit.verb` would put the room in the function's place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _VERBS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Dessin


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return _VERBS[name].function()
    if name in _FURTHER:
        return getattr(import_module(_FURTHER[name]), name)
    if name == "__all__":
        return __dir__()
    raise AttributeError(f"module 'dessin' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(["DessinError", "__version__", *_FURTHER, *_VERBS])
