"""Where several may be given, one alone is one: a text is never taken for its letters."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import dessin
from dessin.errors import DessinError
from dessin.ops import as_paths, as_texts
from dessin.verbs import VERBS, Argument, Verb

# What reads them: names splits at commas as well.
READERS = {"as_paths", "as_texts", "names"}
SEVERAL = [(verb, each) for verb in VERBS for each in verb.arguments() if each.many and not each.spread]


def test_one_and_a_row_of_one_are_the_same() -> None:
    assert as_texts("ab") == as_texts(["ab"]) == as_texts(("ab",)) == ("ab",)
    assert as_paths("a/b") == as_paths(Path("a/b")) == as_paths(["a/b"]) == [Path("a/b")]
    assert as_texts(()) == ()
    assert as_paths([]) == []


@pytest.mark.parametrize(("verb", "each"), SEVERAL, ids=lambda one: one.name)
def test_every_argument_of_several_is_read_so(verb: Verb, each: Argument) -> None:
    """By the signatures of all verbs: the argument goes through one of the readers before anything else."""
    calls = [
        node for node in ast.walk(ast.parse(inspect.getsource(verb.function()))) if isinstance(node, ast.Call)
    ]
    read = {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) in READERS and call.args}
    assert each.name in read
    assert each.kind != "path" or each.annotation.startswith("str | Path | Sequence[")


@pytest.mark.parametrize("name", ["compare", "ensemble", "families", "soup", "vote"])
def test_a_path_alone_is_named_whole(name: str, tmp_path: Path) -> None:
    verb = getattr(dessin, name)
    out = tmp_path / ("out.csv" if name in ("families", "vote") else "out")
    said = []
    for given in (str(tmp_path / "nowhere"), tmp_path / "nowhere", [tmp_path / "nowhere"]):
        with pytest.raises(DessinError) as error:
            verb(given, out=out)
        said.append(str(error.value))
    assert said[0] == said[1] == said[2]
