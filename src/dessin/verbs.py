"""The one table of verbs, of which the command line, `dessin.NAME` and the reference are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
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


VERBS: Final[tuple[Verb, ...]] = (
    Verb(
        "auto",
        "dessin.auto.verb",
        "look",
        "Go the whole path on your own drawings: audit, curation, split, scout, train, evaluate and report.",
        "dessin auto drawings --out result --budget 15m",
    ),
    Verb(
        "demo",
        "dessin.doodles.verb",
        "look",
        "Go the whole path offline on generated doodles, and check that every planted fault is found.",
        "dessin demo --out demo-out",
    ),
    Verb(
        "audit",
        "dessin.audit.verb",
        "look",
        "Look at every image for damage, copies and odd ones out, and with --predictions at the labels too.",
        "dessin audit drawings --out audit",
    ),
    Verb(
        "curate",
        "dessin.collection.curation",
        "look",
        "Turn an audit's issues into a file that keeps, drops or relabels images without touching them.",
        "dessin curate drawings --issues audit/issues.csv --out curation.csv",
    ),
    Verb(
        "split",
        "dessin.collection.split.verb",
        "look",
        "Deal the images into folds and a locked holdout, with copies and groups always on one side.",
        "dessin split drawings --curation curation.csv --folds 5 --holdout 0.2 --out split.csv",
    ),
    Verb(
        "fetch",
        "dessin.fetch.verb",
        "look",
        "Fetch a public collection of drawings as class folders, with its licence.",
        "dessin fetch quickdraw --classes cat,house --per-class 30 --out drawings",
    ),
    Verb(
        "scout",
        "dessin.runs.scout",
        "train",
        "Rank backbones by a probe on their features, with intervals and speed.",
        "dessin scout drawings --split split.csv --models mobilenetv3_small_100,resnet18 --out scout",
    ),
    Verb(
        "augment",
        "dessin.runs.augment",
        "train",
        "Draw what a recipe's augmentation does to drawings, and measure how much each op changes.",
        "dessin augment lite0-128 --data drawings --out preview.png",
    ),
    Verb(
        "train",
        "dessin.runs.train",
        "train",
        "Train a model by a recipe, so that a run that was killed and resumed ends with the same bytes.",
        "dessin train lite0-128 --data drawings --split split.csv --out runs/first",
    ),
    Verb(
        "study",
        "dessin.studies.verb",
        "train",
        "Carry out runs that differ in one factor, and say what follows from them.",
        "dessin study mixup --data drawings --split split.csv",
    ),
    Verb(
        "vote",
        "dessin.committees.vote.verb",
        "combine",
        "Join the answers of any tools by image id, and let them vote.",
        "dessin vote a.csv b.csv c.csv --out voted.csv",
    ),
    Verb(
        "ensemble",
        "dessin.committees.ensemble.verb",
        "combine",
        "Choose members among runs, and say what that gains on drawings that the choice did not see.",
        "dessin ensemble runs/lite0 runs/lite2 runs/gray --out best",
    ),
    Verb(
        "soup",
        "dessin.committees.soup.verb",
        "combine",
        "Average the weights of runs that share a start into one model, and say what that gains.",
        "dessin soup runs/a runs/b runs/c --out soup",
    ),
    Verb(
        "families",
        "dessin.committees.families.verb",
        "combine",
        "Propose which classes belong together, and say what a router and experts could give at most.",
        "dessin families runs/lite0 --out families.csv",
    ),
    Verb(
        "route",
        "dessin.committees.route.verb",
        "combine",
        "Train a router over families and experts inside them, and say whether they pay.",
        "dessin route runs/lite0 --families families.csv --out routed",
    ),
    Verb(
        "distill",
        "dessin.committees.distill.verb",
        "combine",
        "Teach one small model what a committee says, and measure what that costs and brings.",
        "dessin distill best --student tf_efficientnet_lite0 --out small",
    ),
    Verb(
        "evaluate",
        "dessin.trust.evaluate.verb",
        "understand",
        "Measure accuracy, top-5, macro-F1 and loss with intervals, for each class, and what is confused.",
        "dessin evaluate runs/first --holdout --out runs/first-holdout",
    ),
    Verb(
        "compare",
        "dessin.reports.compare.verb",
        "understand",
        "Compare models on the same images, with intervals, and say what this design could have seen.",
        "dessin compare runs/first runs/second",
    ),
    Verb(
        "explain",
        "dessin.trust.explain.verb",
        "understand",
        "Show where a model looks by a map over each drawing, and how faithful these maps are.",
        "dessin explain runs/first --images new-drawings --out maps",
    ),
    Verb(
        "mistakes",
        "dessin.trust.mistakes.verb",
        "understand",
        "Write the atlas of mistakes: classes, confused pairs with maps, and what goes with failure.",
        "dessin mistakes runs/first --out mistakes",
    ),
    Verb(
        "calibrate",
        "dessin.trust.confidence.verb",
        "understand",
        "Measure how far a model's confidence can be trusted, and when it should say that it is unsure.",
        "dessin calibrate runs/first --out confidence --write",
    ),
    Verb(
        "card",
        "dessin.trust.card.verb",
        "understand",
        "Write the trust card: on one page what was measured of a model, and what nobody has tested.",
        "dessin card runs/first --out card.html",
    ),
    Verb(
        "predict",
        "dessin.serving.predict",
        "use",
        "Name the class of images, with probabilities, and say where the model is unsure.",
        "dessin predict runs/first new.png more-drawings --out predictions.csv",
    ),
    Verb(
        "submit",
        "dessin.serving.submit",
        "use",
        "Write a contest's submission, checked before it is written.",
        "dessin submit runs/first contest --out submission.csv",
    ),
    Verb(
        "export",
        "dessin.serving.export.verb",
        "use",
        "Write a model as ONNX, checked against torch on real drawings before it is kept.",
        "dessin export best --int8 --out best-onnx",
    ),
    Verb(
        "serve",
        "dessin.serving.api.verb",
        "use",
        "Answer HTTP requests with a model: post an image, get its class.",
        "dessin serve best-onnx --port 8000",
    ),
    Verb(
        "studio",
        "dessin.studio.verb",
        "use",
        "Open the studio: data, runs, studies and mistakes to look at, and a page to draw on.",
        "dessin studio result",
    ),
    Verb(
        "runs",
        "dessin.runs.listing.verb",
        "keep",
        "Show the runs below a folder as a table: filtered, sorted, with the columns you ask for.",
        'dessin runs . --where "accuracy>0.4" --sort -accuracy',
    ),
    Verb(
        "report",
        "dessin.reports.verb",
        "keep",
        "Write one page that a person wants to read: about a run, or about studies and a final run.",
        "dessin report studies/mixup studies/losses runs/first --out wrap-up.html",
    ),
    Verb(
        "doctor",
        "dessin.auto.doctor",
        "keep",
        "Say what this machine has: device, precision, versions and weights.",
        "dessin doctor",
    ),
)
