"""A classifier as one ONNX file, raw pixels in and logits out, in float32 or in 8-bit integers.

Static quantisation with QDQ nodes, weights per channel and ranges of activations from training drawings
(Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
CVPR 2018).
"""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from dessin.errors import DessinError, install_command
from dessin.images.ground import Pixels
from dessin.models.card import BundleCard
from dessin.models.classifier import Classifier
from dessin.models.network import INPUT, OUTPUT, describe
from dessin.training.folding import folded

# How the ranges are found, and what stays in float32: measured on lite0 at 128 px (docs/log.md). Minima and
# maxima lost no more than entropy or percentiles, in a sixth of their time.
_WEIGHTED = ("Conv", "Gemm", "MatMul")
# A network of convolutions stays in integers from one to the next; in a transformer the sums along the way
# have a few values far larger than the rest, and they, normalisations and softmax stay in float32.
_BETWEEN = ("Add", "Clip", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat")
_BATCH = 8


def to_onnx(classifier: Classifier, card: BundleCard, drawings: Pixels) -> bytes:
    """The ONNX file of a classifier, with a description of itself and any number of images at a time.

    The network is traced on some `drawings` (n, channels, S, S) uint8, with its batch normalisations folded
    where that is exact. The file takes float32 pixels from 0 to 255.

    Raises:
        DessinError: no exporter here, or a network that it cannot express.
    """
    import_onnx()
    # Two: a batch of one would be taken for a fixed number.
    sample = torch.from_numpy(np.concatenate([drawings, drawings])[:2]).float()
    network = folded(copy.deepcopy(classifier).to("cpu"), sample).eval()
    with _quiet_log("torch.onnx"):
        try:
            program = torch.onnx.export(
                network,
                (sample,),
                dynamo=True,
                external_data=False,
                optimize=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("images")},),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise DessinError(
                f"{card.backbone} cannot be expressed in ONNX: {str(error).splitlines()[0]}",
                do="Serve the bundle itself, or train another backbone.",
            ) from error
    assert program is not None, "the exporter returns its program"
    return described(program.model_proto, card)


def described(model: Any, card: BundleCard) -> bytes:
    """The file of an ONNX `ModelProto` that says what it is, and nothing of the machine that made it."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    import_onnx().helper.set_model_props(model, describe(card))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def import_onnx() -> ModuleType:
    """Raises:
    DessinError: what export needs is not installed.
    """
    try:
        import onnx
        import onnxruntime  # type: ignore[import-untyped]  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise DessinError(
            f"Export needs the package {error.name}, which is not installed.",
            do=f"Install with {install_command('onnx')}",
        ) from None
    return onnx


def to_int8(model: bytes, card: BundleCard, drawings: Pixels) -> bytes:
    """The int8 file of an ONNX classifier; `drawings` (n, channels, S, S) uint8 show what values occur.

    The first layer of each body, which reads the pixels, and the last, which gives the logits, stay in
    float32: together they cost a few percent of the time, and most of the accuracy that quantisation costs.
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

    with tempfile.TemporaryDirectory() as folder, _quiet_log(""):
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
            nodes_to_exclude=[*_first_layers(nodes), weighted[-1].name],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # Products of two activations, as attention has them, stay in float32.
            extra_options={"MatMulConstBOnly": True},
        )
        return described(onnx.load(quantised), card)


def _first_layers(nodes: Sequence[Any]) -> list[str]:
    """The names of the layers with weights that no other such layer comes before; nodes are in order."""
    behind: set[str] = set()
    first = []
    for node in nodes:
        weighted, after = node.op_type in _WEIGHTED, bool(behind.intersection(node.input))
        if weighted and not after:
            first.append(node.name)
        if weighted or after:
            behind.update(node.output)
    return first


class _Reader:
    """Feeds the drawings to the calibration, a few at a time."""

    def __init__(self, drawings: Pixels) -> None:
        self._parts: Iterator[Any] = iter(np.array_split(drawings, -(-len(drawings) // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        part = next(self._parts, None)
        return None if part is None else {INPUT: part.astype(np.float32)}


@contextmanager
def _quiet_log(name: str) -> Iterator[None]:
    """Without the hints of a library's logger that its caller has no use for; "" is the root logger."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch.export copies its own deprecated tree classes: FutureWarning, blamed on `copyreg`.
            warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        log.setLevel(before)
