"""Text with parts that are more than letters: a command, a link, a tag.

A plain `str` is shown as it is, letter for letter, wherever it comes from. What is more than letters is a
part of its own, so that no name of a folder can become markup.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Formatter
from typing import Literal, TypeAlias

from dessin.language import Phrase, spoken, translated
from dessin.page.numbers import Interval

Tone: TypeAlias = Literal["", "good", "warn", "muted"]


@dataclass(frozen=True)
class Code:
    """A command, a file, a value to type."""

    text: str


@dataclass(frozen=True)
class Strong:
    text: str


@dataclass(frozen=True)
class Tag:
    """A word or two in a frame, beside what it says something of."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Link:
    """A place on the same page (`#anchor`) or a page beside it, by a relative path."""

    text: str
    to: str


@dataclass(frozen=True)
class Note:
    """Smaller and quieter than what it stands beside; in a table's cell, below it."""

    text: str


@dataclass(frozen=True)
class Bar:
    """A share of one as a bar; `low` and `high` are its interval, and `words` say it in figures."""

    share: float
    words: str
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, found: Interval, words: str) -> Bar:
        """A share with its interval."""
        return cls(found.value, words, found.low, found.high)


Part: TypeAlias = "str | Code | Strong | Tag | Link | Note | Bar"
Words: TypeAlias = "Part | tuple[Part, ...]"


def told(text: str, **values: Words) -> Words:
    """Like `tr`, with values in its places that are more than letters."""
    found: list[Part] = []
    for literal, name, _, _ in Formatter().parse(translated(text)):
        found += [literal] if literal else []
        found += parts(values[name]) if name else ()
    return tuple(found)


def parts(words: Words) -> tuple[Part, ...]:
    """Words as a row of parts, phrases as they are spoken; an empty text has none."""
    if isinstance(words, tuple):
        return tuple(map(_spoken, words))
    return (_spoken(words),) if words else ()


def _spoken(part: Part) -> Part:
    if isinstance(part, str):
        return spoken(part)
    if not isinstance(part, Bar) and isinstance(part.text, Phrase):
        return replace(part, text=part.text.spoken)
    return part


def plain(words: Words) -> str:
    """Words as letters alone."""
    return "".join(part if isinstance(part, str) else _letters(part) for part in parts(words))


def _letters(part: Code | Strong | Tag | Link | Note | Bar) -> str:
    match part:
        case Bar(words=words):
            return words
        case Note(text=text) | Tag(text=text):
            return f" ({text})" if text else ""
        case _:
            return part.text
