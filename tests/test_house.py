"""The house: every room is in the contract, no room has a circle between its parts, none is a fifth of it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
LARGEST_SHARE = 0.2


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in (SOURCE / "dessin").rglob("*.py")}
PACKAGES = sorted({name.rpartition(".")[0] for name in MODULES} - {"", "dessin"})


def imported(path: Path) -> Iterator[str]:
    """Modules of dessin that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dessin"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


IMPORTS = {name: set(imported(path)) for name, path in MODULES.items()}


def parts_of(package: str, imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Which of a package's direct parts import which other ones."""
    prefix = f"{package}."
    graph: dict[str, set[str]] = {}
    for name, targets in imports.items():
        if name.startswith(prefix):
            part = name.removeprefix(prefix).split(".")[0]
            others = {t.removeprefix(prefix).split(".")[0] for t in targets if t.startswith(prefix)}
            graph.setdefault(part, set()).update(others - {part})
    return graph


@pytest.mark.parametrize("package", PACKAGES)
def test_the_parts_of_a_room_form_no_circle(package: str) -> None:
    try:
        TopologicalSorter(parts_of(package, IMPORTS)).prepare()
    except CycleError as error:
        pytest.fail(f"{package}: {' -> '.join(reversed(error.args[1]))}")


def test_a_circle_would_be_found() -> None:
    imports = {"dessin.a.x": {"dessin.a.y.z"}, "dessin.a.y.z": {"dessin.b"}, "dessin.a.y": {"dessin.a.x"}}
    with pytest.raises(CycleError):
        TopologicalSorter(parts_of("dessin.a", imports)).prepare()


def test_the_contract_lists_every_room() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    listed = {name.strip() for layer in contract["contracts"][0]["layers"] for name in layer.split("|")}
    rooms = {".".join(name.split(".")[:2]) for name in MODULES} - {"dessin", "dessin.__main__"}
    assert listed == rooms


def test_no_room_holds_a_fifth_of_the_code() -> None:
    lines: dict[str, int] = {}
    for name, path in MODULES.items():
        room = ".".join(name.split(".")[:2])
        lines[room] = lines.get(room, 0) + len(path.read_text(encoding="utf-8").splitlines())
    largest = max(lines, key=lines.__getitem__)
    assert lines[largest] <= LARGEST_SHARE * sum(lines.values()), largest


def names_of(path: Path) -> set[str]:
    """What a module defines or imports at its top, also under a condition."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_imports_what_there_is(path: Path) -> None:
    """Benchmarks are run by hand, so nothing else would notice that a name has moved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dessin."):
            assert node.module in MODULES, node.module
            known = names_of(MODULES[node.module])
            for alias in node.names:
                assert alias.name in known or f"{node.module}.{alias.name}" in MODULES, alias.name
