"""What a page is made of. A view turns a result into blocks; `html` and `text` draw them.

Text is in the language that is spoken already, and data: see `dessin.page.words`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from dessin.page.dots import DotPlot
from dessin.page.numbers import Interval, percent, share
from dessin.page.words import Link, Tone, Words, plain


@dataclass(frozen=True)
class Headline:
    """The one number of a page, in large, with its interval on a line from 0 to 1, and a grey mark."""

    value: str
    words: str
    share: float
    low: float
    high: float
    label: str
    mark: float | None = None

    @classmethod
    def of(cls, found: Interval, words: str, label: str = "", *, mark: float | None = None) -> Headline:
        """A share with its interval; `label` is for those who hear the page, by default figures and words."""
        value, label = percent(found.value, 1), label or f"{share(found)} {words}"
        return cls(value, words, found.value, found.low, found.high, label, mark)


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    note: Words = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Facts:
    """A few figures in a row; with `wide`, each has a row of its own with room for a note of some lines."""

    facts: tuple[Fact, ...]
    wide: bool = False


Kind: TypeAlias = Literal["plain", "verdict", "note", "notice", "warning"]


@dataclass(frozen=True)
class Sentence:
    """A paragraph. A `verdict` is the answer, a `notice` and a `warning` stand out, a `note` stands back."""

    words: Words
    kind: Kind = "plain"


@dataclass(frozen=True)
class Notes:
    """Several sentences as a list; with a title, in a frame, such as what figures cannot say."""

    notes: tuple[Words, ...]
    title: str = ""


@dataclass(frozen=True)
class Command:
    """Lines to copy."""

    text: str


@dataclass(frozen=True)
class Column:
    title: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under titles; on a narrow screen a row is a card, headed by its first cell.

    `file` is the name under which the page offers it as a CSV, without an ending; empty for none.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Words, ...], ...]
    note: Words = ""
    file: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row has not {len(self.columns)} cells")

    @classmethod
    def of(
        cls,
        words: Iterable[str],
        numbers: Iterable[str],
        rows: Iterable[tuple[Words, ...]],
        note: Words = "",
        file: str = "",
    ) -> Table:
        """Columns of words, then those of numbers, by their titles."""
        titles = (*(Column(title) for title in words), *(Column(title, number=True) for title in numbers))
        return cls(titles, tuple(rows), note, file)

    def csv(self) -> str:
        """The table as CSV text: titles, then rows, as they read."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        writer.writerows([plain(cell) for cell in row] for row in self.rows)
        return text.getvalue()


Sign: TypeAlias = Literal["dot", "quiet", "ring", "line", "band"]


@dataclass(frozen=True)
class Key:
    """What a sign in a plot of dots means."""

    sign: Sign
    words: str


@dataclass(frozen=True)
class Dots:
    plot: DotPlot
    key: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Picture:
    """An image as a `data:` address, or empty where it is gone; `alt` says what is seen.

    A `drawing` has a frame and white paper, a `chart` takes the whole width, a `sheet` is many drawings.
    """

    source: str
    alt: str
    caption: Words = ""
    kind: Literal["drawing", "chart", "sheet"] = "drawing"
    tone: Tone = ""


@dataclass(frozen=True)
class Shot:
    """One or several pictures that belong together, under `tags` and over a title and a note."""

    pictures: tuple[Picture, ...]
    title: str = ""
    note: Words = ""
    tags: tuple[Words, ...] = ()
    tone: Tone = ""


GallerySize: TypeAlias = Literal["small", "medium", "large", "wide"]


@dataclass(frozen=True)
class Gallery:
    """Shots side by side, as many in a row as fit: `large` for two pictures, `wide` for three."""

    shots: tuple[Shot, ...]
    size: GallerySize = "medium"


@dataclass(frozen=True)
class Links:
    """Pages to go on to: a title, where, and what is found there."""

    links: tuple[tuple[Link, Words], ...]


@dataclass(frozen=True)
class Step:
    """What to do, as a command to copy, and a sentence why."""

    why: Words
    command: str


@dataclass(frozen=True)
class Next:
    """How a page ends: what to do now."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Section:
    """Blocks under a title; `folded` ones open at a click, `card` ones have a frame."""

    title: str
    blocks: tuple[Block, ...]
    lead: Words = ""
    anchor: str = ""
    tags: tuple[Words, ...] = ()
    folded: bool = False
    card: bool = False


@dataclass(frozen=True)
class Grid:
    """Sections in cards side by side where there is room, at least `least` pixels wide."""

    sections: tuple[Section, ...]
    least: Literal[300, 440] = 440


Block: TypeAlias = (
    "Headline | Facts | Sentence | Notes | Command | Table | Dots | Picture | Gallery | Links | Next "
    "| Section | Grid"
)


@dataclass(frozen=True)
class Page:
    """A whole page: the collection and the question as its title, the answer as its lead."""

    title: str
    lead: Words
    blocks: tuple[Block, ...]
    footer: Words = ""
    trail: tuple[Link, ...] = field(default=())

    def tables(self) -> Iterator[Table]:
        """Every table of the page, in the order of reading."""
        return (block for block in walk(self.blocks) if isinstance(block, Table))


def walk(blocks: Sequence[Block]) -> Iterator[Block]:
    """Every block, also those within others, in the order of reading."""
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from walk(block.blocks)
        elif isinstance(block, Grid):
            yield from walk(block.sections)
