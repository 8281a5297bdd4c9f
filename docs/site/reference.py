"""The reference of rooms, made from the code: a page a room with the names that cross its wall.

What is public needs no list by hand: a name that another room imports is public, and so is every name of
`EXTRA`. A room without a sentence, or a public name without a definition, is an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from source_code import Module, crossings, first_paragraph, modules, rooms

# Modules that are for people and other packages, and not for other rooms alone: all of their names are shown.
EXTRA = ("dessin.errors", "dessin.verbs", "dessin.plugins", "dessin.trackers", "dessin.testing")
LONGEST = 96


class MissingError(Exception):
    """The reference would lack something; the message says what, and where to write it."""


def room_page(room: str, position: str) -> str:
    """One room: its sentence, and its public names by module."""
    head = modules()[f"dessin.{room}"]
    if not head.summary:
        raise MissingError(f"{head.path.name} of the room {room} has no docstring: its page begins with it.")
    text = [f"# {room}", plain(head.summary), position]
    for module, names in sorted(public_names(room).items()):
        text += [f"## {module}", plain(modules()[module].summary)]
        text += [entry(modules()[module], name) for name in sorted(names, key=str.lower)]
    return "\n\n".join(part for part in text if part) + "\n"


def public_names(room: str) -> Mapping[str, set[str]]:
    """Module → names of a room that other rooms import, or that are for people."""
    found: dict[str, set[str]] = {}
    for module, name in crossings():
        if modules()[module].room == room:
            found.setdefault(module, set()).add(name)
    for module in EXTRA:
        if module in modules() and modules()[module].room == room:
            found.setdefault(module, set()).update(own_names(modules()[module]))
    return found


def own_names(module: Module) -> Iterator[str]:
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name


def entry(module: Module, name: str) -> str:
    """A heading, the signature, and the first paragraph of the docstring."""
    node = module.definition(name)
    if node is None:
        raise MissingError(f"{module.name} hands {name} on: import it from where it is defined.")
    words = ""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        words = first_paragraph(ast.get_docstring(node))
    return "\n\n".join(part for part in (f"### {name}", code(signature(node, name)), plain(words)) if part)


def signature(node: ast.stmt, name: str) -> str:
    """How a definition reads: a function's head, a class with fields and methods, a constant's type."""
    if isinstance(node, ast.FunctionDef):
        return _call(f"def {name}", _arguments(node.args), _returns(node))
    if isinstance(node, ast.ClassDef):
        return "\n".join(_class_lines(node))
    if isinstance(node, ast.AnnAssign):
        return f"{name}: {ast.unparse(node.annotation)}"
    value = ast.unparse(node.value) if isinstance(node, ast.Assign) else ""
    return f"{name} = {value}" if len(value) < LONGEST - len(name) else f"{name} = ..."


def _class_lines(node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    yield f"class {node.name}({bases}):" if bases else f"class {node.name}:"
    shown = 0
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and not ast.unparse(part.target).startswith("_"):
            value = f" = {ast.unparse(part.value)}" if part.value is not None else ""
            line = f"    {ast.unparse(part.target)}: {ast.unparse(part.annotation)}"
            yield line + (value if len(line + value) <= LONGEST else " = ...")
            shown += 1
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and (not part.name.startswith("_") or part.name == "__init__"):
            decorators = {ast.unparse(decorator) for decorator in part.decorator_list}
            if decorators & {"property", "functools.cached_property", "cached_property"}:
                yield f"    {part.name}{_returns(part).replace(' -> ', ': ')}  # read only"
            else:
                yield from (f"    {line}" for line in _method(part, decorators).splitlines())
            shown += 1
    if not shown:
        yield "    ..."


def _method(node: ast.FunctionDef, decorators: set[str]) -> str:
    mark = "".join(f"@{name}\n" for name in sorted(decorators & {"classmethod", "staticmethod"}))
    return mark + _call(f"def {node.name}", _arguments(node.args), _returns(node))


def _arguments(arguments: ast.arguments) -> list[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    shown = [
        _argument(arg, default)
        for arg, default in zip(positional, [*defaults, *arguments.defaults], strict=True)
        if arg.arg not in ("self", "cls")
    ]
    if arguments.vararg is not None:
        shown.append(f"*{_argument(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [
        _argument(arg, default)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return shown


def _argument(arg: ast.arg, default: ast.expr | None) -> str:
    typed = f"{arg.arg}: {ast.unparse(arg.annotation)}" if arg.annotation is not None else arg.arg
    return typed if default is None else f"{typed} = {ast.unparse(default)}"


def _returns(node: ast.FunctionDef) -> str:
    return f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""


def _call(head: str, arguments: list[str], returns: str) -> str:
    line = f"{head}({', '.join(arguments)}){returns}"
    if len(line) <= LONGEST:
        return line
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"{head}(\n{inner}){returns}"


def code(text: str) -> str:
    return f"```python\n{text}\n```"


def plain(text: str) -> str:
    """A docstring's words as Markdown: what is not in backticks means itself."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*_<>\[\]#|\\])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def room_pages() -> dict[str, str]:
    """Name of the page → its Markdown, for each room of the import contract."""
    order = [room for layer in rooms() for room in layer]
    pages = {}
    for index, room in enumerate(order):
        below = f"above `{order[index - 1]}`" if index else "at the ground"
        above = f", below `{order[index + 1]}`" if index + 1 < len(order) else ", at the top"
        pages[f"room-{room}"] = room_page(room, f"In the order of rooms it stands {below}{above}.")
    unknown = {module.room for module in modules().values()} - set(order) - {"dessin", "__main__"}
    if unknown:
        raise MissingError(f"Rooms that the import contract does not list: {', '.join(sorted(unknown))}.")
    return pages


def rooms_index(pages: Mapping[str, str]) -> str:
    """The page that lists all rooms, from the ground up."""
    text = """\
# Rooms

From the ground up: a room imports those above it in this table, never those below. A name is public, and on
its room's page, when another room imports it. [Architecture](../architecture.md) says what crosses, and why.

| room | what is in it |
|---|---|
"""
    for page in pages:
        room = page.removeprefix("room-")
        text += f"| [{room}]({page}.md) | {plain(modules()[f'dessin.{room}'].summary)} |\n"
    return text
