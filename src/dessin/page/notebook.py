"""What a verb returns, as a notebook shows it: a short line, a page, rows for a data frame, a picture."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from dessin.errors import DessinError, install_command, unknown
from dessin.files import write_bytes
from dessin.language import tr
from dessin.page.blocks import Block, Column, Dots, Gallery, Page, Picture, Sentence, Table, walk
from dessin.page.numbers import number
from dessin.page.words import plain

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")
# Rows of some kind by their name: values with fields, mappings, or a mapping of such by name.
Tables: TypeAlias = "Iterator[tuple[str, Sequence[Any] | Mapping[str, Any]]]"
_SHOWN_ROWS, _LINE = 12, 160
_RELATIVE: Final = re.compile(r'href="(?![#/]|\w+:)')
_CHARTS: Final = ("chart", "sheet")


@dataclass(frozen=True)
class Plot:
    """A picture of a page: shown by a notebook, and saved as a file. `kind` is png, jpeg, webp or svg."""

    data: bytes
    kind: str
    title: str = ""

    def __repr__(self) -> str:
        return f"Plot({self.title or 'a picture'}, {self.kind}, {len(self.data):,} bytes)"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.data).decode("ascii")
        media = f"image/{self.kind}{'+xml' if self.kind == 'svg' else ''}"
        return f'<img style="max-width:100%;background:#fff" src="data:{media};base64,{data}">'

    def save(self, path: str | Path) -> Path:
        """Write it as it is.

        Raises:
            DessinError: the name does not end in the picture's kind.
        """
        target = Path(path)
        if target.suffix.lower().replace(".jpg", ".jpeg") != f".{self.kind}":
            raise DessinError(f"{target} would be a picture of the kind {self.kind}.", do="Name it so.")
        write_bytes(target, self.data)
        return target


class Shown:
    """What a verb returns. A notebook shows its page; of what has none yet, its rows.

    `TABLE` names the field whose rows are the data frame, where there are several.
    """

    TABLE: ClassVar[str] = ""

    def with_page(self, page: Page | Callable[[], Page], home: str | Path | None = None) -> Self:
        """Itself, with the page that it is shown as; `home` is the folder that the page's links start from.

        A page that takes long to make is given as a function, which is called when it is looked at.
        """
        # Beside the fields, so that equality, files and copies know nothing of it.
        self.__dict__["_page"], self.__dict__["_home"] = page, home
        return self

    def with_words(self, title: str, *lines: str) -> Self:
        """Itself, shown as a few lines, the first of which is the answer, over its rows."""

        def page() -> Page:
            said = tuple(Sentence(line) for line in lines[1:] if line)
            return Page(title, lines[0] if lines else "", (*said, *self.rows_as_table()))

        return self.with_page(page)

    def as_page(self) -> Page:
        """The page that a notebook shows."""
        page: Page | Callable[[], Page] | None = self.__dict__.get("_page")
        if page is None:
            lead = ", ".join(f"{number(len(rows))} {name or tr('rows')}" for name, rows in self._tables())
            return Page(type(self).__name__, lead, self.rows_as_table())
        if callable(page):
            page = self.__dict__["_page"] = page()
        return page

    def __repr__(self) -> str:
        page = self.as_page()
        said = " ".join(f"{plain(page.title)}. {plain(page.lead)}".split())
        kind = type(self).__name__
        said = f"{kind}: {said.removeprefix(f'{kind}. ')}"
        return said if len(said) <= _LINE else f"{said[: _LINE - 1]}…"

    def _repr_html_(self) -> str:
        # Here: a result that nobody looks at in a notebook needs no templates.
        from dessin.page.html import fragment

        home = self.__dict__.get("_home")
        html = fragment(self.as_page())
        return _RELATIVE.sub(f'href="{quote(Path(home).as_posix())}/', html) if home is not None else html

    def to_markdown(self) -> str:
        """The page as Markdown, its pictures in words."""
        from dessin.page.text import markdown

        return markdown(self.as_page())

    def to_frame(self, table: str = "") -> pd.DataFrame:
        """Rows as a pandas data frame; a value with an interval has the columns NAME, NAME_low, NAME_high.

        Args:
            table: Which rows, where there are several kinds; by default the main ones.

        Raises:
            DessinError: no such rows, or pandas is not installed.
        """
        rows = self._records(table)
        try:
            import pandas as pd
        except ImportError:
            do = f"Install with {install_command('notebook')}"
            raise DessinError("A data frame needs pandas, which is not installed.", do=do) from None
        return pd.DataFrame(rows)

    def plot(self, which: int = 0) -> Plot:
        """A picture of the page: its charts first, then its drawings.

        Raises:
            DessinError: it has no such picture.
        """
        found = sorted(_pictures(self.as_page().blocks), key=lambda block: not _is_chart(block))
        if not 0 <= which < len(found):
            seen = f"{type(self).__name__} has {len(found)} pictures, and number {which} was asked for."
            raise DessinError(seen, do="Count from 0." if found else "Its page says what there is.")
        return _plot(found[which])

    def _tables(self) -> Tables:
        """Every kind of rows: the name of its field, and what is in it; the main ones first."""
        names = [name for name in _names(self) if _is_rows(getattr(self, name, None))]
        for name in sorted(names, key=lambda name: name != self.TABLE):
            yield name, getattr(self, name)

    def _records(self, table: str) -> list[dict[str, Any]]:
        """The rows of a data frame."""
        tables = dict(self._tables())
        if table and table not in tables:
            raise unknown("table", table, tables)
        rows = tables[table] if table else next(iter(tables.values()), ())
        if isinstance(rows, Mapping):
            return [{"name": str(name)} | _flat(row) for name, row in rows.items()]
        return [_flat(row) for row in rows]

    def rows_as_table(self) -> tuple[Block, ...]:
        """The first of its main rows, for a page; none where there are none."""
        rows = self._records("")
        if not rows:
            return ()
        columns = [name for name in rows[0] if not name.endswith(("_low", "_high"))]
        cells = tuple(tuple(_cell(row, name) for name in columns) for row in rows[:_SHOWN_ROWS])
        numbers = {name for name in columns if isinstance(rows[0][name], int | float)}
        more = len(rows) - len(cells)
        note = tr("{n} more: to_frame() has all of them.", n=number(more)) if more else ""
        return (Table(tuple(Column(name, name in numbers) for name in columns), cells, note),)


class ShownTuple(Shown, tuple[Item, ...]):
    """Several things that a verb found, in their order."""

    def _tables(self) -> Tables:
        yield "", tuple(self)


class ShownList(Shown, list[Item]):
    """The same for a list."""

    def _tables(self) -> Tables:
        yield "", tuple(self)


class ShownDict(Shown, dict[str, str]):
    """Findings by name."""

    def _tables(self) -> Tables:
        yield "", dict(self)


# A path of this system: before Python 3.12 `Path` itself cannot be a base.
if TYPE_CHECKING:
    _SystemPath = Path
else:
    _SystemPath = type(Path())


class ShownPath(Shown, _SystemPath):
    """A file or folder that a verb wrote: a path like any other."""

    def _tables(self) -> Tables:
        yield from ()

    def __repr__(self) -> str:
        return f"Path({str(self)!r})"


def _names(thing: object) -> Sequence[str]:
    if isinstance(thing, BaseModel):
        return tuple(type(thing).model_fields)
    return tuple(field.name for field in fields(thing)) if is_dataclass(thing) else ()


def _is_row(value: object) -> bool:
    return (is_dataclass(value) and not isinstance(value, type)) or isinstance(value, BaseModel)


def _is_rows(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(_is_row(each) for each in value.values())
    return isinstance(value, tuple | list) and bool(value) and all(map(_is_row, value))


def _flat(row: object) -> dict[str, Any]:
    """A row as columns; what lies within it has dotted names, and an interval two columns more."""
    if isinstance(row, Mapping):
        return dict(row)
    if not _is_row(row):
        return {"value": row}
    flat: dict[str, Any] = {}
    for name in _names(row):
        value = getattr(row, name)
        if all(hasattr(value, part) for part in ("value", "low", "high")):
            flat |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        elif _is_row(value):
            flat |= {f"{name}.{inner}": each for inner, each in _flat(value).items()}
        else:
            flat[name] = str(value) if isinstance(value, str | Path) else value
    return flat


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if isinstance(value, float) and f"{name}_low" in row:
        return f"{value:.4g} [{row[f'{name}_low']:.4g}, {row[f'{name}_high']:.4g}]"
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _pictures(blocks: Sequence[Block]) -> Iterator[Dots | Picture]:
    for block in walk(blocks):
        if isinstance(block, Dots) or (isinstance(block, Picture) and block.source):
            yield block
        elif isinstance(block, Gallery):
            yield from (picture for shot in block.shots for picture in shot.pictures if picture.source)


def _is_chart(block: Dots | Picture) -> bool:
    return isinstance(block, Dots) or block.kind in _CHARTS


def _plot(block: Dots | Picture) -> Plot:
    from dessin.page.pictures import dots_data_uri

    source = dots_data_uri(block.plot) if isinstance(block, Dots) else block.source
    head, _, data = source.partition(";base64,")
    kind = head.removeprefix("data:image/").partition("+")[0]
    return Plot(base64.b64decode(data), kind, "" if isinstance(block, Dots) else block.alt)
