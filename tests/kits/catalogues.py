"""What the code says to people, and the catalogues of other languages brought up to date with it.

`python tests/kits/catalogues.py` (`make catalogues`) keeps the translations, adds new texts with an empty
translation, and drops what the code no longer says.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

from dessin.collection.issues import CHECKS
from dessin.collection.readers.contest import ContestFolder
from dessin.collection.readers.csv_file import LabelCsv
from dessin.collection.readers.folders import ClassFolders
from dessin.collection.readers.groups import WAYS
from dessin.committees.vote.measure import BY_AGREEMENT, BY_ORDER, BY_PROBABILITY
from dessin.decisions import NAMES
from dessin.language import FOLDER, LANGUAGES, translations
from dessin.recipes.verb import TITLES
from dessin.reports.run.measure import IN_TRAINING
from dessin.statistics.headline import METRICS
from dessin.studio.texts import english
from dessin.trust.mistakes.strokes import PROPERTIES
from dessin.trust.robustness.suite import SUITE
from dessin.verbs import GROUPS, VERBS

SOURCE = Path(__file__).parents[2] / "src" / "dessin"
OTHERS = tuple(code for code in LANGUAGES if code != "en")
# Functions whose first argument is a text, and those that have it of one and of several things.
ONE = ("tr", "told", "translated", "phrase")
TWO = ("tr_n", "phrase_n")
# A text, or a pair of texts of one and of several things.
Text = str | tuple[str, str]


@cache
def texts() -> Mapping[Text, str]:
    """Every text, and the file where it is first said."""
    found: dict[Text, str] = {}
    for text, file in chain(_of_modules(), _of_templates(), _of_tables()):
        found.setdefault(text, file)
    # A text of several things is the translation of that of one as well.
    both = {text[0] for text in found if isinstance(text, tuple)}
    return {text: file for text, file in found.items() if text not in both}


def _of_modules() -> Iterator[tuple[Text, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for function, arguments in calls(path):
            yield from ((text, _named(path)) for text in said(function, arguments))


def calls(path: Path) -> list[tuple[str, list[ast.expr]]]:
    """Functions that a module calls by a plain name, and what they are given by place, from the top."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = [node for node in nodes if isinstance(node, ast.Call)]
    found.sort(key=lambda call: (call.lineno, call.col_offset))
    return [(call.func.id, [*call.args, *_units(call)]) for call in found if isinstance(call.func, ast.Name)]


def _units(call: ast.Call) -> list[ast.expr]:
    """What `track` counts, which it has by name."""
    return [each.value for each in call.keywords if each.arg == "unit"]


def said(function: str, arguments: list[ast.expr]) -> Iterator[Text]:
    """The texts that a call has as literals; either of two that a condition chooses from."""
    literals = [list(_literals(argument)) for argument in arguments]
    if function in ONE and literals:
        yield from filter(None, literals[0])
    elif function in TWO and all(literals[:2]):
        yield literals[0][0], literals[1][0]
    elif function == "track":
        yield from chain(*literals[2:])
    elif function == "counted" and len(literals) > 1:
        many = [*(literals[2] if len(literals) > 2 else ()), ""][0]
        for noun in literals[1]:
            yield f"{{n}} {noun}", f"{{n}} {many or f'{noun}s'}"


@cache
def kept() -> frozenset[str]:
    """What the code writes into errors, records and lines, and `retold` can say.

    These are all its texts of several words, with the values of an f-string as places. A catalogue has some
    of them: those that people meet most.
    """
    found: set[str] = set()
    spoken = {part for text in texts() for part in ([text] if isinstance(text, str) else text)}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = template(node)
            if " " in text and text not in spoken:
                found.add(text)
    return frozenset(found)


def template(node: ast.AST) -> str:
    """A text as a literal; of an f-string with its values as places, by their names or else numbered."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts: list[str] = []
    names: set[str] = set()
    for number, part in enumerate(node.values):
        if isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("{", "{{").replace("}", "}}"))
        elif isinstance(part, ast.FormattedValue):
            name = getattr(part.value, "id", getattr(part.value, "attr", ""))
            name = name if name and name not in names else f"v{number}"
            names.add(name)
            parts.append(f"{{{name}}}")
    return "".join(parts)


def _named(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_literals(node.body), *_literals(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _of_templates() -> Iterator[tuple[Text, str]]:
    for path in sorted(SOURCE.rglob("*.html")):
        tree = Environment().parse(path.read_text(encoding="utf-8"))
        for _, _, text in extract_from_ast(tree, ("tr",)):
            if isinstance(text, str):
                yield text, _named(path)


def _of_tables() -> Iterator[tuple[Text, str]]:
    """Texts that `translated` takes from a table; those of the help are the docstrings of the verbs."""
    own = (check for check in CHECKS.values() if type(check).__module__.startswith("dessin."))
    for check in own:
        yield from ((text, "collection/checks") for text in (check.title, check.short, check.summary))
    yield from ((title, "verbs.py") for title in GROUPS.values())
    for metric in METRICS:
        yield from ((text, "statistics") for text in (metric.title, metric.short, metric.note) if text)
    for one in SUITE:
        yield from ((text, "trust/robustness") for text in (one.title, one.meaning))
    for known in PROPERTIES.values():
        told = (known.title, known.lowest, known.highest, known.meaning)
        yield from ((text, "trust/mistakes") for text in told if text)
    yield from ((where, "runs") for where in ("validation", "holdout", *IN_TRAINING))
    yield from ((f"decision: {name}", "decisions.py") for name in NAMES)
    yield from ((title, "recipes") for title in TITLES.values())
    yield from ((way, "committees/vote") for way in (BY_PROBABILITY, BY_AGREEMENT, BY_ORDER))
    yield from ((text, "studio/texts.toml") for text in english().values())
    yield from ((reader.name, "collection/readers") for reader in (ContestFolder, LabelCsv, ClassFolders))
    yield from ((what, "collection/readers") for what in sorted({what for _, what, _ in WAYS}))
    for verb in VERBS:
        file = f"dessin {verb.name} --help"
        yield from ((text, file) for text in verb.texts())


def updated(code: str) -> str:
    """The catalogue as a file: all texts of the code in its order, and what it has of those that are kept."""
    path = FOLDER / f"{code}.po"
    header = path.read_text(encoding="utf-8").partition("\n\n")[0]
    forms, entries, last = translations(code), [header], ""
    # By the alphabet: where each is made is nothing to a translator, and changes.
    more = [(text, "errors, records, lines of a plan") for text in sorted(kept()) if text in forms]
    for text, file in (*texts().items(), *more):
        one, *many = (text,) if isinstance(text, str) else text
        lines = [f"#: {file}"] if file != last else []
        lines += [f"msgid {_quoted(one)}", *(f"msgid_plural {_quoted(each)}" for each in many)]
        found = forms.get(one, ("",))
        lines += [f"msgstr{f'[{n}]' if many else ''} {_quoted(each)}" for n, each in enumerate(found)]
        entries.append("\n".join(lines))
        last = file
    return "\n\n".join(entries) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def lacking(code: str) -> list[Text]:
    """The texts that a catalogue has no translation of."""
    known = translations(code)
    return [text for text in texts() if (text if isinstance(text, str) else text[0]) not in known]


def main() -> None:
    for code in OTHERS:
        text = updated(code)
        (FOLDER / f"{code}.po").write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"{code}: {len(texts())} texts, {len(lacking(code))} without a translation\n")


if __name__ == "__main__":
    main()
