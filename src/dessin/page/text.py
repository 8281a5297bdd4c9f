"""Blocks as text: Markdown for a wiki or a notebook, and lines for a terminal."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from dessin.files import remove, write_bytes, write_text
from dessin.language import tr
from dessin.page.blocks import (
    Block,
    Command,
    Dots,
    Facts,
    Gallery,
    Grid,
    Headline,
    Links,
    Next,
    Notes,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Table,
)
from dessin.page.dots import Dot
from dessin.page.tables import aligned, printable
from dessin.page.words import Code, Link, Note, Part, Strong, Tag, Words, parts, plain

# What Markdown would take for markup, in the letters of a text.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~])")
# A bar ends a cell, also within code.
_BAR = re.compile(r"(?<!\\)\|")
_DEEPEST = 6
_PLAIN_SPACES = {0x00A0: " ", 0x202F: " "}
# So many pictures of a gallery are side by side.
_A_ROW = 4
# Where a picture lies, as an address; empty where it is told in words alone.
Place: TypeAlias = Callable[[Picture], str]


def markdown(page: Page, place: Place = lambda _: "") -> str:
    """A page as Markdown; dots are tables. Of pictures it has the words alone where `place` knows none."""
    blocks = _blocks(page.blocks, 2, place)
    lines = [f"# {_escaped(page.title)}", _marked(page.lead), *blocks, _marked(page.footer)]
    return "\n\n".join(line for line in lines if line) + "\n"


def write_markdown(path: Path, page: Page) -> None:
    """Write a page as Markdown, such as for a wiki, its pictures as files in the folder `NAME-pictures`."""
    folder = path.with_name(f"{path.stem}-pictures")
    files: dict[str, str] = {}

    def place(picture: Picture) -> str:
        if picture.source and picture.source not in files:
            head, _, data = picture.source.partition(";base64,")
            ending = head.removeprefix("data:image/").partition("+")[0]
            files[picture.source] = f"{len(files) + 1:03}.{ending}"
            folder.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / files[picture.source], base64.b64decode(data))
        return quote(f"{folder.name}/{files[picture.source]}") if picture.source else ""

    text = markdown(page, place)
    for old in folder.glob("[0-9][0-9][0-9].*"):
        if old.name not in files.values():
            remove(old)
    write_text(path, text)


def _blocks(blocks: Sequence[Block], level: int, place: Place) -> Iterator[str]:
    for block in blocks:
        yield from _block(block, level, place)


def _block(block: Block, level: int, place: Place) -> Iterator[str]:
    match block:
        case Section(title, blocks, lead, _, tags):
            mark = "#" * min(level, _DEEPEST)
            yield " ".join([mark, _escaped(title), *(_marked(tag) for tag in tags)]) if title else ""
            yield _marked(lead)
            yield from _blocks(blocks, level + 1, place)
        case Grid(sections):
            yield from _blocks(sections, level, place)
        case Headline(value, words):
            yield f"**{_escaped(value)}** {_escaped(words)}"
        case Facts(facts):
            rows = [(fact.name, fact.value, fact.note) for fact in facts]
            yield _rows((tr("What"), tr("Value"), ""), rows)
        case Sentence(words, kind):
            yield ("> " if kind in {"notice", "warning"} else "") + _marked(words)
        case Notes(notes, title):
            yield f"**{_escaped(title)}**" if title else ""
            yield "\n".join(f"- {_marked(note)}" for note in notes)
        case Command(text):
            yield _fenced(text)
        case Table(columns, rows, note):
            yield _rows([column.title for column in columns], rows)
            yield _marked(note)
        case Dots(plot):
            yield _rows(("", ""), [(_named(row.dot), row.dot.words) for row in plot.rows])
        case Picture(_, alt, caption):
            yield _pictures([block], place)
            yield f"*{_escaped(plain(caption) or alt)}*"
        case Gallery(shots):
            yield from _gallery(shots, place)
        case Links(links):
            yield "\n".join(f"- {_marked(link)} {_marked(found)}" for link, found in links)
        case Next(steps):
            for step in steps:
                yield _marked(step.why)
                yield _fenced(step.command)


def _named(dot: Dot) -> Words:
    return (dot.name, Note(dot.note)) if dot.note else dot.name


def _gallery(shots: Sequence[Shot], place: Place) -> Iterator[str]:
    shown = [(shot, _pictures(shot.pictures, place)) for shot in shots]
    if not any(pictures for _, pictures in shown):
        yield "\n".join(f"- {_escaped(_of_shot(shot.title, shot.note))}" for shot in shots)
        return
    in_a_row = min(len(shots), max(1, _A_ROW // max(len(shot.pictures) for shot in shots)))
    rows: list[list[str]] = []
    for start in range(0, len(shown), in_a_row):
        row = shown[start : start + in_a_row]
        said = [(*(one.caption for one in shot.pictures), shot.note) for shot, _ in row]
        titles = [f"**{_escaped(shot.title)}**" if shot.title else "" for shot, _ in row]
        notes = ["; ".join(_escaped(plain(words)) for words in each if words) for each in said]
        cells = (titles, [pictures for _, pictures in row], notes)
        rows += [each + [""] * (in_a_row - len(row)) for each in cells if any(each)]
    yield _lines_of([""] * in_a_row, rows)


def _pictures(pictures: Sequence[Picture], place: Place) -> str:
    placed = ((_escaped(one.alt), place(one)) for one in pictures)
    return " ".join(f"![{alt}](<{address}>)" for alt, address in placed if address)


def _of_shot(title: str, note: Words) -> str:
    return ": ".join(text for text in (title, plain(note)) if text)


def _rows(titles: Sequence[str], rows: Sequence[Sequence[Words]]) -> str:
    return _lines_of(titles, [[_marked(cell) for cell in row] for row in rows])


def _lines_of(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""

    def line(cells: Sequence[str]) -> str:
        whole = (_BAR.sub(r"\\|", cell).replace("\n", " ") for cell in cells)
        return f"| {' | '.join(whole)} |"

    return "\n".join(map(line, [[_escaped(title) for title in titles], ["---"] * len(titles), *rows]))


def _fenced(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _marked(words: Words) -> str:
    return "".join(_part(part) for part in parts(words))


def _part(part: Part) -> str:
    match part:
        case Code(text):
            ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
            space = " " if text.startswith("`") or text.endswith("`") else ""
            return f"{ticks}{space}{text}{space}{ticks}"
        case Strong(text):
            return f"**{_escaped(text)}**"
        # Which anchors a wiki gives its headings, it alone knows.
        case Link(text, to) if not to.startswith("#"):
            return f"[{_escaped(text)}](<{to}>)"
        case Tag(text):
            return f"*{_escaped(text)}*"
        case _:
            return _escaped(plain(part))


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", plain(text))


def lines(blocks: Sequence[Block], width: int | None) -> Iterator[str]:
    """Blocks as lines for a terminal of a width in cells: what stands out first; of pictures their words."""
    for block in blocks:
        match block:
            case Section(title, inner, lead):
                yield from (_said(title), _said(lead))
                yield from lines(inner, width)
            case Grid(sections):
                yield from lines(sections, width)
            case Headline(value, words):
                yield _said((*parts(value), " ", *parts(words)))
            case Facts(facts):
                yield from _told(("", "", ""), [(f.name, f.value, f.note) for f in facts], width)[1:]
            case Sentence(words):
                yield _said(words)
            case Notes(notes, title):
                yield from (*([_said(title)] if title else ()), *(f"- {_said(note)}" for note in notes))
            case Command(text):
                yield f"  {text}"
            case Table(columns, rows):
                whole = [column.title for column in columns if column.number]
                yield from _told([column.title for column in columns], rows, width, whole)
            case Dots(plot):
                yield from _told(("", ""), [(row.dot.name, row.dot.words) for row in plot.rows], width)[1:]
            case Links(links):
                yield from (_said((link.text, f": {link.to} ", *parts(found))) for link, found in links)
            case Next(steps):
                for step in steps:
                    yield from (_said(step.why), f"  {step.command}")
            case Picture() | Gallery():
                pass


def _told(
    titles: Sequence[str], rows: Sequence[Sequence[Words]], width: int | None, whole: Sequence[str] = ()
) -> list[str]:
    return aligned(titles, [[_said(cell) for cell in row] for row in rows], width, whole=whole)


def _said(words: Words) -> str:
    """Words safe to print, with plain spaces: those that do not break would be spelt out."""
    return printable(plain(words).translate(_PLAIN_SPACES)).rstrip()
