"""dessin: from a folder of drawings to a classifier you can trust, and can say why.

Every verb of the command line is a function here with the same name and arguments, imported when first used,
so that `import dessin` costs nothing: `dessin.audit("drawings", out="audit")`. `dir(dessin)` lists them.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dessin.errors import DessinError as DessinError
from dessin.verbs import VERBS

__version__ = "0.1.0"

# Read by GNU's OpenMP when torch loads it: threads that wait for each other give the core away soon. Alone it
# costs a few per cent at most; beside another computation the default was measured many times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

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
    from dessin.recipes.verb import recipes as recipes
    from dessin.reports.compare.verb import compare as compare
    from dessin.reports.verb import report as report
    from dessin.runs.augment import augment as augment
    from dessin.runs.listing.verb import runs as runs
    from dessin.runs.scout import scout as scout
    from dessin.runs.train import train as train
    from dessin.serving.api.verb import serve as serve
    from dessin.serving.export.verb import export as export
    from dessin.serving.predict import predict as predict
    from dessin.serving.submit import submit as submit
    from dessin.studies.verb import study as study
    from dessin.studio.verb import studio as studio
    from dessin.trust.card.verb import card as card
    from dessin.trust.confidence.verb import calibrate as calibrate
    from dessin.trust.evaluate.verb import evaluate as evaluate
    from dessin.trust.explain.verb import explain as explain
    from dessin.trust.mistakes.verb import mistakes as mistakes

_VERBS = {verb.name: verb for verb in VERBS}


class _Dessin(ModuleType):
    """Keeps the names of verbs: `import dessin.audit.verb` would put the room in the function's place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _VERBS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Dessin


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return _VERBS[name].function()
    if name == "__all__":
        return __dir__()
    raise AttributeError(f"module 'dessin' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(["DessinError", "__version__", *_VERBS])
