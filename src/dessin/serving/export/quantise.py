"""An ONNX classifier in 8-bit integers: weights per channel, ranges of activations from training drawings.

Static quantisation with QDQ nodes (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dessin.images.decode import Pixels
from dessin.models.card import BundleCard
from dessin.models.network import INPUT
from dessin.serving.export.convert import described, import_onnx

# How the ranges are found, and what stays in float32: measured on lite0 at 128 px (docs/log.md). Minima and
# maxima lost no more than entropy or percentiles, in a sixth of their time.
_WEIGHTED = ("Conv", "Gemm", "MatMul")
# A network of convolutions stays in integers from one to the next; in a transformer the sums along the way
# have a few values far larger than the rest, and they, normalisations and softmax stay in float32.
_BETWEEN = ("Add", "Clip", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat")
_BATCH = 8


def to_int8(model: bytes, card: BundleCard, drawings: Pixels) -> bytes:
    """The int8 file of an ONNX classifier; `drawings` (n, channels, S, S) uint8 show what values occur.

    The first layer, which reads the pixels, and the last, which gives the logits, stay in float32: together
    they cost a few percent of the time, and most of the accuracy that quantisation costs.
    """
    onnx = import_onnx()
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import (  # type: ignore[import-untyped]
        quant_pre_process,
    )

    with tempfile.TemporaryDirectory() as folder, _quietly():
        plain, prepared, quantised = (Path(folder) / f"{name}.onnx" for name in ("plain", "prepared", "int8"))
        plain.write_bytes(model)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        weighted = [node for node in nodes if node.op_type in _WEIGHTED]
        convolutional = not any(node.op_type == "MatMul" for node in weighted)
        quantize_static(
            str(prepared),
            str(quantised),
            _Reader(drawings),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_WEIGHTED, *(_BETWEEN if convolutional else ())],
            nodes_to_exclude=[weighted[0].name, weighted[-1].name],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # Products of two activations, as attention has them, stay in float32.
            extra_options={"MatMulConstBOnly": True},
        )
        return described(onnx.load(quantised), card)


class _Reader:
    """Feeds the drawings to the calibration, a few at a time."""

    def __init__(self, drawings: Pixels) -> None:
        self._parts: Iterator[Any] = iter(np.array_split(drawings, -(-len(drawings) // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        part = next(self._parts, None)
        return None if part is None else {INPUT: part.astype(np.float32)}


@contextmanager
def _quietly() -> Iterator[None]:
    """The quantiser logs hints to the root logger that its caller has no use for."""
    log = logging.getLogger()
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
