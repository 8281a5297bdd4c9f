"""A classifier as one ONNX file: raw pixels in, logits out, and in it what it needs to be used."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch

from dessin.errors import DessinError, install_command
from dessin.images.decode import Pixels
from dessin.models.card import BundleCard
from dessin.models.classifier import Classifier
from dessin.models.network import INPUT, OUTPUT, describe
from dessin.training.folding import folded


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
    with _quietly():
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
            do=f"Run {install_command('onnx')}",
        ) from None
    return onnx


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporter says of its own inner workings."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch.export copies its own deprecated tree classes: FutureWarning, blamed on `copyreg`.
            warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        log.setLevel(before)
