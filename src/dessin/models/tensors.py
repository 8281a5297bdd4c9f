"""Tensors as they lie in safetensors files: damaged ones are said, and numbers that are none are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from dessin.errors import DessinError


@dataclass(frozen=True)
class TensorShape:
    """What a file's header says of a tensor; `dtype` in the file's words, such as F32."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def floating(self) -> bool:
        return self.dtype.startswith(("F", "BF"))


def tensor_shapes(path: Path) -> dict[str, TensorShape]:
    """The names and shapes of a file's tensors; only its header is read.

    Raises:
        DessinError: no such file, or a damaged one.
    """
    check_file(path)
    with whole(path), safe_open(path, framework="pt") as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {name: TensorShape(tuple(part.get_shape()), part.get_dtype()) for name, part in parts.items()}


def unpacked(data: bytes, where: Path) -> dict[str, Tensor]:
    """The tensors in the bytes of a file that lies at `where`.

    Raises:
        DessinError: damaged bytes.
    """
    with whole(where):
        tensors: dict[str, Tensor] = load(data)
    return tensors


def check_file(path: Path) -> None:
    """Refuse what is no plain file, before it is opened: a pipe would be waited for.

    Raises:
        DessinError: there is none.
    """
    if not path.is_file():
        raise DessinError(f"{path} cannot be read: it is no file.", do="Copy the folder again, whole.")


def check_finite(tensors: Mapping[str, Tensor], where: str | Path) -> None:
    """Refuse tensors with NaN or infinity, which would be served as answers.

    Raises:
        DessinError: naming the first such tensor.
    """
    # By name: the library gives the tensors of a file in another order each time.
    for name, tensor in sorted(tensors.items()):
        # A sum is read once and is finite of finite numbers, but for very large ones: these are looked at.
        if tensor.is_floating_point() and not (
            bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())
        ):
            raise DessinError(
                f"The weights in {where} are no numbers everywhere: {name[:80]!r} holds NaN or infinity.",
                do="Copy the file again; if it is so at its source, train the model again.",
            )


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Says of a file that cannot be read inside the block that it is damaged."""
    try:
        yield
    # The library looks for names of types in a table of its own, and has no root for its errors.
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DessinError(
            f"{path} is not a whole safetensors file: {str(error)[:120]}.", do="Fetch or write it again."
        ) from None
