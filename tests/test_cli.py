"""The command line: made from the functions' own signatures and docstrings, fast, and plain to people."""

from __future__ import annotations

import ast
import inspect
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import dessin
from dessin import DessinError, cli, verbs
from dessin.verbs import GROUPS, VERBS, Argument, Verb

pytestmark = pytest.mark.slow

every_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "dessin", *arguments]
    return subprocess.run(words, capture_output=True, text=True, **more)


def called(monkeypatch: pytest.MonkeyPatch, line: str) -> dict[str, Any]:
    """What the function of a command line's verb is called with, `sources` if it takes any number."""
    seen: dict[str, Any] = {}

    def note(*sources: object, **given: object) -> None:
        seen.update(given, sources=sources)

    monkeypatch.setattr(Verb, "function", lambda _: note)
    cli.app.main(shlex.split(line), standalone_mode=False)
    return seen


def params(verb: Verb) -> dict[str, click.Parameter]:
    command = cli.app.commands[verb.name]
    own = command.get_params(click.Context(command))
    return {str(param.name): param for param in own if not {"--help", "--language"} & set(param.opts)}


def least_words(verb: Verb, **given: str) -> list[str]:
    """The shortest command line of a verb that may be right, without its name; `given` are words of it."""
    words: list[str] = []
    for argument in verb.arguments():
        if argument.required or argument.name in given:
            words += [] if argument.positional else [argument.option]
            words.append(given.get(argument.name, fitting(argument)))
    return words


def fitting(argument: Argument) -> str:
    if argument.choices:
        return argument.choices[0]
    if argument.name in cli.WRITTEN:
        return "new"
    return {"recipe": "lite0-128", "file": "mixup"}.get(argument.name, ".")


def shown(*words: str, columns: int) -> str:
    return run(*words, env={**os.environ, "COLUMNS": str(columns)}).stdout


# The table, the functions, the options


def test_a_verb_has_a_name_of_its_own_and_every_group_has_verbs() -> None:
    assert len({verb.name for verb in VERBS}) == len(VERBS) >= 30
    assert {verb.group for verb in VERBS} == set(GROUPS)


@every_verb
def test_what_is_read_from_the_source_is_what_the_function_has(verb: Verb) -> None:
    function = inspect.signature(verb.function()).parameters
    arguments = verb.arguments()
    assert [argument.name for argument in arguments] == list(function)
    for argument, own in zip(arguments, function.values(), strict=True):
        assert ast.dump(ast.parse(argument.annotation)) == ast.dump(ast.parse(own.annotation))
        assert argument.positional == (own.kind is not own.KEYWORD_ONLY)
        assert argument.spread == (own.kind is own.VAR_POSITIONAL)
        if not argument.spread:
            assert argument.required == (own.default is own.empty)
            assert argument.default == (None if argument.required else own.default)


@every_verb
def test_every_option_is_an_argument_and_the_other_way_round_with_the_same_default(verb: Verb) -> None:
    found = params(verb)
    arguments = {argument.name: argument for argument in verb.arguments()}
    assert set(found) == set(arguments)
    given = cli.app.commands[verb.name].make_context(verb.name, least_words(verb)).params
    for name, argument in arguments.items():
        if not argument.required:
            value = str(given[name]) if isinstance(given[name], Path) else given[name]
            assert value == argument.default or (value is None and isinstance(argument.default, tuple))


@every_verb
def test_the_sentence_is_the_docstrings_and_every_argument_is_explained(verb: Verb) -> None:
    assert verb.sentence.endswith(".")
    first = (inspect.getdoc(verb.function()) or "").partition("\n\n")[0]
    assert " ".join(first.replace("`", "").split()) == verb.sentence
    assert all(argument.text.endswith(".") for argument in verb.arguments())


@every_verb
def test_the_example_is_accepted(verb: Verb) -> None:
    program, name, *words = shlex.split(verb.example)
    assert (program, name) == ("dessin", verb.name)
    assert cli.app.commands[name].make_context(name, words)


def test_an_argument_without_an_explanation_would_be_seen() -> None:
    source = 'def f(a: int) -> None:\n    """One.\n\n    Args:\n        b: Text.\n    """'
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert verbs._sections(function)[1] == {"b": "Text."}


# What is typed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("auto . --out o --models a,b", {"models": "a,b", "budget": "15m", "seed": 0}),
        ("demo --out o --classes 6", {"out": Path("o"), "classes": 6}),
        ("scout . --split . --models a,b --out o --executor ray", {"models": "a,b", "executor": "ray"}),
        ("train --set a=1 --set b=[x,y] --folds all", {"overrides": ("a=1", "b=[x,y]"), "folds": "all"}),
        ("vote . . --out o --weights 1,0.5", {"files": (Path(), Path()), "weights": "1,0.5", "rule": "hard"}),
        ("families . --out o --from wordnet --families 3", {"source": "wordnet", "count": 3}),
        ("distill . --student s --out o --no-final", {"final": False, "temperature": 1.0}),
        ("studio --no-browser", {"browser": False}),
        ("report . . --out o", {"sources": (Path(), Path()), "out": Path("o")}),
        ("explain . --out o --images . --images .", {"images": (Path(), Path())}),
        ("runs --where a=1 --where b=2 --sort -a", {"where": ("a=1", "b=2"), "sort": "-a"}),
    ],
)
def test_options_reach_the_function_under_the_names_of_its_arguments(
    line: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = called(monkeypatch, line)
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        "predict . . --out o --top 0",
        "serve . --port 70000",
        "split . --out o --seed -1",
        "soup . --out o --kind cold",
        "audit .",
        "augment lite0-128 --out o --epoch x",
    ],
)
def test_wrong_values_are_wrong_usage(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(click.UsageError):
        called(monkeypatch, line)


def seconds_of_children() -> float:
    """Processor time of the processes that have ended: what else the machine does is not in it."""
    spent = os.times()
    return spent.children_user + spent.children_system


def test_a_path_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    times = []
    for _ in range(3):
        start = seconds_of_children()
        result = run("auto", "nowhere", "--out", "a", cwd=tmp_path)
        times.append(seconds_of_children() - start)
    assert min(times) < 0.3
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"dessin: There is no file or folder {tmp_path / 'nowhere'}. "
        "It was given as DATA: class folders, a CSV, or a contest folder. Check the path.\n"
    )
    assert list(tmp_path.iterdir()) == []


@every_verb
def test_every_path_that_must_be_there_is_looked_for(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    read = [each for each in verb.arguments() if each.name not in cli.WRITTEN]
    paths = [each for each in read if each.words.startswith("a path")]
    for one in paths:
        words = least_words(verb, **{one.name: "nowhere"})
        with pytest.raises(DessinError, match="nowhere"):
            called(monkeypatch, shlex.join([verb.name, *words]))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("families . --out o.csv --from nowhere.csv", "There is no file or folder .*nowhere.csv"),
        ("train lite0-12", "Unknown recipe.*lite0-128"),
        ("train nowhere.yaml", "There is no file or folder .*nowhere.yaml"),
        ("route . --families . --out o --router nowhere.yaml", "nowhere.yaml"),
        ("study mixupp --data . --split .", "Unknown study.*mixup"),
        ("audit . --out .", "--out . names no new folder"),
        ("predict . . --out ..", "--out .. names no new file"),
        ("auto . --out ~/x", "The shell did not put a folder"),
        ("vote . --out /dev/null", "is a device"),
    ],
)
def test_what_leads_nowhere_is_said_before_a_room_is_imported(
    line: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DessinError, match=said):
        called(monkeypatch, line)


def test_a_model_of_the_hub_is_no_path_and_no_drawings_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(monkeypatch, "predict hub:ann/owls . --out p.csv")["model"] == Path("hub:ann/owls")
    with pytest.raises(DessinError, match=r"There is no file or folder .*hub:ann/owls"):
        called(monkeypatch, "audit hub:ann/owls --out a")


def test_an_empty_path_is_a_variable_that_is_not_set_and_never_the_working_folder() -> None:
    for words in (["audit", "", "--out", "x"], ["audit", ".", "--out", ""]):
        result = run(*words)
        assert result.returncode == 2
        assert "is a variable of the shell not set?" in result.stderr


def test_a_choice_that_there_is_not_is_refused_by_the_arguments_name(tmp_path: Path) -> None:
    result = run("fetch", "nope", "--out", "a", cwd=tmp_path)
    assert result.returncode == 2
    assert (
        "Invalid value for 'COLLECTION': 'nope' is not one of 'quickdraw', 'imagenet-sketch'."
        in result.stderr
    )


# How it ends


def test_a_mistake_gives_one_paragraph_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("audit", "empty", "--out", "a", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("dessin: ")
    assert "empty" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "a").exists()


def test_wrong_usage_exits_with_2() -> None:
    result = run("audti")
    assert result.returncode == 2
    assert "Did you mean" in result.stderr
    assert "'audit'" in result.stderr
    assert run("audit").returncode == 2


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "dessin: stopped."),
        (DessinError("No weights.", do="Install them."), 1, "dessin: No weights. Install them.\n"),
    ],
)
def test_how_a_verb_that_stops_ends(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> None:
        raise raised

    function: Callable[..., Any] = stop
    monkeypatch.setattr(Verb, "function", lambda _: function)
    monkeypatch.setattr(sys, "argv", ["dessin", "doctor"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err.lstrip("\n").startswith(said)


# What is shown


def test_help_answers_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from dessin import cli\n"
        "for words in (['--help'], *([name, '--help'] for name in cli.app.commands)):\n"
        "    cli.app.main(words, standalone_mode=False)\n"
        "rooms = {name for name in sys.modules if name.startswith('dessin.')}\n"
        "heavy = {'torch', 'timm', 'numpy', 'cv2', 'PIL', 'pydantic', 'yaml'} & set(sys.modules)\n"
        "print(heavy, sorted(rooms))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    known = [
        "dessin.cli",
        "dessin.ending",
        "dessin.errors",
        "dessin.language",
        "dessin.places",
        "dessin.verbs",
    ]
    assert loaded.stdout.splitlines()[-1] == f"set() {known}"
    for words in (["--help"], ["auto", "--help"]):
        times = []
        for _ in range(3):
            start = seconds_of_children()
            assert run(*words).returncode == 0
            times.append(seconds_of_children() - start)
        assert min(times) < 0.3


@pytest.mark.parametrize("columns", [80, 120])
def test_help_shows_every_verb_in_its_group_with_its_whole_sentence(columns: int) -> None:
    text = shown("--help", columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    places = [text.index(f"\n{title}:\n") for title in GROUPS.values()]
    assert places == sorted(places)
    whole = " ".join(text.split())
    for verb in VERBS:
        assert f" {verb.name} {verb.sentence}" in whole


@pytest.mark.parametrize("columns", [80, 120])
@every_verb
def test_the_help_of_a_verb_is_whole(verb: Verb, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    command = cli.app.commands[verb.name]
    text = command.get_help(click.Context(command, info_name=f"dessin {verb.name}", max_content_width=120))
    whole = " ".join(text.split())
    assert f"{verb.sentence} " in whole
    assert whole.endswith(verb.example)
    assert "`" not in text
    for argument in verb.arguments():
        assert argument.positional or argument.option in text
        assert argument.kind == "switch" or argument.words in whole
    lines = [line for line in text.splitlines() if verb.example not in line]
    assert max(map(len, lines)) <= columns


def test_the_version() -> None:
    assert run("--version").stdout == f"dessin {dessin.__version__}\n"


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_where_the_shell_looks(shell: str, tmp_path: Path) -> None:
    for words in (["--install-completion", shell], ["--install-completion"]):
        home = tmp_path / str(len(words))
        result = run(*words, env={**os.environ, "HOME": str(home), "SHELL": f"/usr/bin/{shell}"})
        assert result.returncode == 0, result.stderr
        (script,) = (path for path in home.rglob("*") if path.is_file())
        assert str(script) in result.stdout
        assert f"_DESSIN_COMPLETE={shell}_complete" in script.read_text()


def test_an_unknown_shell_is_refused(tmp_path: Path) -> None:
    result = run("--install-completion", "tcsh", env={**os.environ, "HOME": str(tmp_path)})
    assert result.returncode == 1
    assert "bash, fish, zsh" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dessin au", {"auto", "audit", "augment"}),
        ("dessin audit --ex", {"--executor"}),
        ("dessin soup --kind ", {"wise"}),
    ],
)
def test_completion_knows_verbs_options_and_choices(words: str, expected: set[str]) -> None:
    asked = {
        "_DESSIN_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    found = {line.partition(",")[2] for line in run(env={**os.environ, **asked}).stdout.splitlines()}
    assert expected <= found
