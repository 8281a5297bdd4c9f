"""The studio's interface texts: one file a language in `languages/`, each found by itself."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from dessin.page.numbers import number

ENGLISH = "en"
FOLDER: Traversable = files("dessin.studio").joinpath("languages")


@dataclass(frozen=True)
class Texts:
    """`texts("data.title")` is a text; braces in it are filled with the values given, counts with spaces."""

    language: str
    table: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        shown = {name: number(value) if isinstance(value, int) else value for name, value in values.items()}
        return self.table[key].format(**shown)


@cache
def languages() -> Mapping[str, str]:
    """Each language's code and its own name for itself; English is the first."""
    found = (file.name.partition(".toml") for file in FOLDER.iterdir())
    codes = sorted((code for code, ending, _ in found if ending), key=lambda code: (code != ENGLISH, code))
    return {code: texts_of(code)["name"] for code in codes}


def texts_in(language: object) -> Texts:
    """The texts of a language, English where it lacks one or is none of ours: an address may ask for any."""
    code = language if isinstance(language, str) and language in languages() else ENGLISH
    return Texts(code, {**texts_of(ENGLISH), **texts_of(code)})


@cache
def texts_of(language: str) -> Mapping[str, str]:
    """What the file of a language has: its `name`, and its texts as `group.key`."""
    tables = tomllib.loads(FOLDER.joinpath(f"{language}.toml").read_text(encoding="utf-8"))
    texts = {"name": tables.pop("name")}
    for group, held in tables.items():
        texts |= {f"{group}.{key}": text for key, text in held.items()}
    return texts
