"""The one table of verbs, of which the command line, `dessin.NAME` and the reference are made.

A verb's sentence and arguments are read from its signature and docstring as they are written, without
importing its room (torch takes seconds). In a signature `Annotated[..]` says what a plain type cannot:
"--set" is how the command line spells the argument, "from 1" or "from 0 to 9" bounds a number, other words
name the type.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

# What type checkers and editors see of `dessin.NAME`; nothing of it is imported when dessin runs.
if TYPE_CHECKING:
    from dessin.audit.verb import audit as audit
    from dessin.auto.doctor import doctor as doctor
    from dessin.auto.verb import auto as auto
    from dessin.collection.curation import curate as curate
    from dessin.collection.split.verb import split as split
    from dessin.committees.distill.verb import distill as distill
    from dessin.committees.ensemble.verb import ensemble as ensemble
    from dessin.committees.families.verb import families as families
    from dessin.committees.route.verb import route as route
    from dessin.committees.soup.verb import soup as soup
    from dessin.committees.vote.verb import vote as vote
    from dessin.doodles.verb import demo as demo
    from dessin.fetch.verb import fetch as fetch
    from dessin.fetch.weights import weights as weights
    from dessin.labelling.verb import label as label
    from dessin.packs.collect import collect as collect
    from dessin.packs.pack import pack as pack
    from dessin.recipes.verb import recipes as recipes
    from dessin.reports.compare.verb import compare as compare
    from dessin.reports.verb import report as report
    from dessin.runs.augment import augment as augment
    from dessin.runs.listing.verb import runs as runs
    from dessin.runs.queue import queue as queue
    from dessin.runs.scout import scout as scout
    from dessin.runs.train import train as train
    from dessin.serving.api.verb import serve as serve
    from dessin.serving.export.verb import export as export
    from dessin.serving.predict import predict as predict
    from dessin.serving.push.verb import push as push
    from dessin.serving.submit import submit as submit
    from dessin.studies.verb import study as study
    from dessin.studio.verb import studio as studio
    from dessin.trust.card.verb import card as card
    from dessin.trust.confidence.verb import calibrate as calibrate
    from dessin.trust.evaluate.verb import evaluate as evaluate
    from dessin.trust.explain.verb import explain as explain
    from dessin.trust.mistakes.verb import mistakes as mistakes
    from dessin.trust.whole.verb import trust as trust

Group = Literal["look", "train", "combine", "understand", "use", "keep"]

GROUPS: Final[dict[Group, str]] = {
    "look": "Look at the drawings",
    "train": "Train",
    "combine": "Combine models",
    "understand": "Understand a model",
    "use": "Use a model",
    "keep": "Keep track",
}

# What a type can be on the command line: how it is read, and in words.
_KINDS: Final[dict[str, tuple[str, str]]] = {
    "bool": ("switch", "a switch"),
    "int": ("whole number", "a whole number"),
    "float": ("number", "a number"),
    "str": ("text", "text"),
    "str | float": ("text", "text or a number"),
    "str | Path": ("path", "a path"),
    "str | Sequence[str]": ("text", "names with commas"),
    "str | Sequence[int]": ("text", "numbers with commas"),
    "str | Sequence[float]": ("text", "numbers with commas"),
}


@dataclass(frozen=True)
class Argument:
    """One argument of a verb: `option` is how the command line spells it, `words` are its type for people."""

    name: str
    option: str
    annotation: str
    kind: str
    words: str
    text: str
    positional: bool
    many: bool
    spread: bool
    choices: tuple[str, ...]
    least: int | None
    most: int | None
    required: bool
    default: Any


@dataclass(frozen=True)
class Verb:
    """One public function; `example` is a command line."""

    name: str
    home: str
    group: Group
    example: str

    @cached_property
    def sentence(self) -> str:
        """The first paragraph of the docstring, found without parsing: the help shows those of all verbs."""
        found = re.search(rf'^def {self.name}\(.*?"""(.*?)("""|\n\n)', self._text, re.MULTILINE | re.DOTALL)
        return " ".join(found[1].replace("`", "").split()) if found else ""

    def function(self) -> Callable[..., Any]:
        """The function itself; its room is imported now."""
        function: Callable[..., Any] = getattr(import_module(self.home), self.name)
        return function

    def description(self) -> tuple[str, ...]:
        """The paragraphs that the docstring has between its first sentence and the arguments."""
        text = _sections(self._definition())[0]
        return tuple(" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph)

    def texts(self) -> Iterator[str]:
        """Every text that the help shows of it."""
        yield from (self.sentence, *self.description())
        for each in self.arguments():
            yield each.text
            if not (each.choices or each.least is not None):
                yield str(each.words)

    def arguments(self) -> tuple[Argument, ...]:
        """The arguments, in the order of the signature; nothing is imported."""
        node = self._definition()
        texts, given = _sections(node)[1], node.args
        defaults = [None] * (len(given.args) - len(given.defaults)) + given.defaults
        rows = [(each, default, "place") for each, default in zip(given.args, defaults, strict=True)]
        rows += [(given.vararg, None, "places")] if given.vararg else []
        rows += [
            (each, value, "name") for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        ]
        return tuple(_argument(each, default, by, texts.get(each.arg, "")) for each, default, by in rows)

    @property
    def _text(self) -> str:
        path = Path(__file__).parent.joinpath(*self.home.split(".")[1:]).with_suffix(".py")
        return path.read_text(encoding="utf-8")

    def _definition(self) -> ast.FunctionDef:
        for node in ast.parse(self._text).body:
            if isinstance(node, ast.FunctionDef) and node.name == self.name:
                return node
        raise LookupError(f"{self.home} has no function {self.name}")


def _sections(node: ast.FunctionDef) -> tuple[str, dict[str, str]]:
    """The paragraphs after a docstring's first one, and the texts of its `Args:` by name."""
    _, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
    body, *sections = re.split(r"^(Args|Raises|Returns):\n", rest, flags=re.MULTILINE)
    texts = dict(zip(sections[::2], sections[1::2], strict=True)).get("Args", "")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", texts, re.MULTILINE)
    return body.strip(), {name: " ".join(text.split()) for name, text in entries}


def _argument(node: ast.arg, default: ast.expr | None, by: str, text: str) -> Argument:
    """An argument that is given by its place, by any number of places, or by its name."""
    assert node.annotation is not None
    plain, notes = node.annotation, []
    if isinstance(plain, ast.Subscript) and ast.unparse(plain.value) == "Annotated":
        assert isinstance(plain.slice, ast.Tuple)
        plain, *noted = plain.slice.elts
        notes = [ast.literal_eval(note) for note in noted]
    members = _members(plain)
    # One path alone may be given for several; a text alone would be names with commas.
    several = re.fullmatch(r"(?:str \| Path \| )?Sequence\[(.*)\]", " | ".join(members))
    kind = several[1] if several else " | ".join(members)
    choices = ast.literal_eval(kind.removeprefix("Literal")) if kind.startswith("Literal") else []
    read, words = ("text", "") if choices else _KINDS[kind]
    bounds = next(filter(None, (re.fullmatch(r"from (\d+)(?: to (\d+))?", note) for note in notes)), None)
    named = [note for note in notes if note.startswith("--")]
    told = [note for note in notes if not note.startswith(("--", "from "))]
    return Argument(
        name=node.arg,
        option=named[0] if named else f"--{node.arg.replace('_', '-')}",
        annotation=ast.unparse(node.annotation),
        kind=read,
        words=_in_words(told[0] if told else words, choices, bounds),
        text=text,
        positional=by != "name",
        many=by == "places" or several is not None,
        spread=by == "places",
        choices=tuple(choices),
        least=int(bounds[1]) if bounds else None,
        most=int(bounds[2]) if bounds and bounds[2] else None,
        required=default is None,
        default=None if default is None else ast.literal_eval(default),
    )


def _in_words(words: str, choices: Sequence[str], bounds: re.Match[str] | None) -> str:
    # Not at the top: `import dessin` loads this table, and no more.
    from dessin.language import phrase

    if choices:
        return phrase("one of {choices}", choices="|".join(choices))
    if bounds and bounds[2]:
        return phrase("a whole number from {least} to {most}", least=bounds[1], most=bounds[2])
    return phrase("a whole number from {least}", least=bounds[1]) if bounds else phrase(words)


def _members(node: ast.expr) -> list[str]:
    """The members of a union that can be typed on a command line, as they are written."""
    if isinstance(node, ast.BinOp):
        return _members(node.left) + _members(node.right)
    typed = r"str|Path|int|float|bool|Literal\[.*\]|Sequence\[(str|int|float|str \| Path)\]"
    text = ast.unparse(node)
    return [text] if re.fullmatch(typed, text) else []


# Where a verb lives, and an example, which names it; in the order of the help.
_TABLE: Final[dict[Group, tuple[tuple[str, str], ...]]] = {
    "look": (
        ("dessin.auto.verb", "dessin auto drawings --out result --budget 15m"),
        ("dessin.doodles.verb", "dessin demo --out demo-out"),
        ("dessin.audit.verb", "dessin audit drawings --out audit"),
        ("dessin.collection.curation", "dessin curate drawings --issues audit/issues.csv --out curation.csv"),
        (
            "dessin.collection.split.verb",
            "dessin split drawings --curation curation.csv --folds 5 --holdout 0.2 --out split.csv",
        ),
        ("dessin.labelling.verb", "dessin label drawings --classes cat,dog --out labels.csv"),
        ("dessin.fetch.verb", "dessin fetch quickdraw --classes cat,house --per-class 30 --out drawings"),
    ),
    "train": (
        (
            "dessin.runs.scout",
            "dessin scout drawings --split split.csv --models mobilenetv3_small_100,resnet18 --out scout",
        ),
        ("dessin.fetch.weights", "dessin weights tiny_vit_21m_224.dist_in22k_ft_in1k"),
        ("dessin.recipes.verb", "dessin recipes --copy my-recipes"),
        ("dessin.runs.augment", "dessin augment lite0-128 --data drawings --out preview.png"),
        ("dessin.runs.train", "dessin train lite0-128 --data drawings --split split.csv --out runs/first"),
        ("dessin.studies.verb", "dessin study mixup --data drawings --split split.csv"),
    ),
    "combine": (
        ("dessin.committees.vote.verb", "dessin vote a.csv b.csv c.csv --out voted.csv"),
        ("dessin.committees.ensemble.verb", "dessin ensemble runs/lite0 runs/lite2 runs/gray --out best"),
        ("dessin.committees.soup.verb", "dessin soup runs/a runs/b runs/c --out soup"),
        ("dessin.committees.families.verb", "dessin families runs/lite0 --out families.csv"),
        ("dessin.committees.route.verb", "dessin route runs/lite0 --families families.csv --out routed"),
        ("dessin.committees.distill.verb", "dessin distill best --student tf_efficientnet_lite0 --out small"),
    ),
    "understand": (
        ("dessin.trust.whole.verb", "dessin trust runs/first --out trust"),
        ("dessin.trust.evaluate.verb", "dessin evaluate runs/first --holdout --out runs/first-holdout"),
        ("dessin.reports.compare.verb", "dessin compare runs/first runs/second"),
        ("dessin.trust.explain.verb", "dessin explain runs/first --images new-drawings --out maps"),
        ("dessin.trust.mistakes.verb", "dessin mistakes runs/first --out mistakes"),
        ("dessin.trust.confidence.verb", "dessin calibrate runs/first --out confidence --write"),
        ("dessin.trust.card.verb", "dessin card runs/first --out card.html"),
    ),
    "use": (
        ("dessin.serving.predict", "dessin predict runs/first new.png more-drawings --out predictions.csv"),
        ("dessin.serving.submit", "dessin submit runs/first contest --out submission.csv"),
        ("dessin.serving.export.verb", "dessin export best --int8 --out best-onnx"),
        ("dessin.serving.api.verb", "dessin serve best-onnx --port 8000"),
        ("dessin.serving.push.verb", "dessin push result anna/owls-and-cats --dry-run"),
        ("dessin.studio.verb", "dessin studio result"),
    ),
    "keep": (
        ("dessin.runs.listing.verb", 'dessin runs . --where "accuracy>0.4" --sort -accuracy'),
        ("dessin.runs.queue", "dessin queue --address 10.0.0.5:6379"),
        ("dessin.packs.pack", "dessin pack runs/first studies/mixup --out anna.dsn"),
        ("dessin.packs.collect", "dessin collect anna.dsn ben.dsn --into team"),
        ("dessin.reports.verb", "dessin report studies/mixup studies/losses runs/first --out wrap-up.html"),
        ("dessin.auto.doctor", "dessin doctor"),
    ),
}

VERBS: Final[tuple[Verb, ...]] = tuple(
    Verb(example.split()[1], home, group, example) for group, rows in _TABLE.items() for home, example in rows
)
