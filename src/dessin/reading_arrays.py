"""Arrays of numbers from `.npy` files, whose header is checked before anything is made of it."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dessin.errors import DessinError, quoted
from dessin.reading import open_regular, unreadable


def read_npy(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """The numbers in a `.npy` file; `mapped` leaves them on the disk.

    Shape and dtype are the caller's to check.

    Raises:
        DessinError: as `read_bytes`, or it is no array of numbers, or its header does not fit
            the bytes that follow.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            shape, dtype = _header(file)
            said, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
            if dtype.kind not in _NUMBERS or min(shape, default=0) < 0 or said != there:
                raise ValueError
            if mapped:
                return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise unreadable(path, error) from None
    except Exception:  # numpy parses the header as Python, which fails in almost any way
        raise DessinError(
            f"{quoted(path)} is not a whole, plain array of numbers.", do="Make it anew."
        ) from None


_NUMBERS = "biuf"


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shape, _, dtype = read[np.lib.format.read_magic(file)](file)
    return shape, dtype
