"""Blocks as HTML: one template, one stylesheet. Everything is escaped, and nothing is loaded from outside."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from html import unescape
from importlib import resources
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from dessin.files import write_text
from dessin.folders import final_place
from dessin.language import language, spoken, tr
from dessin.page.blocks import Block, Page, Section, Table
from dessin.page.words import Bar, Code, Link, Note, Part, Strong, Tag, Words, parts

# The page of a result, in its folder.
PAGE_FILE: Final = "index.html"
# So many sections are named at the top.
_MANY = 5
# Where a row of letters is so long already, and between a long name and what follows its colon.
_LONG = re.compile(r"(?<=\S{30})(?=\S)|(?<=\w{12}:)(?=\w)")
# Within so many letters a page says its title, and that it is one of dessin.
_HEAD = 4096
_OURS = '<meta name="generator" content="dessin">'
# So many folders above a page may hold one that it leads back to.
_ABOVE = 4
# Pages that lead to what is written now, with their titles; they may be written last.
_homes: ContextVar[Mapping[Path, str] | None] = ContextVar("homes", default=None)


def document(page: Page) -> str:
    """A page as a file of its own."""
    return _template("document").render(page=page, contents=_contents(page), language=language())


def write_page(path: Path, page: Page) -> None:
    """Write a page as a file, whole or not at all; it leads back to the homes of the folders above it."""
    write_text(path, document(replace(page, trail=(*_homes_above(path), *page.trail))))


@contextmanager
def leading_back(home: Path, title: str) -> Iterator[None]:
    """Inside, pages that are written below the folder of `home` lead back to it, which may come last."""
    token = _homes.set({**(_homes.get() or {}), home.resolve(): title})
    try:
        yield
    finally:
        _homes.reset(token)


def _homes_above(path: Path) -> Iterator[Link]:
    """The pages of the folders above, the uppermost first, as links from a page at `path`."""
    page, coming = final_place(path.resolve()), _homes.get() or {}
    for folder in reversed(page.parents[:_ABOVE]):
        home = folder / PAGE_FILE
        if home != page and (title := coming.get(home) or _title(home, ours=True)):
            yield Link(title, quote(Path(os.path.relpath(home, page.parent)).as_posix()))


def pages_below(folder: Path, page: Path) -> tuple[tuple[Link, Words], ...]:
    """The other pages in a folder and in those in it, as links from `page`: their titles, where they lie."""
    here = page.absolute().parent
    found = (each for pattern in ("*.html", "*/*.html") for each in sorted(folder.absolute().glob(pattern)))
    others = [
        (each, Path(os.path.relpath(each, here)).as_posix()) for each in found if each != page.absolute()
    ]
    return tuple((Link(_title(each) or place, quote(place)), Note(place)) for each, place in others)


def _title(page: Path, *, ours: bool = False) -> str:
    """What a page calls itself; empty where it says nothing, is not there, or (`ours`) is none of dessin."""
    try:
        with page.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD)
    except OSError:
        return ""
    found = re.search("<title>(.*?)</title>", head, re.DOTALL) if _OURS in head or not ours else None
    return unescape(found[1]).strip() if found else ""


def fragment(page: Page) -> str:
    """A page as a piece of another document, such as a notebook: its style reaches nothing else."""
    return _template("fragment").render(page=page, contents=(), language=language())


def piece(block: Block) -> str:
    """A block by itself, for a page of another maker that has `dots.css`."""
    return _template("piece").render(block=block, language=language())


def _contents(page: Page) -> tuple[Section, ...]:
    """The sections that a long page names at its top."""
    found = tuple(block for block in page.blocks if isinstance(block, Section) and block.anchor)
    return found if len(found) >= _MANY else ()


def words_as_html(words: Words) -> Markup:
    """Text with its parts, escaped."""
    return Markup("").join(_part(part) for part in parts(words))


def _part(part: Part) -> Markup:
    match part:
        case str():
            return _breakable(part)
        case Code(text):
            return Markup("<code>{}</code>").format(text)
        case Strong(text):
            return Markup("<b>{}</b>").format(_breakable(text))
        case Tag(text, tone):
            return Markup('<span class="tag {}">{}</span>').format(tone, text)
        case Link(text, to):
            return Markup('<a href="{}">{}</a>').format(to, _breakable(text))
        case Note(text):
            return Markup("<small>{}</small>").format(_breakable(text))
        case Bar(share, words, low, high):
            ends = Markup("")
            if low is not None and high is not None:
                ends = Markup('<u style="left:{};width:{}"></u>').format(
                    _per_cent(low), _per_cent(high - low)
                )
            bar = Markup('<span class="share" role="img" aria-label="{}"><i style="width:{}"></i>{}</span>')
            return bar.format(words, _per_cent(share), ends)


def _breakable(text: str) -> Markup:
    """Text escaped; a row of letters that would be wider than a column may be broken."""
    return Markup("<wbr>").join(_LONG.split(text))


def _csv_address(table: Table) -> str:
    data = base64.b64encode(table.csv().encode("utf-8-sig")).decode("ascii")
    return f"data:text/csv;charset=utf-8;base64,{data}"


def _kind(thing: object) -> str:
    return type(thing).__name__.lower()


def _unknown(thing: object, _: int) -> NoReturn:
    raise TypeError(f"{_kind(thing)} is no block")


def _per_cent(share: float) -> str:
    """A place on a line from 0 to 1, for the stylesheet."""
    return f"{100 * share:.3f}%"


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("dessin.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: spoken(value) if isinstance(value, str) else value,
    )
    environment.filters |= {"words": words_as_html, "kind": _kind, "at": _per_cent, "csv": _csv_address}
    # The stylesheets are our own files, so they are not escaped.
    files = (resources.files("dessin.page") / name for name in ("page.css", "dots.css"))
    stylesheet = Markup("\n").join(Markup(file.read_text(encoding="utf-8")) for file in files)
    environment.globals |= {"stylesheet": stylesheet, "tr": tr, "unknown": _unknown}
    return environment.get_template(f"{name}.html")
