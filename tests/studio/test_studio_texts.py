"""The interface texts: the same in both languages, and none that a page asks for is missing."""

from __future__ import annotations

import ast
import shutil
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from dessin.collection.issues import CHECKS
from dessin.studio import texts as module
from dessin.studio.texts import languages, texts_in, texts_of
from dessin.studio.views.issue_list import SECTIONS

ROOT = Path(module.__file__).parent
ENGLISH, KOREAN = texts_of("en"), texts_of("ko")
OTHERS = [code for code in languages() if code != "en"]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def asked(path: Path) -> Iterator[ast.expr]:
    """The first argument of every call of `texts(...)`; of a choice between two, both."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "texts":
            key = node.args[0]
            yield from (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,)


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_every_text_with_the_same_blanks(code: str) -> None:
    theirs = texts_of(code)
    assert ENGLISH.keys() == theirs.keys()
    assert {key: fields(text) for key, text in ENGLISH.items()} == {k: fields(t) for k, t in theirs.items()}
    assert [key for key in ENGLISH if ENGLISH[key] == theirs[key]] == []


def test_a_language_is_one_file_and_what_it_lacks_is_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "languages", tmp_path / "languages")
    (tmp_path / "languages" / "fr.toml").write_text('name = "Français"\n[frame]\ndata = "Données"\n')
    monkeypatch.setattr(module, "FOLDER", tmp_path / "languages")
    languages.cache_clear()
    try:
        assert languages() == {"en": "English", "fr": "Français", "ko": "한국어"}
        assert (texts_in("fr")("frame.data"), texts_in("fr")("frame.runs")) == ("Données", "Runs")
    finally:
        languages.cache_clear()
        texts_of.cache_clear()


def test_counts_are_written_as_everywhere() -> None:
    assert texts_in("en")("runs.count", shown=1234, total=5678) == "1\u202f234 of 5\u202f678 runs"


def test_every_text_is_hangul_in_korean() -> None:
    assert [key for key, text in KOREAN.items() if not any("가" <= c <= "힣" for c in text)] == []


def test_pages_ask_for_texts_that_are_there_and_all_are_asked_for() -> None:
    whole, begun = set(), set()
    for path in ROOT.rglob("*.py"):
        for key in asked(path):
            if isinstance(key, ast.Constant):
                whole.add(key.value)
            elif isinstance(key, ast.JoinedStr):
                begun.add(str(getattr(key.values[0], "value", "")))
    whole |= {"runs.accuracy", "runs.loss", "name"}
    assert whole <= ENGLISH.keys()
    assert begun
    assert all(start and any(key.startswith(start) for key in ENGLISH) for start in begun)
    unused = [key for key in ENGLISH if key not in whole and not key.startswith(tuple(begun))]
    assert unused == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_texts_with_computed_names_are_there(language: str) -> None:
    texts = texts_in(language)
    shown = [name for name, check in CHECKS.items() if check.section in SECTIONS]
    assert set(CHECKS) - set(shown) == {"mode_differs", "photograph"}
    for kind in shown:
        assert texts(f"issue.{kind}")
    for section in SECTIONS:
        assert texts(f"data.{section}")
        assert texts(f"data.explain_{section}")
    for verdict in ("better", "worse", "no difference", "cannot tell", "no result"):
        assert texts(f"verdict.{verdict}")
    for kind in ("gain found", "no gain", "undecided", "unfinished"):
        assert texts(f"studies.{kind}")


@pytest.mark.parametrize("asked_for", [None, "", "fr", "../ko", "KO", ["ko"]])
def test_an_unknown_language_is_english(asked_for: object) -> None:
    assert texts_in(asked_for).language == "en"
    assert texts_in("ko")("frame.data") == KOREAN["frame.data"]
