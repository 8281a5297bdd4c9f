"""The small op language of recipes: `name`, `name(1, key=2.5)`. Parsed, never evaluated."""

from __future__ import annotations

import ast
import keyword
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dessin.errors import DessinError, quoted

Value = float | int | str | bool
_LONGEST = 500  # characters; the longest op of a packaged recipe has 40
_TOO_LARGE = 2**63


@dataclass(frozen=True)
class Op:
    """One parsed op: its name, positional arguments and keyword arguments (in written order)."""

    name: str
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        parts = [_written(value) for value in self.args]
        parts += [f"{key}={_written(value)}" for key, value in self.kwargs]
        return f"{self.name}({', '.join(parts)})" if parts else self.name


def parse_op(text: str) -> Op:
    """Parse one op. Bare words are strings (`autoaugment(imagenet)`); anything else but literals is refused.

    Raises:
        DessinError: the text is not `name` or `name(literal, key=literal)`.
    """
    if len(text) > _LONGEST:
        raise _malformed(text)
    try:
        # What Python would warn of (`1is`, `"\\d"`) is a misspelling too.
        with warnings.catch_warnings(action="error"):
            node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _malformed(text) from None
    if isinstance(node, ast.Name):
        return Op(node.id)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise _malformed(text)
    given = [named.arg for named in node.keywords]
    if None in given or len(set(given)) < len(given):
        raise _malformed(text)
    args = tuple(_literal(arg, text) for arg in node.args)
    kwargs = tuple((str(named.arg), _literal(named.value, text)) for named in node.keywords)
    return Op(node.func.id, args, kwargs)


def names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names that are given one by one, or with commas in one text."""
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(part.strip() for part in parts if part.strip())


def as_texts(given: str | Iterable[str]) -> tuple[str, ...]:
    """Texts that are given in a row, or one alone, which is never taken for its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def as_paths(given: str | Path | Iterable[str | Path]) -> list[Path]:
    """Paths that are given in a row, or one alone."""
    return [Path(path) for path in ((given,) if isinstance(given, str | Path) else given)]


def _literal(node: ast.expr, text: str) -> Value:
    if isinstance(node, ast.Name):
        return node.id
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise _malformed(text) from None
    if isinstance(value, str) or (isinstance(value, int) and abs(value) < _TOO_LARGE):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise _malformed(text)


def _written(value: Value) -> str:
    bare = isinstance(value, str) and value.isidentifier() and not keyword.iskeyword(value)
    return str(value) if bare else repr(value)


def _malformed(text: str) -> DessinError:
    return DessinError(
        f'Cannot read the op "{quoted(text)}".',
        allowed="An op is written name, name(15) or name(0.8, key=1.25), with numbers, words or true values.",
        do="Correct its spelling in the recipe.",
    )
