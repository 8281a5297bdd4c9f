"""Blocks as text: Markdown for a wiki or a notebook, and lines for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    Table,
)
from dessin.page.tables import aligned
from dessin.page.words import Code, Link, Note, Part, Strong, Tag, Words, parts, plain

# What Markdown would take for markup, in the letters of a text.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~])")
# A bar ends a cell, also within code.
_BAR = re.compile(r"(?<!\\)\|")
_DEEPEST = 6


def markdown(page: Page) -> str:
    """A page as Markdown. Of pictures it has the words alone; charts and dots are tables."""
    lines = [f"# {_escaped(page.title)}", _marked(page.lead), *_blocks(page.blocks, 2), _marked(page.footer)]
    return "\n\n".join(line for line in lines if line) + "\n"


def _blocks(blocks: Sequence[Block], level: int) -> Iterator[str]:
    for block in blocks:
        yield from _block(block, level)


def _block(block: Block, level: int) -> Iterator[str]:
    match block:
        case Section(title, blocks, lead, _, tags):
            mark = "#" * min(level, _DEEPEST)
            yield " ".join([mark, _escaped(title), *(_marked(tag) for tag in tags)]) if title else ""
            yield _marked(lead)
            yield from _blocks(blocks, level + 1)
        case Grid(sections):
            yield from _blocks(sections, level)
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
            yield _rows(("", ""), [((row.dot.name, Note(row.dot.note)), row.dot.words) for row in plot.rows])
        case Picture(_, alt, caption):
            yield f"*{_escaped(plain(caption) or alt)}*"
        case Gallery(shots):
            yield "\n".join(f"- {_escaped(_of_shot(shot.title, shot.note))}" for shot in shots)
        case Links(links):
            yield "\n".join(f"- {_marked(link)} {_marked(found)}" for link, found in links)
        case Next(steps):
            for step in steps:
                yield _marked(step.why)
                yield _fenced(step.command)


def _of_shot(title: str, note: Words) -> str:
    return ": ".join(text for text in (title, plain(note)) if text)


def _rows(titles: Sequence[str], rows: Sequence[Sequence[Words]]) -> str:
    def line(cells: Sequence[str]) -> str:
        whole = (_BAR.sub(r"\\|", cell).replace("\n", " ") for cell in cells)
        return f"| {' | '.join(whole)} |"

    written = [line([_marked(cell) for cell in row]) for row in rows]
    return "\n".join([line([_escaped(title) for title in titles]), line(["---"] * len(titles)), *written])


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
        case Link(text, to):
            return f"[{_escaped(text)}](<{to}>)"
        case Tag(text):
            return f"*{_escaped(text)}*"
        case _:
            return _escaped(plain(part))


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def lines(blocks: Sequence[Block], width: int | None) -> Iterator[str]:
    """Blocks as lines for a terminal of a width in cells: what stands out first; of pictures their words."""
    for block in blocks:
        match block:
            case Section(title, inner, lead):
                yield from (title, plain(lead))
                yield from lines(inner, width)
            case Grid(sections):
                yield from lines(sections, width)
            case Headline(value, words):
                yield f"{value} {words}"
            case Facts(facts):
                yield from aligned(("", "", ""), [(f.name, f.value, plain(f.note)) for f in facts], width)[1:]
            case Sentence(words):
                yield plain(words)
            case Notes(notes, title):
                yield from (title, *(f"- {plain(note)}" for note in notes))
            case Command(text):
                yield f"  {text}"
            case Table(columns, rows):
                titles = [column.title for column in columns]
                yield from aligned(titles, [[plain(cell) for cell in row] for row in rows], width)
            case Dots(plot):
                yield from aligned(("", ""), [(row.dot.name, row.dot.words) for row in plot.rows], width)[1:]
            case Links(links):
                yield from (f"{link.text}: {link.to} {plain(found)}".rstrip() for link, found in links)
            case Next(steps):
                for step in steps:
                    yield from (plain(step.why), f"  {step.command}")
            case Picture() | Gallery():
                pass
