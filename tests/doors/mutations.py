"""What can be wrong with a file: its bytes, its structure, the header before its numbers."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

# Written into a file as they stand: what no library that writes JSON or YAML would write.
RAW = (
    *("9" * 5000, "-" + "9" * 400, "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "0x", "0x" + "f" * 300),
    *("[" * 2000, "{" * 2000, '{"a":' * 500, "[" * 60 + "]" * 60, "[" * 30 + "]" * 30),
    *('"\\ud800"', '"\\u0000"', '"\\', "'", "tru", "", "nul\0", "1:99:..", "1_0", "1:" * 3000 + "1"),
    *(
        "2026-13-45",
        "2026-11-30",
        "!!int x",
        "!!binary zz",
        "!!timestamp x",
        "!!python/name:os.system",
        "! a",
    ),
    *("&a [*a]", "*a", "<<", "? [1]", "- - - 1", "|", ">", "%", "@", "`", "a: b: c", ".nan", ".inf", "~"),
)
TEXTS = (
    *(
        "",
        " ",
        "x" * 3000,
        "x" * 200_000,
        "a\nb",
        "\x1b[2J",
        "a,b;c\td",
        '"',
        "'",
        "é" * 300,
        "\u202e",
        "\U0001f600",
    ),
    *("nan", "inf", "-0", "1e5", "9" * 25, "9" * 4500, "-1", "1.5", "+1", "１２", "²", "true", "null"),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "C:\\x",
        "a" * 300 + "/b",
        "\0",
        "=1+1",
        "%s",
        "{}",
        "a.b.c",
    ),
    *(
        "a(" * 10_000,
        "f(" * 90,
        "rotate(",
        "rotate(1e999)",
        "rotate(1is)",
        'rotate("\\d")',
        "-" * 450,
        "f(a=1,a=2)",
    ),
    *("[]", "{}", "auto", "none", "holdout", "drop", "relabel", "label_conflict"),
)
VALUES = (
    *(None, True, False, 0, 1, -1, 2, 5, 10**12, 2**63, -(2**63), 10**18, 0.0, 0.5, -0.0, 1e-320, 1e308, 1.5),
    *([], {}, [[]], [None], {"": None}, [1, "a"], ["a", "a"], {"a": {"b": {"c": {}}}}, [[[[[[]]]]]]),
    *([0] * 2000, ["x" * 200] * 200, {str(n): n for n in range(500)}),
)
JUNK = (
    *(
        b"\0",
        b"\0" * 500,
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xe9",
        b"\r",
        b"\r\n",
        b"\n\n\n",
        b'"',
        b'"' * 99,
    ),
    *(
        b",",
        b",,,,,,",
        b";",
        b"\t",
        b"#",
        b"# ",
        b"{",
        b"[",
        b"]" * 50,
        b"\\",
        b"\x85",
        "\u2028".encode(),
        b"\x1a",
    ),
    *(
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"\x80\x04.",
        b"x" * 150_000,
        b"\n" * 5000,
        b"- " * 300,
        b"'",
        b": ",
        b"&a *a",
    ),
)

_DTYPES = ("f4", "f8", "f2", ">f4", "i4", "u1", "?", "c8", "S4", "U4", "M8[s]")

Mutate = Callable[[Random, bytes], bytes]


def of_bytes(rng: Random, data: bytes) -> bytes:
    """Cut, flip, insert, repeat or take away, at a place of the generator's choice."""
    place, other = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    kind = rng.randrange(9)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[place:]
    if kind == 2:
        return data[:place] + data[other:]
    if kind == 3:
        return data[:other] + data[place:other] * rng.choice((1, 2, 50)) + data[other:]
    if kind == 4:
        return data[:place] + rng.randbytes(rng.choice((1, 4, 100))) + data[place:]
    if kind == 5:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 3, 30))):
            if changed:
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == 6:
        whole = (
            lambda: data.replace(b"\n", b"\r\n"),
            lambda: data.replace(b"\n", b"\r"),
            lambda: b"\xef\xbb\xbf" + data,
            lambda: data.decode("utf-8", "replace").encode("utf-16"),
            lambda: data.decode("utf-8", "replace").encode("latin-1", "replace") + b"\xe9",
            lambda: b"",
            lambda: data * 2,
            lambda: data.replace(b" ", b""),
            lambda: data.upper(),
        )
        return rng.choice(whole)()
    return data[:place] + rng.choice(JUNK) + data[place if kind == 7 else other :]


def of_values(rng: Random, data: bytes, written: Callable[[Any], str] = json.dumps) -> bytes:
    """A value inside a JSON file swapped, doubled, left out, wrapped, renamed, or written as it never is."""
    value = json.loads(data)
    raw = ""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        holders = [holder for holder in _holders(value) if holder]
        if not holders:
            break
        holder = rng.choice(holders)
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        kind = rng.randrange(9)
        if kind <= 2:
            holder[key] = _copied(rng.choice(VALUES))
        elif kind == 3:
            holder[key] = rng.choice(TEXTS)
        elif kind == 4:
            raw, holder[key] = rng.choice(RAW), "@RAW@"
        elif kind == 5:
            del holder[key]
        elif kind == 6 and isinstance(holder, dict):
            holder[rng.choice((*TEXTS[:8], *TEXTS[-8:], "extra", str(key).upper()))] = _copied(holder[key])
        elif kind == 7:
            holder[key] = [_copied(holder[key])] if rng.random() < 0.5 else {"a": _copied(holder[key])}
        else:
            holder[key] = rng.choice([_copied(rng.choice(holders)), 2, "2", 0.25, str(holder[key])])
    text = written(value)
    if rng.random() < 0.1:
        text = text.replace("{", '{"format": 1, "a": 2, "a": 3, ', 1)
    return (
        text.replace('"@RAW@"', raw)
        .replace("'@RAW@'", raw)
        .replace("@RAW@", raw)
        .encode("utf-8", "surrogatepass")
    )


def of_table(rng: Random, data: bytes) -> bytes:
    """A cell, a row, a column or the header of a CSV changed."""
    text = data.decode()
    comment = ""
    if text.startswith("#"):
        comment, _, text = text.partition("\n")
        comment = rng.choice(
            (comment + "\n",) * 6 + ("", "# \n", comment * 2 + "\n", f"{comment[: len(comment) // 2]}\n")
        )
    rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[""]]
    for _ in range(rng.choice((1, 1, 2, 6))):
        row = rng.choice(rows[:1] * 3 + rows) if rows else []
        if not row:
            break
        place = rng.randrange(len(row))
        kind = rng.randrange(9)
        if kind <= 3:
            row[place] = rng.choice((*TEXTS, *RAW))
        elif kind == 4:
            del row[place]
        elif kind == 5:
            row.insert(place, rng.choice(row))
        elif kind == 6:
            rows.insert(rng.randrange(len(rows) + 1), list(rng.choice(rows)))
        elif kind == 7:
            for each in rows:
                if rng.random() < 0.5:
                    each[place : place + 1] = []
                elif place < len(each):
                    each.append(each[place])
                else:
                    each.append("")
        else:
            rng.shuffle(rows if rng.random() < 0.5 else row)
    table = io.StringIO()
    csv.writer(table, delimiter=rng.choice(",,,,,,;\t"), lineterminator="\n").writerows(rows)
    return (comment + table.getvalue()).encode("utf-8", "surrogatepass")


def of_array(rng: Random, data: bytes) -> bytes:
    """An `.npy` with another header, other numbers, or another file under its name."""
    kind = rng.randrange(6)
    if kind == 0:
        array = np.load(io.BytesIO(data))
        flat = array.reshape(-1).astype(np.float32)
        if flat.size:
            flat[rng.randrange(flat.size)] = rng.choice((np.nan, np.inf, -np.inf, -1.0, 2.0, 1e38, 0.0))
        with np.errstate(all="ignore"):
            return _saved(flat.reshape(array.shape).astype(rng.choice(_DTYPES)))
    if kind == 1:
        others = (
            lambda: _saved(np.array([{"a": 1}], dtype=object), pickled=True),
            lambda: _saved(np.asfortranarray(np.load(io.BytesIO(data)))),
            lambda: _saved(np.zeros((2, 2), dtype="f4,i4")),
            lambda: _saved(np.zeros(0, np.float32)),
            lambda: _saved(np.float32(1.0)),
            lambda: _zipped(data),
            lambda: b"\x80\x04\x95\x00",
        )
        return rng.choice(others)()
    shapes = (
        "()",
        "(1,)",
        "(-1, 3)",
        "(10**9, 10**9)",
        "(9999999999, 3)",
        "(3, 3.5)",
        "'x'",
        "(True, 3)",
        "None",
        "(12, 3, 1)",
    )
    kinds = (
        "'<f4'",
        "'<f8'",
        "'|O'",
        "'<U99999999'",
        "'<U9999999999999'",
        "'f4,f4'",
        "[('a', '<f4')]",
        "'x'",
        "1",
        "None",
        "'|V8'",
    )
    header = {"descr": "'<f4'", "fortran_order": "False", "shape": "(12, 3)"}
    header[rng.choice(list(header))] = rng.choice(
        (*shapes, *kinds, *RAW[:20], "True", "((((", "f(1)", "'", '"""', "1is")
    )
    if rng.random() < 0.3:
        header[rng.choice(("extra", "descr ", "shape"))] = rng.choice(("1", "(2,)", "[" * 300))
    text = "{" + ", ".join(f"'{key}': {value}" for key, value in header.items()) + "}"
    text = rng.choice(
        (
            text,
            text,
            text + " " * 20_000,
            text[: rng.randrange(len(text))],
            text.replace("'", "u'"),
            "(" * 3000,
        )
    )
    encoded = text.encode("utf-8", "surrogatepass") + b"\n"
    version = rng.choice((1, 1, 1, 2, 3, 4, 255))
    size = rng.choice((len(encoded),) * 5 + (0, 10, len(encoded) + 50, 65535, 2**31))
    length = struct.pack("<H", size % 65536) if version == 1 else struct.pack("<I", size)
    return b"\x93NUMPY" + bytes((version, 0)) + length + encoded + data[-144:]


def of_tensors(rng: Random, data: bytes) -> bytes:
    """A safetensors file with another header, or numbers that are none."""
    size = struct.unpack("<Q", data[:8])[0]
    header, numbers = data[8 : 8 + size], data[8 + size :]
    kind = rng.randrange(4)
    if kind == 0:
        return struct.pack("<Q", rng.choice((0, 1, size + 1, 2**32, 2**63, 2**64 - 1, len(data)))) + data[8:]
    if kind == 1:
        place = rng.randrange(max(1, len(numbers) - 4)) // 4 * 4
        odd = rng.choice((b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\xff\xff"))
        return data[: 8 + size] + numbers[:place] + odd + numbers[place + 4 :]
    if kind == 2:
        for old, new in ((b"F32", rng.choice((b"F64", b"BF16", b"F8_E4M3", b"U8", b"x", b"I64", b"BOOL"))),):
            header = header.replace(old, new, rng.choice((1, 99)))
        return struct.pack("<Q", len(header)) + header + numbers
    header = of_values(rng, header)
    return struct.pack("<Q", len(header)) + header + numbers


def _holders(value: Any) -> list[Any]:
    found, ahead = [], [value]
    while ahead:
        holder = ahead.pop()
        if isinstance(holder, dict | list):
            found.append(holder)
            ahead.extend(holder.values() if isinstance(holder, dict) else holder)
    return found


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _saved(array: Any, *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("probabilities.npy", data)
    return buffer.getvalue()
