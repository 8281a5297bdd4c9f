"""Small ONNX models with a known answer, and the same with something in them that no model needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dessin.files import sha256_bytes, write_bytes
from dessin.models.card import ONNX_FILE, BundleCard, BundleImage
from dessin.models.network import describe

SIZE = 16
# Large enough that the runtime leaves it in its file until it is asked.
WEIGHT = np.linspace(-1e-3, 1e-3, 2 * 3 * SIZE**2, dtype=np.float32).reshape(2, -1)
SECRET = "id_rsa"
CARD = BundleCard(
    classes=("cat", "house"),
    backbone="test_resnet",
    image=BundleImage(
        size=SIZE, mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear", fit="letterbox", colour="rgb"
    ),
    licence="none",
    file="model.onnx",
)


def plain_model(
    before: Sequence[onnx.NodeProto] = (), tensors: Sequence[onnx.TensorProto] = ()
) -> onnx.ModelProto:
    """Logits are WEIGHT times the picture; `before` and `tensors` are added."""
    weight = numpy_helper.from_array(WEIGHT, "weight")
    model = helper.make_model(
        helper.make_graph(
            [
                *before,
                helper.make_node("Flatten", ["pixels"], ["flat"]),
                helper.make_node("Gemm", ["flat", "weight"], ["logits"], transB=1),
            ],
            "linear",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ("n", 3, SIZE, SIZE))],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("n", len(WEIGHT)))],
            [weight, *tensors],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, describe(CARD))
    return model


def write_as_bundle(folder: Path, model: bytes, card: BundleCard = CARD) -> Path:
    """A bundle whose card is right, so that nothing but the model itself can be refused."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / ONNX_FILE, model)
    card.model_copy(update={"digests": {"weights": sha256_bytes(model)}}).write(folder)
    return folder


def _outside(name: str = "outside") -> onnx.TensorProto:
    """Numbers that lie in the secret file."""
    tensor = TensorProto(name=name, dims=WEIGHT.shape, data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=SECRET)
    return tensor


def _subgraph() -> onnx.GraphProto:
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, WEIGHT.shape)
    return helper.make_graph(
        [helper.make_node("Identity", ["outside"], ["inner"])], "g", [], [value], [_outside()]
    )


def _sparse() -> onnx.SparseTensorProto:
    indices = numpy_helper.from_array(np.arange(WEIGHT.size), "indices")
    return onnx.SparseTensorProto(values=_outside(), indices=indices, dims=[WEIGHT.size])


def _initializer() -> onnx.ModelProto:
    model = plain_model()
    model.graph.initializer[0].CopyFrom(_outside("weight"))
    return model


def _location_alone() -> onnx.ModelProto:
    model = plain_model()
    del model.graph.initializer[0].external_data[:]
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    return model


def _entries_alone() -> onnx.ModelProto:
    model = plain_model()
    model.graph.initializer[0].external_data.add(key="location", value=SECRET)
    return model


def _sparse_initializer() -> onnx.ModelProto:
    model = plain_model()
    model.graph.sparse_initializer.append(_sparse())
    return model


def _with_node(kind: str, **attributes: Any) -> onnx.ModelProto:
    return plain_model([helper.make_node(kind, [], ["extra"], **attributes)])


def _branch() -> onnx.ModelProto:
    yes = numpy_helper.from_array(np.array(True), "yes")
    node = helper.make_node("If", ["yes"], ["extra"], then_branch=_subgraph(), else_branch=_subgraph())
    return plain_model([node], [yes])


def _loop() -> onnx.ModelProto:
    """2 ** 62 turns."""
    turns = numpy_helper.from_array(np.array(2**62), "turns")
    yes = numpy_helper.from_array(np.array(True), "yes")
    going = helper.make_tensor_value_info("going", TensorProto.BOOL, [])
    counter = helper.make_tensor_value_info("counter", TensorProto.INT64, [])
    goes_on = helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["goes_on"])], "g", [counter, going], [goes_on]
    )
    return plain_model([helper.make_node("Loop", ["turns", "yes"], [], body=body)], [turns, yes])


def _function() -> onnx.ModelProto:
    model = plain_model()
    constant = helper.make_node("Constant", [], ["y"], value=_outside())
    model.functions.append(
        helper.make_function("own", "f", [], ["y"], [constant], [helper.make_opsetid("", 18)])
    )
    return model


def _training() -> onnx.ModelProto:
    model = plain_model()
    model.training_info.add().algorithm.CopyFrom(_subgraph())
    return model


def _graphs() -> onnx.ModelProto:
    model = _with_node("Identity")
    model.graph.node[0].attribute.add(name="graphs", type=onnx.AttributeProto.GRAPHS).graphs.append(
        _subgraph()
    )
    return model


def _tensors() -> onnx.ModelProto:
    model = _with_node("Identity")
    model.graph.node[0].attribute.add(name="tensors", type=onnx.AttributeProto.TENSORS).tensors.append(
        _outside()
    )
    return model


def _sparse_tensors() -> onnx.ModelProto:
    model = _with_node("Identity")
    attribute = model.graph.node[0].attribute.add(name="sparse", type=onnx.AttributeProto.SPARSE_TENSORS)
    attribute.sparse_tensors.append(_sparse())
    return model


def _domain() -> onnx.ModelProto:
    model = _with_node("Identity")
    model.graph.node[0].domain = "com.microsoft"
    return model


def _metadata() -> onnx.ModelProto:
    model = plain_model()
    model.metadata_props.add(key="ort_config", value='{"session_options": {}}')
    return model


def _strings() -> onnx.ModelProto:
    return plain_model(tensors=[helper.make_tensor("words", TensorProto.STRING, [1], [b"a"])])


def _not_utf8() -> bytes:
    return plain_model().SerializeToString().replace(b"dessin.licence", b"dessin.\xff\xfe\xfdence")


def _bytes(model: Callable[[], onnx.ModelProto]) -> Callable[[], bytes]:
    return lambda: model().SerializeToString()


OUTSIDE = "data in other files"
GRAPH = "a graph within a graph"
# What is planted → the model, and a word of the sentence that refuses it.
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "an initializer outside": (_bytes(_initializer), OUTSIDE),
    "a location without an entry": (_bytes(_location_alone), OUTSIDE),
    "an entry without a location": (_bytes(_entries_alone), OUTSIDE),
    "a constant outside": (_bytes(lambda: _with_node("Constant", value=_outside())), OUTSIDE),
    "a sparse initializer": (_bytes(_sparse_initializer), "sparse tensors"),
    "a sparse constant": (_bytes(lambda: _with_node("Constant", sparse_value=_sparse())), "sparse tensors"),
    "sparse tensors of a node": (_bytes(_sparse_tensors), "sparse tensors"),
    "tensors of a node": (_bytes(_tensors), "lists of tensors"),
    "graphs of a node": (_bytes(_graphs), GRAPH),
    "a branch": (_bytes(_branch), "If"),
    "a loop": (_bytes(_loop), "Loop"),
    "a function": (_bytes(_function), "functions of its own"),
    "a training": (_bytes(_training), "a training"),
    "an operator of another domain": (_bytes(_domain), "com.microsoft"),
    "a random operator": (_bytes(lambda: _with_node("RandomNormal", shape=[2])), "RandomNormal"),
    "settings for the runtime": (_bytes(_metadata), "ort_config"),
    "words": (_bytes(_strings), "a tensor of type 8"),
    "text that is not UTF-8": (_not_utf8, "not UTF-8"),
}  # fmt: skip
