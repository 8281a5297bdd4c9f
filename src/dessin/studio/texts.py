"""The studio's interface texts, by key, in the language that was chosen in it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dessin.language import LANGUAGES, language, speaking, translated
from dessin.page.numbers import number

FILE = Path(__file__).with_name("texts.toml")


@dataclass(frozen=True)
class Texts:
    """`texts("data.title")` is a text; braces in it are filled with the values given, counts with spaces."""

    language: str

    def __call__(self, key: str, /, **values: object) -> str:
        shown = {name: number(value) if isinstance(value, int) else value for name, value in values.items()}
        with speaking(self.language):
            return translated(english()[key]).format(**shown)


def texts_in(asked: object) -> Texts:
    """The texts of a language; where it is none of ours, as an address may ask for any, of dessin's own."""
    return Texts(asked if isinstance(asked, str) and asked in LANGUAGES else language())


@cache
def english() -> Mapping[str, str]:
    """Every text, as `group.key`."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {f"{group}.{key}": text for group, held in tables.items() for key, text in held.items()}
