"""A probe fitted once: runs that start from the same features of the same images share it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from dessin.decisions import Decision
from dessin.files import cache_folder, digest_of, locked, read_json, write_bytes, write_json
from dessin.training.probe import Floats, fit_probe

_VERSION = 1  # raise it whenever the same features would give another probe


def shared_probe(
    features: Floats, labels: NDArray[np.int64], groups: Sequence[str], classes: int, *, seed: int
) -> tuple[Floats, Floats, Decision]:
    """Weight (C, D), bias (C,) and the penalty's reason of `fit_probe` with these arguments.

    The first call computes them; the key has all that the bytes depend on, the number of threads and torch's
    version among it. Two processes that ask at once compute them once.
    """
    key = digest_of(
        [
            _VERSION,
            hashlib.sha256(features.tobytes()).hexdigest(),
            [list(features.shape), labels.tolist(), list(groups), classes, seed],
            [torch.__version__, torch.get_num_threads()],
        ]
    )
    weights = cache_folder() / "probes" / f"{key}.safetensors"
    reason = weights.with_suffix(".json")
    with locked(weights.with_suffix(".lock")):
        if not weights.is_file():
            probe = fit_probe(features, labels, groups, classes, seed=seed)
            # The weights last: where they are, the reason is too.
            write_json(reason, probe.decision.__dict__)
            write_bytes(weights, save({"weight": probe.weight, "bias": probe.bias}))
        tensors = load_file(weights)
        return tensors["weight"], tensors["bias"], Decision(**read_json(reason))
