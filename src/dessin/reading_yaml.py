"""YAML as recipes and studies are written: plain values, bounded, without aliases, tags or doubled keys."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from dessin.errors import DessinError, quoted
from dessin.reading import DEPTH, DIGITS, read_text

# Written by hand: the longest packaged file has 3 KiB, and PyYAML reads some 10,000 values a second.
_MOST_BYTES, _MOST_VALUES = 2**18, 10_000
_LONGEST_NUMBER = 40  # characters; in base 60, which YAML has too, the time grows with their square


def read_yaml(path: Path) -> Any:
    """The value in a YAML file of at most 256 KiB.

    Raises:
        DessinError: as `read_text`, or what `parse_yaml` refuses.
    """
    return parse_yaml(read_text(path, most=_MOST_BYTES), where=quoted(path))


def parse_yaml(text: str, *, where: str) -> Any:
    """The value of a YAML text: mappings, lists, texts, numbers, true, false and null.

    Aliases are refused: nine lines of ten each are a billion values to whoever writes them out. So are tags,
    keys that are there twice (YAML keeps the last, unsaid), and numbers that are not finite.

    Raises:
        DessinError: with the line.
    """
    if len(text) > _MOST_BYTES:
        raise DessinError(f"{where} is larger than {_MOST_BYTES // 1024} KiB.", do="Check what it is.")
    try:
        loader = _Plain(text)
        return loader.get_single_data()
    except _Refused as error:
        line, reason = error.args
        raise DessinError(f"{where}, line {line}: {reason}.", do="Correct it and run again.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f" (line {mark.line + 1:,})" if mark else ""
        reason = quoted(" ".join(filter(None, (error.context, error.problem))))
        raise DessinError(
            f"{where} is not valid YAML: {reason}{at}.", do="Correct it and run again."
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = quoted(" ".join(str(error).split()))
        raise DessinError(f"{where} is not valid YAML: {reason}.", do="Correct it and run again.") from None


class _Refused(Exception):  # noqa: N818
    """A line, and what is not taken there."""


_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}


class _Plain(yaml.SafeLoader):
    """PyYAML's safe loader, bounded, and without what makes one value into many or a text into an object."""

    # A date is a text, and so are the signs for a merge and a default.
    yaml_implicit_resolvers = {  # noqa: RUF012 (as PyYAML has it)
        first: [(tag, pattern) for tag, pattern in pairs if tag in _PLAIN]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None) is not None:
            raise _Refused(line, "dessin reads no anchors or aliases (& and *); write the values out")
        self._depth, self._values = self._depth + 1, self._values + 1
        if self._depth > DEPTH:
            raise _Refused(line, f"values nest deeper than {DEPTH}")
        if self._values > _MOST_VALUES:
            raise _Refused(line, f"there are more than {_MOST_VALUES:,} values")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and node.tag not in _PLAIN:
            raise _Refused(line, f"dessin reads no tags, and here is {quoted(node.tag, 60)}")
        if isinstance(node, yaml.MappingNode):
            self._refuse_doubles(node)
        return node

    def _refuse_doubles(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(key.start_mark.line + 1, "a key is a text or a number")
            name = str(key.value)
            if name in seen:
                raise _Refused(key.start_mark.line + 1, f'"{quoted(name, 60)}" is there twice')
            seen.add(name)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
                raise ValueError
            value = super().construct_object(node, deep=deep)
            if not _usable(value):
                raise ValueError
        except (yaml.YAMLError, _Refused):
            raise
        except Exception:  # PyYAML's constructors raise almost any type on a value that is none
            line, seen = node.start_mark.line + 1, quoted(getattr(node, "value", ""), 60)
            raise _Refused(line, f'"{seen}" is no value that can be used') from None
        return value


def _usable(value: object) -> bool:
    """Whether a text can be written, and a number be computed with; half a character is a ValueError."""
    if isinstance(value, str):
        return "\0" not in value and len(value.encode()) >= len(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < 10**DIGITS
