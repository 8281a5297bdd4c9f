"""The one table of verbs, of which the command line, `dessin.NAME` and the reference are made.

A verb's arguments are read from its signature and docstring as they are written, without importing its room
(torch takes seconds). In a signature `Annotated[..]` says what a plain type cannot: "--set" is how the
command line spells the argument, "from 1" or "from 0 to 9" bounds a number, other words name the type.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

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
    """One public function: `sentence` is also the first one of its docstring, `example` a command line."""

    name: str
    home: str
    group: Group
    sentence: str
    example: str

    def function(self) -> Callable[..., Any]:
        """The function itself; its room is imported now."""
        function: Callable[..., Any] = getattr(import_module(self.home), self.name)
        return function

    def description(self) -> str:
        """What the docstring says between its first sentence and the arguments."""
        return _sections(self._definition())[0]

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

    def _definition(self) -> ast.FunctionDef:
        path = Path(__file__).parent.joinpath(*self.home.split(".")[1:]).with_suffix(".py")
        for node in ast.parse(path.read_bytes()).body:
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
    several = re.fullmatch(r"Sequence\[(.*)\]", " | ".join(members))
    kind = several[1] if several else " | ".join(members)
    choices = ast.literal_eval(kind.removeprefix("Literal")) if kind.startswith("Literal") else []
    read, words = ("text", f"one of {'|'.join(choices)}") if choices else _KINDS[kind]
    bounds = next(filter(None, (re.fullmatch(r"from (\d+)(?: to (\d+))?", note) for note in notes)), None)
    named = [note for note in notes if note.startswith("--")]
    told = [note for note in notes if not note.startswith(("--", "from "))]
    return Argument(
        name=node.arg,
        option=named[0] if named else f"--{node.arg.replace('_', '-')}",
        annotation=ast.unparse(node.annotation),
        kind=read,
        words=told[0] if told else f"{words} {bounds[0]}" if bounds else words,
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


def _members(node: ast.expr) -> list[str]:
    """The members of a union that can be typed on a command line, as they are written."""
    if isinstance(node, ast.BinOp):
        return _members(node.left) + _members(node.right)
    typed = r"str|Path|int|float|bool|Literal\[.*\]|Sequence\[(str|int|float|str \| Path)\]"
    text = ast.unparse(node)
    return [text] if re.fullmatch(typed, text) else []


# Where a verb lives, its sentence and its example, in the order of the help.
_TABLE: Final[dict[Group, tuple[tuple[str, str, str], ...]]] = {
    "look": (
        (
            "dessin.auto.verb:auto",
            "Go the whole path on your own drawings: audit, curate, split, scout, train, evaluate, report.",
            "dessin auto drawings --out result --budget 15m",
        ),
        (
            "dessin.doodles.verb:demo",
            "Go the whole path offline on generated doodles, and check that every planted fault is found.",
            "dessin demo --out demo-out",
        ),
        (
            "dessin.audit.verb:audit",
            "Look at every image for damage, copies and odd ones out; with predictions at the labels too.",
            "dessin audit drawings --out audit",
        ),
        (
            "dessin.collection.curation:curate",
            "Turn an audit's issues into a file that keeps, drops or relabels images without touching them.",
            "dessin curate drawings --issues audit/issues.csv --out curation.csv",
        ),
        (
            "dessin.collection.split.verb:split",
            "Deal the images into folds and a locked holdout, with copies and groups always on one side.",
            "dessin split drawings --curation curation.csv --folds 5 --holdout 0.2 --out split.csv",
        ),
        (
            "dessin.fetch.verb:fetch",
            "Fetch a public collection of drawings as class folders, with its licence.",
            "dessin fetch quickdraw --classes cat,house --per-class 30 --out drawings",
        ),
    ),
    "train": (
        (
            "dessin.runs.scout:scout",
            "Rank backbones by a probe on their features, with intervals and speed.",
            "dessin scout drawings --split split.csv --models mobilenetv3_small_100,resnet18 --out scout",
        ),
        (
            "dessin.recipes.verb:recipes",
            "List the recipes and studies that come with dessin, each with the figure to expect.",
            "dessin recipes --copy my-recipes",
        ),
        (
            "dessin.runs.augment:augment",
            "Draw what a recipe's augmentation does to drawings, and measure how much each op changes.",
            "dessin augment lite0-128 --data drawings --out preview.png",
        ),
        (
            "dessin.runs.train:train",
            "Train a model by a recipe, so that a run that was killed and resumed ends with the same bytes.",
            "dessin train lite0-128 --data drawings --split split.csv --out runs/first",
        ),
        (
            "dessin.studies.verb:study",
            "Carry out runs that differ in one factor, and say what follows from them.",
            "dessin study mixup --data drawings --split split.csv",
        ),
    ),
    "combine": (
        (
            "dessin.committees.vote.verb:vote",
            "Join the answers of any tools by image id, and let them vote.",
            "dessin vote a.csv b.csv c.csv --out voted.csv",
        ),
        (
            "dessin.committees.ensemble.verb:ensemble",
            "Choose members among runs, and say what that gains on drawings that the choice did not see.",
            "dessin ensemble runs/lite0 runs/lite2 runs/gray --out best",
        ),
        (
            "dessin.committees.soup.verb:soup",
            "Average the weights of runs that share a start into one model, and say what that gains.",
            "dessin soup runs/a runs/b runs/c --out soup",
        ),
        (
            "dessin.committees.families.verb:families",
            "Propose which classes belong together, and say what a router and experts could give at most.",
            "dessin families runs/lite0 --out families.csv",
        ),
        (
            "dessin.committees.route.verb:route",
            "Train a router over families and experts inside them, and say whether they pay.",
            "dessin route runs/lite0 --families families.csv --out routed",
        ),
        (
            "dessin.committees.distill.verb:distill",
            "Teach one small model what a committee says, and measure what that costs and brings.",
            "dessin distill best --student tf_efficientnet_lite0 --out small",
        ),
    ),
    "understand": (
        (
            "dessin.trust.evaluate.verb:evaluate",
            "Measure accuracy, top-5, macro-F1 and loss with intervals, each class, and what is confused.",
            "dessin evaluate runs/first --holdout --out runs/first-holdout",
        ),
        (
            "dessin.reports.compare.verb:compare",
            "Compare models on the same images, with intervals, and say what this design could have seen.",
            "dessin compare runs/first runs/second",
        ),
        (
            "dessin.trust.explain.verb:explain",
            "Show where a model looks by a map over each drawing, and how faithful these maps are.",
            "dessin explain runs/first --images new-drawings --out maps",
        ),
        (
            "dessin.trust.mistakes.verb:mistakes",
            "Write the atlas of mistakes: classes, confused pairs with maps, and what goes with failure.",
            "dessin mistakes runs/first --out mistakes",
        ),
        (
            "dessin.trust.confidence.verb:calibrate",
            "Measure how far a model's confidence can be trusted, and when it should say that it is unsure.",
            "dessin calibrate runs/first --out confidence --write",
        ),
        (
            "dessin.trust.card.verb:card",
            "Write the trust card: on one page what was measured of a model, and what nobody has tested.",
            "dessin card runs/first --out card.html",
        ),
    ),
    "use": (
        (
            "dessin.serving.predict:predict",
            "Name the class of images, with probabilities, and say where the model is unsure.",
            "dessin predict runs/first new.png more-drawings --out predictions.csv",
        ),
        (
            "dessin.serving.submit:submit",
            "Write a contest's submission, checked before it is written.",
            "dessin submit runs/first contest --out submission.csv",
        ),
        (
            "dessin.serving.export.verb:export",
            "Write a model as ONNX, checked against torch on real drawings before it is kept.",
            "dessin export best --int8 --out best-onnx",
        ),
        (
            "dessin.serving.api.verb:serve",
            "Answer HTTP requests with a model: post an image, get its class.",
            "dessin serve best-onnx --port 8000",
        ),
        (
            "dessin.studio.verb:studio",
            "Open the studio: data, runs, studies and mistakes to look at, and a page to draw on.",
            "dessin studio result",
        ),
    ),
    "keep": (
        (
            "dessin.runs.listing.verb:runs",
            "Show the runs below a folder as a table: filtered, sorted, with the columns you ask for.",
            'dessin runs . --where "accuracy>0.4" --sort -accuracy',
        ),
        (
            "dessin.reports.verb:report",
            "Write one page that a person wants to read: about a run, or about studies and a final run.",
            "dessin report studies/mixup studies/losses runs/first --out wrap-up.html",
        ),
        (
            "dessin.auto.doctor:doctor",
            "Say what this machine has: device, precision, versions and weights.",
            "dessin doctor",
        ),
    ),
}

VERBS: Final[tuple[Verb, ...]] = tuple(
    Verb(place.partition(":")[2], place.partition(":")[0], group, sentence, example)
    for group, rows in _TABLE.items()
    for place, sentence, example in rows
)
