"""Languages: the catalogues say what the code says, and whoever chooses a language gets it everywhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from copy import deepcopy
from string import Formatter

import pytest
from catalogues import OTHERS, SOURCE, Text, calls, kept, lacking, said, template, texts, updated
from rich.cells import cell_len

from dessin.decisions import Decision
from dessin.ending import told as ended
from dessin.errors import DessinError
from dessin.language import (
    FOLDER,
    VARIABLE,
    Phrase,
    phrase_n,
    retold,
    retold_error,
    speaking,
    tr,
    tr_n,
    translations,
)
from dessin.page import blocks as b
from dessin.page.html import document
from dessin.page.numbers import counted, listed
from dessin.page.text import lines, markdown
from dessin.page.words import Strong, plain, told
from dessin.progress import duration
from dessin.verbs import VERBS

every_other = pytest.mark.parametrize("code", OTHERS)


def filled(text: str, with_what: str = "w") -> tuple[str, dict[str, str]]:
    """A text with a word of its own in each place, or a figure where one must be, and these."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    values = {
        name: f"{'7' if name in ('n', 'seconds') else with_what}{number}" for number, name in enumerate(names)
    }
    return text.format(**values), values


def blanks(text: str) -> set[str]:
    """The places of a text, and what the help spells as the command line has it."""
    places = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    return places | set(re.findall(r"`\w+`", text))


@every_other
def test_a_catalogue_is_what_the_tool_writes(code: str) -> None:
    """So every text of the code is in it, and no other: otherwise `make catalogues`."""
    assert (FOLDER / f"{code}.po").read_text(encoding="utf-8") == updated(code)


@every_other
def test_every_text_is_translated(code: str) -> None:
    assert not lacking(code), f"{len(lacking(code))} of {len(texts())}"


@every_other
def test_what_was_kept_in_english_is_told_again_with_all_that_filled_its_places(code: str) -> None:
    """Of whatever text it was made; some are a special case of another, which may say it otherwise."""
    known, exactly = translations(code), 0
    some = sorted(kept() & set(known))
    assert len(some) > 200
    with speaking(code):
        for text in some:
            english, values = filled(text)
            told_again = retold(english)
            assert told_again != english or known[text][0] == text, text
            assert all(value in told_again for value in values.values()), (text, told_again)
            exactly += told_again == known[text][0].format(**values)
    assert exactly > 0.9 * len(some)
    assert retold(filled(some[0])[0]) == filled(some[0])[0], "English stays as it was kept"


def test_clauses_are_told_one_by_one_and_names_stay() -> None:
    kept_text = "no difference larger than 1.2 points; nobody translated this; Wilson on 3 groups"
    refused = DessinError("There is no file x y.csv.", do="Check the path. Nobody translated this.")
    with speaking("ko"):
        clauses = retold(kept_text).split("; ")
        assert clauses[1] == "nobody translated this"
        assert all(re.search("[가-힣]", clauses[place]) for place in (0, 2))
        assert "1.2" in clauses[0]
        assert (
            retold_error(refused)
            == "x y.csv: 그런 파일이 없습니다. 경로를 확인하십시오. Nobody translated this."
        )
        for name in ("cat of mine.png", "images", "alarm clock", "fish, dog", "", "a{b}c"):
            assert retold(name) == name or name in translations("ko")
        assert (
            retold("the best validation accuracy of 3 epochs") == "3에폭 가운데 검증 accuracy가 가장 좋습니다"
        )
    assert retold_error(refused) == str(refused)


def test_what_a_colon_leads_to_may_be_several_clauses() -> None:
    refused = DessinError(
        "cat/1.heic cannot be read: a film or sound, not a picture; 3 of it; you have no permission."
    )
    with speaking("ko"):
        assert retold_error(refused) == (
            "cat/1.heic: 읽을 수 없습니다. 그림이 아니라 동영상이나 소리; 3 of it; 권한이 없습니다."
        )


def test_a_fault_and_a_stop_are_said_in_the_language_that_is_spoken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "ko")
    with pytest.raises(SystemExit), ended("1", ["audit"]):
        raise KeyboardInterrupt("What is trained so far is kept in r: the same command goes on from there.")
    assert capsys.readouterr().err == (
        "dessin: 멈추었습니다. 지금까지 학습한 것은 r에 있습니다. 같은 명령이 거기서 이어 갑니다.\n"
    )
    monkeypatch.setenv(VARIABLE, "xx")
    with pytest.raises(SystemExit), ended("1", ["audit"]):
        raise KeyboardInterrupt
    assert capsys.readouterr().err.startswith("dessin: stopped. Nothing half-written")


def test_a_clause_ends_where_it_ended_and_a_sentence_behind_another_is_found() -> None:
    first, second = "a probe takes about 2 min 0 s, too much of 1 min 0 s", "needs a GPU"
    with speaking("ko"):
        assert retold(first) != first
        assert retold(f"{first}; {second}.") == f"{retold(first)}; {retold(second)}."
        behind = retold("Nobody translated this. classes.txt names neither.")
        assert behind == "Nobody translated this. classes.txt에는 어느 쪽도 없습니다."


def test_a_decision_is_named_in_words_and_a_name_of_others_stays() -> None:
    size, own = (Decision(name, 32, "asked for in the recipe") for name in ("batch_size", "of a_plugin"))
    assert size.line() == "batch_size: 32 (asked for in the recipe)"
    assert size.title == "batch size"
    with speaking("ko"):
        assert size.line() == "배치 크기: 32 (레시피에서 정했습니다)"
        assert own.line() == "of a_plugin: 32 (레시피에서 정했습니다)"


def test_an_f_string_is_a_text_with_places() -> None:
    tree = ast.parse('x = f"{a} of {b.c} is {d()}, {a} {{}}"')
    assert [template(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)] == [
        "{a} of {c} is {v4}, {v6} {{}}"
    ]


@every_other
def test_a_translation_has_the_blanks_of_its_text(code: str) -> None:
    known = translations(code)
    for text in (*texts(), *(kept() & set(known))):
        one, many = (text, text) if isinstance(text, str) else text
        for form in known.get(one, ()):
            assert blanks(form) == blanks(many), text


def test_blanks_that_differ_would_be_seen() -> None:
    assert blanks("{a} of `out`") == {"a", "`out`"} != blanks("{b}: out")


def test_texts_are_found_in_calls_templates_and_docstrings() -> None:
    def of(source: str) -> list[Text]:
        call = ast.parse(source, mode="eval").body
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Name)
        return list(said(call.func.id, call.args))

    assert of('told("a" "b {c}", c=1)') == ["ab {c}"]
    assert of('tr("a" if x else "b")') == ["a", "b"]
    assert of('tr_n("{n} a", "{n} as", 3)') == [("{n} a", "{n} as")]
    assert of('counted(3, "class", "classes")') == [("{n} class", "{n} classes")]
    assert of('counted(3, "a" if x else "b")') == [("{n} a", "{n} as"), ("{n} b", "{n} bs")]
    assert of('print("a")') == of("tr(a)") == []
    assert {"As a CSV", *(verb.sentence for verb in VERBS)} <= set(texts())


def test_a_text_is_a_literal() -> None:
    """Another would be in no catalogue; what comes from a table goes through `translated`."""
    computed = [
        f"{path.stem}: {function}({ast.unparse(arguments[0])})"
        for path in SOURCE.rglob("*.py")
        if path.stem != "language"
        for function, arguments in calls(path)
        if function in ("tr", "tr_n")
        if not list(said(function, arguments))
    ]
    assert not computed


def test_a_phrase_is_english_in_an_error_and_spoken_in_a_sentence_and_on_a_page() -> None:
    with speaking("ko"):
        three = counted(3, "image")
        page = b.Page("t", (three, Strong(three)), (b.Facts((b.Fact("f", three),)), b.Sentence(three)))
        seen = [tr("{n} readable", n=three), plain(told("{n} readable", n=three)), tr_n("{n} a", "{n} b", 2)]
        shown = [document(page), markdown(page), "\n".join(lines(page.blocks, None))]
    assert three == "3 images" == str(DessinError(f"{three}"))
    assert all("이미지 3장" in text and "3 images" not in text for text in (*seen[:2], *shown))
    assert seen[2] == "2 b", "what has no translation keeps the rule of English"


def test_a_phrase_is_whole_after_a_copy_as_other_processes_get_it() -> None:
    with speaking("ko"):
        there = deepcopy(counted(2, "class", "classes"))
    assert isinstance(there, Phrase)
    assert (there, there.spoken) == ("2 classes", "클래스 2개")


@pytest.mark.parametrize(
    ("say", "english", "korean"),
    [
        (lambda: duration(75.2), "1 min 15 s", "1분 15초"),
        (lambda: duration(7.25), "7.2 s", "7.2초"),
        (lambda: duration(4503), "1 h 15 min", "1시간 15분"),
        (lambda: counted(15021, "image"), "15\u202f021 images", "이미지 15\u202f021장"),
        (lambda: listed(["a", "b", "c"]), "a, b and c", "a, b, c"),
        (lambda: listed(list("abcdefgh")), "a, b, c, d, e and 3 more", "a, b, c, d, e 외 3개"),
        (lambda: listed([counted(1, "run"), "x"]), "1 run and x", "실행 1개, x"),
    ],
)
def test_numbers_lists_and_times_are_spoken(say: object, english: str, korean: str) -> None:
    assert callable(say)
    with speaking("ko"):
        assert (said_now := say()) == english
        assert said_now.spoken == korean
    with speaking("en"):
        assert say().spoken == english == phrase_n(english, english, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "variable"),
    [(["--language", "ko", "audit"], ""), (["audit", "--language", "ko"], ""), (["audit"], "ko")],
)
def test_the_help_comes_in_the_language_that_is_asked_for(words: list[str], variable: str) -> None:
    seen = printed([*words, "--help"], variable)
    assert "이미지" in seen
    assert "--predictions" in seen
    assert "Options" not in seen


@pytest.mark.slow
def test_the_help_is_no_wider_than_the_terminal_in_letters_that_take_two_cells() -> None:
    lines = printed(["explain", "--help"], "ko", columns=60).splitlines()
    assert 50 < max(map(cell_len, lines)) <= 60


@pytest.mark.slow
def test_what_is_chosen_for_one_command_is_stronger_than_the_variable() -> None:
    assert "Options:" in printed(["--language", "en", "--help"], "ko")


@pytest.mark.slow
def test_a_language_that_is_not_there_is_said_at_once() -> None:
    assert "dessin does not speak fr (DESSIN_LANGUAGE). It speaks en, ko." in printed(["doctor"], "fr")


def printed(words: list[str], variable: str, columns: int = 200) -> str:
    environment = {**os.environ, VARIABLE: variable, "COLUMNS": str(columns), "PYTHONUTF8": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "dessin", *words],
        capture_output=True,
        text=True,
        env=environment,
        encoding="utf-8",
    )
    return ended.stdout + ended.stderr
