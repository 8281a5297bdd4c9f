"""The source read without importing it: its modules, the rooms in their order, and who imports which name."""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Module:
    """A module of the package by its dotted name."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.split(".")[1] if "." in self.name else self.name

    @property
    def summary(self) -> str:
        """The first paragraph of its docstring."""
        return first_paragraph(ast.get_docstring(self.tree))

    @property
    def lines(self) -> int:
        return len(self.path.read_text(encoding="utf-8").splitlines())

    def definition(self, name: str) -> ast.stmt | None:
        """The statement at the top of the module that gives a name its meaning."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return node
            if isinstance(node, ast.Assign) and any(name in _targets(target) for target in node.targets):
                return node
            if isinstance(node, ast.AnnAssign) and name in _targets(node.target):
                return node
        return None


def _targets(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


@functools.cache
def modules() -> Mapping[str, Module]:
    found = {}
    for path in sorted((SOURCE / "dessin").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def rooms() -> tuple[tuple[str, ...], ...]:
    """The layers of the import contract, the ground first; rooms of one layer do not know each other."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = contract["contracts"][0]["layers"]
    return tuple(
        tuple(name.strip().removeprefix("dessin.") for name in layer.split("|")) for layer in reversed(layers)
    )


def imports() -> Iterator[tuple[Module, str, str]]:
    """(who, module, name) for each name that a module takes from another one; "" for a whole module."""
    known = modules()
    for module in known.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ImportFrom) or node.module not in known:
                continue
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (module, whole, "") if whole in known else (module, node.module, alias.name)


def crossings() -> Mapping[tuple[str, str], frozenset[str]]:
    """What is public: each (module, name) that another room imports, and which rooms these are."""
    found: dict[tuple[str, str], set[str]] = {}
    for who, module, name in imports():
        if name not in ("", "*") and modules()[module].room != who.room:
            found.setdefault((module, name), set()).add(who.room)
    return {key: frozenset(users) for key, users in found.items()}
