"""timm behind one door: whole, or only the module of one model; and whatever torchvision is beside it.

A CUDA build of torchvision beside a CPU build of torch cannot load its compiled ops, and its import then
fails on registering shapes for the ops `nms` and `qnms`. Declaring those two schemas first is enough: what
dessin and timm use of torchvision is Python. Where the compiled ops load, nothing is done.

timm whole takes longer to import than torch: 90 modules of models, its data loaders, and torchvision, which
brings torch's compiler. To build one model, the packages stand in `sys.modules` as mere places of their
submodules, each of which runs its `__init__` when something of it is first asked for.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import library as extensions

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_SCHEMAS = {"nms": f"nms{_NMS}", "qnms": f"qnms{_NMS}"}
# Parents first: a package after the one that it is in.
_PACKAGES: Final = (
    "torchvision",
    "torchvision.ops",
    "torchvision.models",
    "timm",
    "timm.data",
    "timm.models",
)
_LOCK = RLock()


class _Place(ModuleType):
    """A package of which only submodules are known, until it is asked for anything else."""

    def __getattr__(self, name: str) -> Any:
        # What looks through all modules, such as for warnings, asks for these.
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        _fill(self.__name__.partition(".")[0], self.__name__)
        return getattr(self, name)


@lru_cache(maxsize=1)
def ensure_torchvision() -> extensions.Library | None:
    """Declare the missing ops if the compiled ones fail to load; returns what was declared, or None.

    Errors of importing torchvision itself are not touched: they appear where it is imported.
    """
    # Here, for torch takes a second that names of models on the hub need not wait for.
    import torch
    from torch import library as extensions

    spec = importlib.util.find_spec("torchvision")
    if (
        not isinstance(sys.modules.get("torchvision"), _Place | None)
        or spec is None
        or _compiled_ops_load(spec.submodule_search_locations or ())
    ):
        return None
    # The library object must stay alive, or the schemas vanish: the cache of this function holds it.
    library = extensions.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
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
    """The timm package, whole and importable whatever build of torchvision is beside it."""
    _fill(*_PACKAGES)
    ensure_torchvision()
    with _hidden("wandb"):
        import timm

    return timm


@lru_cache(maxsize=256)
def import_models(name: str) -> Any:
    """`timm.models`, in which at least the model of this name is, without its tag, if timm has it.

    It has `create_model`, `list_models` and those of the registry's functions that ask for one; whatever else
    it is asked for makes it whole.
    """
    found = sys.modules.get("timm")
    module = _module_of(name) if isinstance(found, _Place | None) else None
    if module is None:
        return import_timm().models
    with _LOCK, _hidden("wandb"):
        try:
            return _models_with(module)
        # Another timm, with other parts within.
        except (ImportError, AttributeError):
            return import_timm().models


def _models_with(module: str) -> Any:
    for name in _PACKAGES:
        if name not in sys.modules:
            _put_place(name)
    timm, data, models = (sys.modules[name] for name in ("timm", "timm.data", "timm.models"))
    timm.__dict__["__version__"] = import_module("timm.version").__version__
    constants = vars(import_module("timm.data.constants"))
    vars(data).update({name: value for name, value in constants.items() if name.isupper()})
    import_module(f"timm.models.{module}")
    factory, registry = import_module("timm.models._factory"), import_module("timm.models._registry")
    models.__dict__["create_model"] = factory.create_model
    for name in ("list_models", "is_model", "model_entrypoint", "get_arch_pretrained_cfgs"):
        models.__dict__[name] = getattr(registry, name)
    return models


def _module_of(name: str) -> str | None:
    """The one module of timm that says it has a model; found by its text, without importing any."""
    spec = importlib.util.find_spec("timm")
    wanted = f"@register_model\ndef {name}(".encode()
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = (path for folder in folders for path in Path(folder, "models").glob("*.py"))
    found = [path.stem for path in files if wanted in path.read_bytes().replace(b"\r\n", b"\n")]
    return found[0] if len(found) == 1 else None


def _put_place(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(name)
    place = _Place(name)
    place.__spec__, place.__loader__, place.__package__ = spec, spec.loader, name
    place.__file__, place.__path__ = spec.origin, list(spec.submodule_search_locations or ())
    sys.modules[name] = place
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, place)


def _fill(*names: str) -> None:
    """Run the `__init__` of those of the packages that are places."""
    for name in names:
        with _LOCK:
            place = sys.modules.get(name)
            if not isinstance(place, _Place):
                continue
            ensure_torchvision()
            place.__class__ = ModuleType  # type: ignore[assignment]
            try:
                with _hidden("wandb"):
                    place.__spec__.loader.exec_module(place)  # type: ignore[union-attr]
            except BaseException:
                place.__class__ = _Place
                raise


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
