"""The interface texts: the same in both languages, and none that a page asks for is missing."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import dessin.studio as room
from dessin.collection.issues import ISSUE_KINDS
from dessin.studio.texts import texts_in
from dessin.studio.views.issue_list import SECTIONS
from dessin.studio.words.english import ENGLISH
from dessin.studio.words.korean import KOREAN

ROOT = Path(str(room.__file__)).parent
OWN = [path for path in ROOT.rglob("*.py") if "try_it" not in path.parts]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def asked(path: Path) -> Iterator[ast.expr]:
    """The first argument of every call of `texts(...)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "texts":
            yield node.args[0]


def test_both_languages_have_every_text_with_the_same_blanks() -> None:
    assert ENGLISH.keys() == KOREAN.keys()
    assert {key: fields(text) for key, text in ENGLISH.items()} == {k: fields(t) for k, t in KOREAN.items()}
    same = [key for key in ENGLISH if ENGLISH[key] == KOREAN[key]]
    assert same == []


def test_every_text_is_hangul_in_korean() -> None:
    assert [key for key, text in KOREAN.items() if not any("가" <= c <= "힣" for c in text)] == []


def test_pages_ask_for_texts_that_are_there_and_all_are_asked_for() -> None:
    whole, begun = set(), set()
    for path in OWN:
        for key in asked(path):
            if isinstance(key, ast.Constant):
                whole.add(key.value)
            elif isinstance(key, ast.JoinedStr):
                begun.add(str(getattr(key.values[0], "value", "")))
    whole |= {"runs.accuracy", "runs.loss"}
    assert whole <= ENGLISH.keys()
    assert begun
    assert all(start and any(key.startswith(start) for key in ENGLISH) for start in begun)
    unused = [key for key in ENGLISH if key not in whole and not key.startswith(tuple(begun))]
    assert unused == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_texts_with_computed_names_are_there(language: str) -> None:
    texts = texts_in(language)
    shown = [kind for kinds in SECTIONS.values() for kind in kinds]
    assert set(shown) < set(ISSUE_KINDS)
    for kind in shown:
        assert texts(f"issue.{kind}")
    for section in SECTIONS:
        assert texts(f"data.{section}")
        assert texts(f"data.explain_{section}")
    for verdict in ("better", "worse", "no difference", "cannot tell", "no result"):
        assert texts(f"verdict.{verdict}")
    for kind in ("gain found", "no gain", "undecided", "unfinished"):
        assert texts(f"studies.{kind}")


@pytest.mark.parametrize("asked_for", [None, "", "fr", "../ko", "KO"])
def test_an_unknown_language_is_english(asked_for: object) -> None:
    assert texts_in(asked_for).language == "en"
    assert texts_in("ko")("frame.data") == KOREAN["frame.data"]
