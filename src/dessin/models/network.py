"""What can answer: a classifier with weights, or an exported one that ONNX Runtime computes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dessin.errors import DessinError, install_command
from dessin.models.card import BundleCard
from dessin.models.onnx_file import check_onnx_file

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]


class Network(nn.Module):
    """All that an answer needs: (N, channels, S, S) pixels from 0 to 255, uint8 or float → (N, C) logits."""

    channels: int

    @property
    def classes(self) -> int:
        """C, the number of logits."""
        raise NotImplementedError


INPUT, OUTPUT = "pixels", "logits"
# What whoever feeds the file must do with a photograph before anything else.
PAGE = (
    "auto: of a photograph of paper the sheet alone is looked at, straightened, evenly lit on white, "
    "without ruled lines, and cropped to the drawing with a quarter of its longer side around it; "
    "whoever cannot find it crops so by hand; scans and drawings stay as they are"
)


class OnnxNetwork(Network):
    """A model file (its bytes) that ONNX Runtime computes on the CPU, with `threads` (default: torch's now).

    Takes pixels on any device and leaves the logits there.

    Raises:
        DessinError: no ONNX Runtime, or bytes that are not a classifier's ONNX file; when asked, a file that
            does not give such logits after all.
    """

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        super().__init__()
        self._model, self._threads = model, threads
        self._session = _session(model, threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shapes = [*(part.shape for part in inputs), *(part.shape for part in outputs)]
        # All but the number of images is fixed.
        sides = [side for shape in shapes for side in shape[1:]]
        types = {part.type for part in (*inputs, *outputs)}
        if (
            [len(shape) for shape in shapes] != [4, 2]
            or not all(isinstance(side, int) and side > 0 for side in sides)
            or types != {"tensor(float)"}
        ):
            raise DessinError(
                f"The ONNX file has inputs and outputs of shapes {_short(shapes)}, which is no classifier's.",
                allowed="Pixels (N, channels, S, S) float32 go in and logits (N, C) float32 come out.",
                do="Export the model again with dessin export.",
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        self.channels, self.size = shapes[0][1], shapes[0][3]
        self._classes: int = shapes[1][1]

    @property
    def classes(self) -> int:
        return self._classes

    @property
    def description(self) -> Mapping[str, str]:
        """What the file says of itself, as `describe` put it there."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def forward(self, pixels: Tensor) -> Tensor:
        values = pixels.detach().to("cpu", torch.float32).contiguous().numpy()
        try:
            (logits,) = self._session.run([self._output], {self._input: values})
        # The runtime's errors have no root of their own but Exception.
        except Exception as error:
            raise _unusable(error) from None
        # The shapes that a file states are its word alone.
        if logits.shape != (len(values), self._classes):
            raise _unusable(f"it gave numbers of shape {_short(logits.shape)} in place of its logits")
        return torch.from_numpy(logits).to(pixels.device)

    def __getstate__(self) -> dict[str, Any]:
        """Without the session, which cannot be sent to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._session = _session(self._model, self._threads)


def describe(card: BundleCard) -> dict[str, str]:
    """What an ONNX file must say to be of use without its card: the classes and what pixels it wants.

    A temperature is not in it: that can change after the export, and then stands on the card.
    """
    page = {} if card.image.page == "off" else {"dessin.page": PAGE}
    return {
        "dessin.classes": json.dumps(card.classes, ensure_ascii=False),
        "dessin.names": json.dumps(card.names, ensure_ascii=False, sort_keys=True),
        "dessin.image": json.dumps(card.image.model_dump(mode="json"), sort_keys=True),
        "dessin.input": (
            "float32 pixels from 0 to 255, (N, channels, size, size); mean and std are applied inside"
        ),
        "dessin.output": "logits (N, classes)",
        "dessin.backbone": "+".join(card.backbones),
        "dessin.precision": card.precision,
        "dessin.licence": card.licence,
        **page,
    }


def check_description(network: OnnxNetwork, card: BundleCard) -> None:
    """Raises:
    DessinError: the card and the ONNX file speak of different models.
    """
    wanted, found = describe(card), network.description
    differing = [key for key in ("dessin.classes", "dessin.image") if found.get(key) != wanted[key]]
    channels = 1 if card.image.colour == "gray" else 3
    shape = (network.channels, network.size, network.classes)
    if differing or shape != (channels, card.image.size, len(card.classes)):
        raise DessinError(
            "The card and the ONNX file beside it do not agree"
            f" ({', '.join(differing) or f'its channels, side and classes are {shape}'}).",
            do="Export the model again with dessin export.",
        )


def _session(model: bytes, threads: int | None) -> InferenceSession:
    check_onnx_file(model)
    try:
        import onnxruntime as runtime
    except ImportError:
        raise DessinError(
            "This model is an exported one, and onnxruntime, which computes it, is not installed.",
            do=f"Install it: {install_command('onnx')}",
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads() if threads is None else threads
    # One image's layers follow one another: there is nothing to compute beside them.
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    # An arena keeps what the largest batch ever needed, for each session: 14.6 GB for a committee of 30.
    options.enable_cpu_mem_arena = False
    # A thread that waits for work by turning in circles takes it from those who have some: the session of
    # another member of a committee, or the processes that decode the next images of a server.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Only what is fatal is printed, and that is raised as well.
    options.log_severity_level = 4
    # Else bytes that could be of the runtime's own format would be read as such, and were not checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _unusable(error) from None


def _unusable(why: Exception | str) -> DessinError:
    return DessinError(
        f"The ONNX file cannot be used: {_short(why)}.",
        do="Export the model again with dessin export, or install a newer onnxruntime.",
    )


def _short(value: object) -> str:
    """The first line of it, cut."""
    return next(iter(str(value).splitlines()), "")[:160]
