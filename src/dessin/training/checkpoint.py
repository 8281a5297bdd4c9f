"""Checkpoints: a run can be killed at any moment and go on from the last whole one, to the byte."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import Field
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from dessin.errors import DessinError, quoted
from dessin.files import atomic_path, sha256_bytes, sha256_file, write_bytes, write_json
from dessin.models.tensors import check_finite, unpacked
from dessin.progress import warn
from dessin.reading import read_bytes, read_json
from dessin.schema import Section, flattened, validated
from dessin.training.averaging import Averages
from dessin.training.curve import CurveRow
from dessin.training.data import Training
from dessin.training.optimise import trained_parameters

_LIBRARIES = ("dessin", "torch", "timm", "numpy")


def fingerprint(training: Training, lr: float) -> dict[str, str]:
    """Everything that decides the weights but the number of threads, which a resumed run takes over.

    Paths are left out: the data is what its digest says, and so are a teacher's labels, wherever they lie. So
    is who is told of the run.
    """
    recipe, computing = training.recipe, training.computing
    on_gpu = computing.device.type == "cuda"
    processor = torch.backends.cpu.get_cpu_capability()
    # A teacher that is off is left out whole.
    apart = {"data": True, "track": True, "teacher": recipe.teacher.labels is None or {"labels"}}
    compared = flattened(recipe.model_dump(mode="json", exclude=apart), "recipe.")
    return {
        **{key: str(value) for key, value in compared.items()},
        "data": training.data.digest,
        "device": computing.device.type,
        "processor": torch.cuda.get_device_name(computing.device) if on_gpu else processor,
        "precision": computing.precision,
        "batch size": str(computing.batch_size),
        "learning rate": repr(lr),
        **{f"version of {name}": version(name) for name in _LIBRARIES},
    }


def check_fingerprint(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse to go on with a run under other conditions."""
    differences = []
    for name in sorted(set(before) | set(now)):
        was, is_ = (side.get(name, "absent") for side in (before, now))
        if was != is_:
            short = [text if len(text) <= 40 else f"{text[:12]}…" for text in (was, is_)]
            differences.append(f"{name} was {short[0]} and is {short[1]}")
    if differences:
        raise DessinError(
            f"This run cannot be resumed as it was begun: {'; '.join(differences)}.",
            allowed="A resumed run needs the same recipe, data, machine and versions, to end the same.",
            do="Restore what differs, or start a new run with another --out.",
        )


_MODEL, _OPTIMIZER, _AVERAGES = "model.safetensors", "optimizer.safetensors", "averages.safetensors"
_STATE = "state.json"
_MOST = 2**40  # bytes of a checkpoint


class Best(Section):
    """The best epoch so far (0 is the start) by the recipe's measure, and where its weights are.

    `averaged` is not 0 where they are the mean of the weights after so many epochs, `epoch` the last of them.
    """

    epoch: int
    averaged: int = 0
    accuracy: float
    loss: float
    file: str = Field(pattern=r"^best-\d+\.safetensors$")  # nothing outside the folder
    sha256: str


class TrainingState(Section):
    """Where a run stands, apart from its tensors.

    `step` optimiser steps are done; `loss_sum` is the sum of the losses of the images seen in the epoch under
    way (float64, so that the curve is resumed exactly too); the finished epochs are in `curve`.
    """

    fingerprint: dict[str, str]
    threads: int
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    curve: tuple[CurveRow, ...] = ()
    best: Best | None = None
    digests: dict[str, str] = Field(default_factory=dict)

    @property
    def epochs_done(self) -> int:
        return self.curve[-1].epoch if self.curve else 0


class Checkpoints:
    """The checkpoint folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def latest(self) -> TrainingState | None:
        """The state of the newest checkpoint whose files are as its digests say; None where there is none.

        Raises:
            DessinError: there are checkpoints, and every one is damaged.
        """
        steps = sorted(self.folder.glob("step-*"), reverse=True)
        for step in steps:
            state = _read_whole(step)
            if state is not None:
                return state
            warn(f"The checkpoint {step} is damaged and is passed over.")
        if steps:
            raise DessinError(
                f"None of the {len(steps)} checkpoints in {self.folder} is whole.",
                do="Start a new run with another --out.",
            )
        return None

    def save(
        self, state: TrainingState, model: nn.Module, optimizer: torch.optim.Optimizer, averages: Averages
    ) -> None:
        """Write a whole checkpoint, then remove what it makes superfluous."""
        kept = {
            f"{index}.{name}": tensor
            for index, parameter in enumerate(trained_parameters(optimizer))
            for name, tensor in optimizer.state.get(parameter, {}).items()
            if tensor is not None
        }
        contents = {
            _MODEL: _packed(model.state_dict()),
            _OPTIMIZER: _packed(kept),
            _AVERAGES: _packed(averages.tensors()),
        }
        digests = {name: sha256_bytes(content) for name, content in contents.items()}
        whole = state.model_copy(update={"digests": digests})
        with atomic_path(self._step_folder(state)) as temporary:
            temporary.mkdir()
            for name, content in contents.items():
                (temporary / name).write_bytes(content)
            write_json(temporary / _STATE, whole.model_dump(mode="json"))
        self.prune(state)

    def save_best(self, step: int, model: nn.Module) -> tuple[str, str]:
        """Write the best weights; returns the file's name and sha256. The former best stays until `save`."""
        name, content = f"best-{step:08d}.safetensors", _packed(model.state_dict())
        write_bytes(self.folder / name, content)
        return name, sha256_bytes(content)

    def restore(
        self, state: TrainingState, model: nn.Module, optimizer: torch.optim.Optimizer, averages: Averages
    ) -> None:
        """Put the tensors of `state` where they were, and drop what was left half-way."""
        folder = self._step_folder(state)
        _fill(model, folder / _MODEL, state.digests[_MODEL])
        _fill_optimizer(optimizer, _read_tensors(folder / _OPTIMIZER, state.digests[_OPTIMIZER]))
        averages.fill(_read_tensors(folder / _AVERAGES, state.digests[_AVERAGES]))
        self.prune(state)

    def restore_best(self, best: Best, model: nn.Module) -> None:
        """Put the best weights into the model."""
        _fill(model, self.folder / best.file, best.sha256)

    def prune(self, state: TrainingState) -> None:
        """Remove everything but the checkpoint `state` and the best weights that it names."""
        keep = {self._step_folder(state).name, state.best.file if state.best else ""}
        for path in self.folder.iterdir():
            if path.name not in keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _step_folder(self, state: TrainingState) -> Path:
        return self.folder / f"step-{state.step:08d}"


def _read_whole(folder: Path) -> TrainingState | None:
    try:
        state = validated(TrainingState, read_json(folder / _STATE), str(folder / _STATE))
        for name in (_MODEL, _OPTIMIZER, _AVERAGES):
            if sha256_file(folder / name) != state.digests.get(name):
                return None
    except (DessinError, OSError):
        return None
    return state


def _read_tensors(path: Path, sha256: str) -> dict[str, Tensor]:
    content = read_bytes(path, most=_MOST) if path.is_file() else b""
    if sha256_bytes(content) != sha256:
        raise DessinError(
            f"The weights {path} are missing or not the ones that this run wrote.",
            do="Start a new run with another --out.",
        )
    return unpacked(content, path)


def _packed(tensors: Mapping[str, Tensor]) -> bytes:
    # safetensors stores values in row order, whatever the memory format in training.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    packed: bytes = save_tensors(plain)
    return packed


def _fill(model: nn.Module, path: Path, sha256: str) -> None:
    tensors = _read_tensors(path, sha256)
    check_finite(tensors, path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise _of_another(quoted(str(error))) from None


def _of_another(how: str) -> DessinError:
    return DessinError(
        f"The checkpoint is of another model: {how}.", do="Start a new run with another --out."
    )


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    optimizer.state.clear()
    parameters = trained_parameters(optimizer)
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise _of_another(f"it holds {quoted(key)}")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # In the parameter's own memory format: fused optimisers walk both side by side.
            tensor = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
        optimizer.state[parameter][name] = tensor.to(parameter.device)
