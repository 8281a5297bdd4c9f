"""Files as they may come: regular ones of a bounded size, each fault of their content one sentence."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dessin.errors import DessinError, listing, quoted
from dessin.places import reason
from dessin.system import READING

MiB = 2**20
MOST_TEXT = 1024 * MiB
MOST_JSON = 16 * MiB
_BYTES_A_VALUE = 32  # at least, in the mean: nothing but commas would be half a value a byte
DEPTH = 40  # of values within values; ours have six
DIGITS = 19  # of a whole number; more are no 64-bit integer


def read_bytes(path: Path, *, most: int = MOST_TEXT) -> bytes:
    """The bytes of a regular file of at most `most`; a pipe or a device is refused, not waited for.

    Raises:
        DessinError: there is none, it cannot be read, or it is larger.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            # Not more than there is: Python makes room for all that it is asked to read.
            data = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    except (OSError, ValueError, MemoryError) as error:
        raise unreadable(path, error) from None
    if len(data) > most:
        raise DessinError(f"{quoted(path)} is larger than {most / MiB:g} MiB.", do="Check what it is.")
    return data


def open_regular(path: Path) -> int:
    """The handle of a regular file; whatever else is there raises an OSError at once."""
    handle = os.open(path, READING)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    raise OSError("it is no file but a pipe or a device")


def unreadable(path: Path, error: Exception) -> DessinError:
    """Why a file could not be opened or read, in words."""
    name = quoted(path)
    if isinstance(error, IsADirectoryError):
        return DessinError(f"{name} is a folder, and a file is needed.", do="Name the file.")
    if isinstance(error, FileNotFoundError | ValueError):  # ValueError: a NUL, which no name holds
        return DessinError(f"There is no file {name}.", do="Check the path.")
    why = reason(error) if isinstance(error, OSError) else "there is not enough memory"
    return DessinError(f"{name} cannot be read: {quoted(why)}.", do="Check the path.")


def read_text(path: Path, *, most: int = MOST_TEXT) -> str:
    """UTF-8 text, with or without a mark before it.

    Raises:
        DessinError: as `read_bytes`, or it is not UTF-8, or holds a NUL.
    """
    data = read_bytes(path, most=most)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DessinError(
            f"{quoted(path)} is not UTF-8 text (line {line:,}).", do="Save it as UTF-8 and run again."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DessinError(f"{quoted(path)} is not text: line {line:,} holds a NUL.", do="Make it anew.")
    return text


def read_json(path: Path, *, most: int = MOST_JSON) -> Any:
    """The value in a JSON file, of at most a value for each 32 of the `most` bytes.

    Raises:
        DessinError: as `read_text`, too many values, or what `parse_json` refuses.
    """
    text, name = read_text(path, most=most), quoted(path)
    # Whoever checks the values makes an object of each that is wrong.
    if text.count(",") > most // _BYTES_A_VALUE:
        raise DessinError(
            f"{name} has more than {most // _BYTES_A_VALUE:,} values.", do="Restore the file or make it anew."
        )
    return parse_json(text, where=name)


def parse_json(text: str, *, where: str) -> Any:
    """The value of a JSON text, by the letter of the standard: no NaN, no infinity, no key twice.

    Raises:
        DessinError: it is not valid, nests deeper than 40, or holds a number or a character that no file of
            ours can have.
    """
    try:
        _refuse_depth(text)
        value = json.loads(
            text,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_once_each,
        )
        if _ESCAPED.search(text):
            _refuse_characters(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError) as error:
        raise DessinError(
            f"{where} is not valid JSON: {quoted(str(error))}.", do="Restore the file or make it anew."
        ) from None
    return value


_NO_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^][{}"]++', re.DOTALL)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*+\\u0000")
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def _refuse_depth(text: str) -> None:
    """Long before Python's own limit: whoever walks the value needs some of the stack too."""
    depth = 0
    for bracket in _NO_BRACKETS.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH:
            raise ValueError(f"it nests deeper than {DEPTH}")


def _refuse_characters(text: str) -> None:
    """Of JSON written again: what no file's name and no file of text can hold."""
    if _NUL.search(text):
        raise ValueError("a text holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a character") from None


def _whole(digits: str) -> int:
    if len(digits) > DIGITS + 1:
        raise ValueError(f"a whole number of {len(digits):,} digits")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{quoted(text, 30)} is no number that can be used")
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'the key "{quoted(twice, 60)}" is there twice')
    return mapping


def read_csv(path: Path, required: Sequence[str]) -> tuple[str, list[dict[str, str]]]:
    """The comment line (without `# `, or empty) and the rows as dicts.

    Raises:
        DessinError: as `read_text`, a missing column or one that is there twice, or a row with the wrong
            number of fields.
    """
    text, name = io.StringIO(read_text(path), newline=""), quoted(path)
    comment = ""
    if text.read(2) == "# ":
        comment = text.readline().rstrip("\r\n")
    else:
        text.seek(0)
    columns, *rows = read_rows(text, name) or ([],)
    missing = [column for column in required if column not in columns]
    if missing:
        there = listing(columns, limit=12) or "none"
        raise DessinError(
            f"{name} has no column {', '.join(missing)}; its columns are {there}.",
            allowed=f"Needed are {', '.join(required)}.",
        )
    twice = next((column for column in columns if column and columns.count(column) > 1), None)
    if twice is not None:
        raise DessinError(f'{name} has the column "{quoted(twice)}" twice.', do="Rename one of them.")
    return comment, [dict(zip(columns, row, strict=True)) for row in rows]


def read_rows(text: io.StringIO, name: str, separator: str = ",") -> list[list[str]]:
    """The header and the rows of a table, all as long as it; empty lines are passed over.

    Raises:
        DessinError: a quote without its end, a field above 128 KiB, or a row with the wrong number of fields.
    """
    reader = csv.reader(text, delimiter=separator, strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise DessinError(
            f"{name}, line {reader.line_num}: {quoted(str(error))}.", do="Correct the row."
        ) from None
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DessinError(
                f"{name}, row {number} does not have the {len(rows[0])} fields of the header.",
                do="Correct the row (a separator inside a value needs quotes).",
            )
    return rows


def number_of(text: str, where: str) -> float:
    """The number in a field of a table.

    Raises:
        DessinError: it is none, or not finite.
    """
    with suppress(ValueError):
        return _finite(text)
    raise DessinError(f'{where}: "{quoted(text)}" is not a number.', do="Correct the field, or make it anew.")


def count_of(text: str, where: str) -> int:
    """The whole number of at most 18 digits in a field of a table.

    Raises:
        DessinError: it is none.
    """
    if re.fullmatch(r"[0-9]{1,18}", text.strip(), re.ASCII):
        return int(text)
    raise DessinError(
        f'{where}: "{quoted(text)}" is not a whole number.', do="Correct the field, or make it anew."
    )
