"""The studio's interface texts in the language that the reader chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from dessin.studio.words.english import ENGLISH
from dessin.studio.words.korean import KOREAN

Language = Literal["en", "ko"]
LANGUAGES: Mapping[Language, str] = {"en": "English", "ko": "한국어"}
Table = Mapping[str, str]


@dataclass(frozen=True)
class Texts:
    """`texts("data.title")` is a text; braces in it are filled with the values given."""

    language: Language
    table: Table

    def __call__(self, key: str, /, **values: object) -> str:
        return self.table[key].format(**values)

    def using(self, english: Table, korean: Table) -> Texts:
        """The same language with another pair of tables, for a page that keeps its own."""
        return Texts(self.language, english if self.language == "en" else korean)


def texts_in(language: object) -> Texts:
    """The texts of a language; English where it is none of ours, as a hand-written address may ask."""
    chosen = cast(Language, language) if language in get_args(Language) else "en"
    return Texts(chosen, {}).using(ENGLISH, KOREAN)
