"""What importing dessin brings: every verb as a function, whatever was imported before."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dessin
from dessin.page.notebook import Shown
from dessin.verbs import VERBS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def output(code: str, **environment: str) -> str:
    """What a fresh interpreter prints; a value of "" takes a variable away."""
    variables = {key: value for key, value in {**os.environ, **environment}.items() if value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("given", "found"), [("", "2000"), ("77", "77")])
def test_waiting_threads_give_the_core_away(given: str, found: str) -> None:
    assert output("import dessin, os; print(os.environ['GOMP_SPINCOUNT'])", GOMP_SPINCOUNT=given) == found


def test_every_verb_is_a_function_even_after_every_module_was_imported() -> None:
    """Rooms such as dessin.audit have the name of a verb, and importing one puts it into the package."""
    code = """
import importlib, pkgutil, types
import dessin
for module in pkgutil.walk_packages(dessin.__path__, "dessin."):
    if not module.name.endswith(("__main__", "studio.app")):
        importlib.import_module(module.name)
from dessin import audit, auto, fetch, runs, studio
from dessin.verbs import VERBS
for verb in VERBS:
    assert isinstance(getattr(dessin, verb.name), types.FunctionType), verb.name
    assert getattr(dessin, verb.name) is verb.function()
assert (audit, runs) == (dessin.audit, dessin.runs)
"""
    assert output(code) == ""


def test_a_room_with_the_name_of_a_verb_can_still_be_imported() -> None:
    code = "import dessin.audit.verb; from dessin.audit import verb; from dessin import audit"
    assert output(f"{code}; print(audit is verb.audit)") == "True"


def test_importing_dessin_loads_no_room_and_dir_shows_every_verb() -> None:
    rooms = "sorted(name for name in sys.modules if name.startswith('dessin.'))"
    assert output(f"import sys, dessin; dir(dessin); print({rooms})") == "['dessin.errors', 'dessin.verbs']"
    own = {"DessinError", "__version__", "load", "quiet"}
    assert set(dir(dessin)) == own | {verb.name for verb in VERBS}
    with pytest.raises(AttributeError, match="audti"):
        getattr(dessin, "audti")  # noqa: B009


def test_importing_dessin_costs_next_to_nothing() -> None:
    """Well under 0.15 s of a processor on any machine: no room is loaded, and nothing of others."""
    code = "import time; begun = time.process_time(); import dessin; print(time.process_time() - begun)"
    assert min(float(output(code)) for _ in range(3)) < 0.15


def test_load_is_a_function_beside_the_verbs() -> None:
    from dessin.serving.model import load

    assert dessin.load is load


def test_a_client_needs_no_torch() -> None:
    code = "import sys, dessin.serving.client; print({'torch', 'fastapi', 'numpy'} & set(sys.modules))"
    assert output(code) == "set()"


def test_the_first_page_of_the_studio_needs_no_torch() -> None:
    code = "import sys, dessin.studio.app, dessin.studio.views.start; print('torch' in sys.modules)"
    assert output(code) == "False"


def test_what_verbs_return_shows_itself() -> None:
    """But for those that serve until they are stopped; a study's dry run has no result."""
    for verb in VERBS:
        answer = verb.function().__annotations__["return"]
        names = [name.partition("[")[0] for name in answer.split(" | ") if name != "None"]
        assert names or verb.name in ("serve", "studio")
        assert all(issubclass(getattr(sys.modules[verb.home], name), Shown) for name in names), verb.name


def test_a_star_brings_every_verb() -> None:
    names: dict[str, object] = {}
    exec("from dessin import *", names)
    assert {verb.name for verb in VERBS} | {"DessinError"} <= set(names)


def test_type_checkers_see_every_verb_where_it_lives() -> None:
    tree = ast.parse((ROOT / "src" / "dessin" / "verbs.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module, alias.name, alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(verb.home, verb.name, verb.name) for verb in VERBS}


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "dessin.__version__"}
