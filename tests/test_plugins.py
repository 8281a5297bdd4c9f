"""Entries of other packages: found by name, loaded when used, and refused by name where they cannot be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from plugin_kit import install

from dessin import plugins
from dessin.augmentation.ops import OPS, bind_op
from dessin.errors import DessinError
from dessin.plugins import Table, plugin_packages


@dataclass(frozen=True)
class Pen:
    name: str
    width: int = 1


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, into which packages can be installed."""
    monkeypatch.syspath_prepend(tmp_path)
    plugins._found.cache_clear()
    yield tmp_path
    plugins._found.cache_clear()
    for module in [name for name in sys.modules if name.startswith("pens_")]:
        del sys.modules[module]


def pens() -> Table[Pen]:
    return Table("op", Pen, (Pen("fountain"), Pen("ball")))


SOURCE = "from test_plugins import Pen\nWAX = Pen('wax', 9)\nINK = Pen('ink')\n"


def test_a_package_is_imported_when_its_entry_is_used_and_not_before(site: Path) -> None:
    install(site, "pens-wax", {"op.wax": "pens_wax:WAX"}, {"pens_wax.py": SOURCE})
    table = pens()
    assert (list(table), len(table), "wax" in table, "chalk" in table) == (
        ["fountain", "ball", "wax"],
        3,
        True,
        False,
    )
    assert "pens_wax" not in sys.modules
    assert table["wax"].width == 9
    assert table["wax"] is table["wax"]
    assert "pens_wax" in sys.modules
    assert plugin_packages() == {"pens-wax": "1.0"}
    with pytest.raises(KeyError):
        table["chalk"]


def test_own_entries_come_first_and_others_by_name(site: Path) -> None:
    install(site, "pens-b", {"op.ink": "pens_b:INK"}, {"pens_b.py": SOURCE})
    install(site, "pens-a", {"op.wax": "pens_a:WAX"}, {"pens_a.py": SOURCE})
    assert [pen.name for pen in pens().values()] == ["fountain", "ball", "ink", "wax"]


@pytest.mark.parametrize(
    ("entries", "source", "words"),
    [
        ({"op.wax": "pens_bad:WAX"}, "import nowhere_at_all", ["pens-bad 1.0", "nowhere_at_all"]),
        ({"op.wax": "pens_bad:WAX"}, "raise SystemError('out of wax')", ["out of wax", '"op.wax"']),
        ({"op.wax": "pens_bad:CHALK"}, SOURCE, ["pens-bad 1.0", "CHALK"]),
        ({"op.wax": "pens_bad:WAX"}, "WAX = 3", ["it is a int", "test_plugins.Pen", "'wax'"]),
        ({"op.chalk": "pens_bad:WAX"}, SOURCE, ["it is 'wax'", "named 'chalk'"]),
        ({"op.ball": "pens_bad:WAX"}, SOURCE, ["the op ball is dessin's own"]),
        ({"ops.wax": "pens_bad:WAX"}, SOURCE, ["pens-bad 1.0", '"ops"', 'Did you mean "op"?']),
    ],
)
def test_what_cannot_be_used_is_named_with_its_package(
    site: Path, entries: dict[str, str], source: str, words: list[str]
) -> None:
    install(site, "pens-bad", entries, {"pens_bad.py": source})
    with pytest.raises(DessinError) as error:
        dict(pens())
    for word in words:
        assert word in str(error.value)


def test_two_packages_cannot_have_one_name(site: Path) -> None:
    for name in ("a", "b"):
        install(site, f"pens-{name}", {"op.wax": f"pens_{name}:WAX"}, {f"pens_{name}.py": SOURCE})
    with pytest.raises(DessinError, match=r"pens-a 1\.0 has the op wax as well"):
        list(pens())


def test_the_nearest_name_may_be_a_plugins(site: Path) -> None:
    source = (
        "from dessin.augmentation.ops import strength\n"
        "from dessin.augmentation.spec import Act, OpSpec\n"
        "SMUDGE = OpSpec('smudge', 'smear', (strength('pixels', 9),), Act('smudge', pixels='pens_x:f'))\n"
    )
    install(site, "pens-x", {"op.smudge": "pens_x:SMUDGE"}, {"pens_x.py": source})
    assert OPS["smudge"].summary == "smear"
    assert bind_op("smudge(4)").values == (4.0,)
    with pytest.raises(DessinError, match='Did you mean "smudge"'):
        bind_op("smugde(4)")
