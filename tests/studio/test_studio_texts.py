"""The interface texts: none that a page asks for is missing. Their translations are in the catalogues."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dessin.collection.issues import CHECKS
from dessin.language import LANGUAGES, VARIABLE
from dessin.studio import texts as module
from dessin.studio.plain import as_label
from dessin.studio.texts import english, texts_in
from dessin.studio.views.issue_list import SECTIONS

ROOT = Path(module.__file__).parent
ENGLISH = english()


def asked(path: Path) -> Iterator[ast.expr]:
    """The first argument of every call of `texts(...)`; of a choice between two, both."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "texts":
            key = node.args[0]
            yield from (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,)


def test_counts_are_written_as_everywhere() -> None:
    assert texts_in("en")("runs.count", shown=1234, total=5678) == "1\u202f234 of 5\u202f678 runs"


def test_pages_ask_for_texts_that_are_there_and_all_are_asked_for() -> None:
    whole, begun = set(), set()
    for path in ROOT.rglob("*.py"):
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


@pytest.mark.parametrize("code", LANGUAGES)
def test_texts_with_computed_names_are_there(code: str) -> None:
    texts = texts_in(code)
    shown = [name for name, check in CHECKS.items() if check.section in SECTIONS]
    assert set(CHECKS) - set(shown) == {"mode_differs", "photograph"}
    for section in SECTIONS:
        assert texts(f"data.{section}")
        assert texts(f"data.explain_{section}")
    for verdict in ("better", "worse", "no difference", "cannot tell", "no result"):
        assert texts(f"verdict.{verdict}")
    for kind in ("gain found", "no gain", "undecided", "unfinished"):
        assert texts(f"studies.{kind}")


@pytest.mark.parametrize("asked_for", [None, "", "fr", "../ko", "KO", ["ko"]])
def test_an_unknown_language_is_that_of_dessin(asked_for: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "en")
    assert texts_in(asked_for)("frame.data") == "Data"
    assert texts_in("ko")("frame.data") == "데이터"
    monkeypatch.setenv(VARIABLE, "ko")
    assert texts_in(asked_for)("frame.data") == "데이터"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("ring05.png", "ring05.png"),
        ("anna_1 (2).png", "anna_1 (2).png"),
        ("_x_ a*b* $x$ :red[y]", r"\_x\_ a\*b\* \$x\$ \:red\[y\]"),
        ("1. cat", r"1\. cat"),
        ("- a->b--c", r"\- a-\>b\-\-c"),
        ("www.x.org", r"www\.x.org"),
    ],
)
def test_names_are_marked_only_where_they_would_be_markdown(text: str, label: str) -> None:
    assert as_label(text) == label
