"""Bundles with one or a few things wrong: in the bytes or the structure of the model, or in the card.

The card's digest is that of the changed model, so that the change is reached.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import onnx
from google.protobuf.message import Message

from dessin.files import sha256_bytes
from dessin.models.backbones import describe_backbone
from dessin.models.bundle import save_bundle
from dessin.models.card import CARD_FILE, ONNX_FILE, WEIGHTS_FILE, BundleCard, BundleImage
from dessin.models.classifier import empty_classifier

WHOLE = (
    0,
    1,
    -1,
    2,
    3,
    7,
    64,
    255,
    4096,
    *(sign * 2**power for power in (16, 20, 31, 40, 62) for sign in (1, -1)),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, -1e38, math.inf, -math.inf, math.nan)
OPERATORS = """If Loop Scan Identity Conv Reshape Expand Tile Pad Resize Gather Range ConstantOfShape MatMul
Softmax Cast Slice Split Where TopK LSTM Col2Im Einsum com.microsoft ai.onnx"""
NAMES = """x pixels logits weight ../../etc/passwd /etc/passwd id_rsa gray float32 int8 cosine mlp
model.onnx model.safetensors"""
BACKBONES = """test_vit tf_efficientnet_b7 eva02_enormous_patch14_clip_224 vit_gigantic_patch14_224 hf-hub:a/b
resnet18."""
TEXTS = (*OPERATORS.split(), *NAMES.split(), "", "é나무", "\x00", "\x1b[31m", "a" * 10_000)
LISTS = ([], [[]], ["a", "b"], ["a", "a"], ["a", 1], [0.5] * 3, [math.nan] * 3, [0, 0, 0], [1e-45] * 3)
MANY = [f"c{number}" for number in range(100_000)]
ODD: tuple[Any, ...] = (*TEXTS, *BACKBONES.split(), *LISTS, MANY, None, True, False, {}, "\ud800", "0" * 64)
ODD += (0, -1, 1, 16, 1024, 10**9, 2**63, 10**400, 0.5, 1e-300, 1e9, math.nan, math.inf, -math.inf)


def torch_bundle(folder: Path) -> Path:
    """A small network with random weights, whole."""
    info = describe_backbone("test_efficientnet")
    how = {"mean": info.mean, "std": info.std, "interpolation": info.interpolation}
    image = BundleImage(size=32, fit="letterbox", colour="rgb", **how)
    card = BundleCard(classes=("cat", "house"), backbone=info.name, image=image, licence="none")
    save_bundle(folder, empty_classifier(info.name, 2).eval(), card)
    return folder


def some_bytes(data: bytes, rng: Random) -> bytes:
    """The bytes with a few of them changed, put in, taken out, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        # Most of a model's bytes are its numbers: what says what they are lies at the ends.
        near = rng.choice((64, 512, 4096, len(changed)))
        place = rng.randrange(min(near, len(changed)) or 1)
        if rng.random() < 0.5:
            place = len(changed) - 1 - place
        place, count = max(place, 0), rng.choice((1, 1, 2, 4, 32))
        kind = rng.randrange(6)
        if kind == 0 and changed:
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[place : place + count] = rng.randbytes(count)
        elif kind == 2:
            changed[place : place + count] = bytes([rng.choice((0, 0x7F, 0x80, 0xFF))]) * count
        elif kind == 3:
            changed[place:place] = rng.randbytes(count)
        elif kind == 4:
            del changed[place : place + count]
        elif rng.random() < 0.2:
            del changed[place:]
        else:
            changed[place:place] = changed[place : place + 64]
    return bytes(changed)


def some_fields(data: bytes, rng: Random) -> bytes:
    """The ONNX file with a few fields changed, taken out or doubled, wherever they lie."""
    model = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _change_field(rng.choice(_messages(model)), rng)
    changed: bytes = model.SerializeToString()
    return changed


def _messages(message: Message) -> list[Message]:
    """The message and all below it; of many alike, such as value_info, a few."""
    found = [message]
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in list(value) if field.is_repeated else [value]:
                found += _messages(part)
    return found


def _change_field(message: Message, rng: Random) -> None:
    fields = message.DESCRIPTOR.fields if rng.random() < 0.1 else [field for field, _ in message.ListFields()]
    if not fields:
        return
    field = rng.choice(list(fields))
    if rng.random() < 0.1:
        message.ClearField(field.name)
        return
    value = getattr(message, field.name)
    if field.message_type is not None:
        if field.is_repeated and len(value):
            place = rng.randrange(len(value))
            if rng.random() < 0.5:
                del value[place]
            else:
                value.append(value[rng.randrange(len(value))])
        elif field.is_repeated:
            value.add()
        else:
            value.SetInParent()
        return
    drawn = _drawn(field, rng)
    try:
        if not field.is_repeated:
            setattr(message, field.name, drawn)
        elif len(value) and rng.random() < 0.8:
            value[rng.randrange(len(value))] = drawn
        else:
            value.append(drawn)
    except (ValueError, TypeError):
        message.ClearField(field.name)


def _drawn(field: Any, rng: Random) -> Any:
    kinds: dict[int, Callable[[], Any]] = {
        field.TYPE_STRING: lambda: rng.choice(TEXTS),
        field.TYPE_BYTES: lambda: rng.randbytes(rng.choice((0, 1, 4, 8, 64, 4096))),
        field.TYPE_FLOAT: lambda: rng.choice(FLOATS),
        field.TYPE_DOUBLE: lambda: rng.choice(FLOATS),
        field.TYPE_ENUM: lambda: rng.randrange(4),
    }
    return kinds.get(field.type, lambda: rng.choice(WHOLE))()


def some_keys(card: dict[str, Any], rng: Random) -> dict[str, Any]:
    """The card with a few values changed, keys taken out or put in, at any depth."""
    changed: dict[str, Any] = json.loads(json.dumps(card))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        inner = rng.choice([changed, *(part for part in changed.values() if isinstance(part, dict) and part)])
        key = rng.choice([*inner, *inner, *inner, rng.choice([text for text in TEXTS if text])])
        if rng.random() < 0.15:
            inner.pop(key, None)
        else:
            inner[key] = rng.choice(ODD)
    return changed


def some_header(data: bytes, rng: Random) -> bytes:
    """The safetensors file with a few things of its header changed, or a few of its numbers."""
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
    if rng.random() < 0.4 and len(body) >= 4:
        for _ in range(rng.choice((1, 1, 8))):
            place = rng.randrange(len(body) // 4) * 4
            body[place : place + 4] = struct.pack("<f", rng.choice(FLOATS))
    else:
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(list(header))
            if rng.random() < 0.2:
                header[rng.choice([text for text in TEXTS if text])] = header.pop(name)
            elif isinstance(header[name], dict) and header[name]:
                kinds = ["F16", "F32", "F64", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64", "Q4"]
                header[name][rng.choice(list(header[name]))] = rng.choice((*ODD, *kinds))
    text = json.dumps(header).encode()
    stated = len(text) if rng.random() < 0.9 else rng.choice((0, 1, size - 1, 2**31, 2**63 - 1, 2**64 - 1))
    return struct.pack("<Q", stated) + text + bytes(body)


MUTATIONS: dict[str, dict[str, Callable[[bytes, Random], bytes]]] = {
    ONNX_FILE: {"bytes": some_bytes, "fields": some_fields},
    WEIGHTS_FILE: {"bytes": some_bytes, "header": some_header},
}


def mutate(source: Path, target: Path, rng: Random) -> str:
    """Write a changed copy of a bundle over `target`; says what was changed."""
    target.mkdir(exist_ok=True)
    card = json.loads((source / CARD_FILE).read_text())
    file = card.get("file", WEIGHTS_FILE)
    data = (source / file).read_bytes()
    kinds = MUTATIONS[file]
    what = rng.choice([*kinds, *kinds, "card"])
    if what == "card":
        card = some_keys(card, rng)
    else:
        data = kinds[what](data, rng)
        card["digests"]["weights"] = sha256_bytes(data)
    for name in (ONNX_FILE, WEIGHTS_FILE):
        (target / name).unlink(missing_ok=True)
    (
        target / (ONNX_FILE if ONNX_FILE in kinds or (source / ONNX_FILE).exists() else WEIGHTS_FILE)
    ).write_bytes(data)
    (target / CARD_FILE).write_text(json.dumps(card))
    return what
