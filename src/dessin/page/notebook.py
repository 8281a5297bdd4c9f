"""A page as a notebook shows it: HTML where there is a browser, Markdown where there is none."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.page.blocks import Page
from dessin.page.html import fragment
from dessin.page.text import markdown


@dataclass(frozen=True)
class Display:
    """What a cell of a notebook ends with to show a page."""

    page: Page

    def _repr_html_(self) -> str:
        return fragment(self.page)

    def _repr_markdown_(self) -> str:
        return markdown(self.page)
