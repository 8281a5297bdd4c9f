"""What an ONNX file may hold, checked on its bytes before the runtime sees them.

ONNX Runtime is given bytes, and so looks for external data below the working directory; it runs loops without
a bound, and takes settings of its own from a file. Let through is what `dessin export` writes and nothing
else: one graph of known operators with its tensors inside. The bytes are walked by a table of the fields that
may occur, and never parsed: nothing is allocated, whatever they say.
"""

from __future__ import annotations

from collections.abc import Iterator

from dessin.errors import DessinError

# The fields of each message: number → what it is, a message where this table has one of that name. "ints",
# "floats" and "doubles" may be packed. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_SCHEMA: dict[str, dict[int, str]] = {
    "model": {1: "int", 2: "text", 3: "text", 4: "text", 5: "int", 6: "text", 7: "graph", 8: "opset"},
    "opset": {1: "text", 2: "int"},
    "property": {1: "text", 2: "text"},
    "graph": {1: "node", 2: "text", 5: "tensor", 10: "text", 11: "value", 12: "value", 13: "value"},
    "node": {1: "text", 2: "text", 3: "text", 4: "text", 5: "attribute", 6: "text", 7: "text"},
    "attribute": {1: "text", 2: "float", 3: "int", 4: "bytes", 5: "tensor", 7: "floats", 8: "ints"},
    "tensor": {1: "ints", 2: "int", 4: "floats", 5: "ints", 7: "ints", 8: "text", 9: "bytes", 10: "doubles"},
    "value": {1: "text", 2: "type", 3: "text"},
    "type": {1: "array", 6: "text"},
    "array": {1: "int", 2: "shape"},
    "shape": {1: "dimension"},
    "dimension": {1: "int", 2: "text", 3: "text"},
}
_SCHEMA["model"] |= {14: "property"}
_SCHEMA["attribute"] |= {9: "bytes", 13: "text", 20: "int"}
_SCHEMA["tensor"] |= {11: "ints", 12: "text", 14: "int"}
# What else ONNX has there, in words.
_GRAPH, _OUTSIDE, _SPARSE = "a graph within a graph, as loops have", "data in other files", "sparse tensors"
_REFUSED = {
    "model": {20: "a training", 25: "functions of its own"},
    "graph": {15: _SPARSE},
    "attribute": {6: _GRAPH, 10: "lists of tensors", 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    "tensor": {13: _OUTSIDE, 14: _OUTSIDE},
}
# Functions of numbers, without a graph inside, a draw or a file: what networks of drawings are made of.
_OPERATORS = """
Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Col2Im Concat Constant ConstantOfShape Conv
ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf Exp Expand Flatten Floor
Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample
GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LSTM LayerNormalization LeakyRelu
Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Min Mish Mod Mul Neg Not Or PRelu Pad
Pow QuantizeLinear Range Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu
Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus
SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor
"""
_DOMAINS = ("", "ai.onnx")
# The runtime reads settings from some keys.
_OWN_KEYS = "dessin."
# float32, uint8, int8, int32, int64, bool, double.
_TYPES = (1, 2, 3, 6, 7, 9, 11)
_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
_WIRES = {
    "int": (_VARINT,),
    "ints": (_VARINT, _LENGTH),
    "float": (_FOUR,),
    "floats": (_FOUR, _LENGTH),
    "doubles": (_EIGHT, _LENGTH),
}
# The largest networks of timm have some hundred thousand; a file of nothing else is walked in seconds.
_MOST_FIELDS = 1_000_000
_LONGEST_VARINT = 10


def check_onnx_file(model: bytes) -> None:
    """Refuse what a model of drawings does not need.

    Raises:
        DessinError: data in other files, loops and other graphs within graphs, functions, sparse tensors,
            operators or types that are not listed here, settings for the runtime, text that is not UTF-8, or
            bytes that are no ONNX file.
    """
    for message, number, kind, value in _walk(memoryview(model)):
        if kind == "text":
            text = _text(value)
            if (message, number) == ("node", 4) and text not in _OPERATORS.split():
                raise _refused(f"uses the operator {text[:40]!r}")
            if (message, number) == ("node", 7) and text not in _DOMAINS:
                raise _refused(f"uses operators of the domain {text[:40]!r}")
            if message == "property" and number == 1 and not text.startswith(_OWN_KEYS):
                raise _refused(f"holds the metadata {text[:40]!r}")
        elif (message, number) == ("tensor", 2) and value not in _TYPES:
            raise _refused(f"holds a tensor of type {value}")
        elif (message, number) == ("tensor", 14) and value:
            raise _refused(f"holds {_OUTSIDE}")


def _walk(model: memoryview) -> Iterator[tuple[str, int, str, int | memoryview]]:
    """Each field of the file that is no message: what it lies in, its number, its kind and its value."""
    parts = [("model", 0, len(model))]
    fields = 0
    while parts:
        message, place, end = parts.pop()
        while place < end:
            fields += 1
            if fields > _MOST_FIELDS:
                raise _refused(f"has more than {_MOST_FIELDS:,} parts")
            key, place = _varint(model, place, end)
            number, wire = key >> 3, key & 7
            kind = _SCHEMA[message].get(number, "")
            if not kind or wire not in _WIRES.get(kind, (_LENGTH,)):
                what = _REFUSED.get(message, {}).get(number, f"an unknown part ({message} {number})")
                raise _refused(f"holds {what}")
            if wire == _VARINT:
                value, place = _varint(model, place, end)
                yield message, number, kind, value
                continue
            size = {_EIGHT: 8, _FOUR: 4}.get(wire)
            if size is None:
                size, place = _varint(model, place, end)
            if size > end - place:
                raise _refused("ends too early")
            if kind in _SCHEMA:
                parts.append((kind, place, place + size))
            else:
                yield message, number, kind, model[place : place + size]
            place += size


def _varint(model: memoryview, place: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    value = 0
    for shift, byte in enumerate(model[place : min(end, place + _LONGEST_VARINT)]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    raise _refused("ends too early")


def _text(value: int | memoryview) -> str:
    try:
        return str(value, "utf-8")  # type: ignore[arg-type]
    except UnicodeDecodeError:
        raise _refused("holds text that is not UTF-8") from None


def _refused(why: str) -> DessinError:
    return DessinError(
        f"The ONNX file cannot be used: it {why}.",
        allowed="A model is one graph of plain operators with its numbers inside.",
        do="Export the model again with dessin export, or serve the bundle that it was exported from.",
    )
