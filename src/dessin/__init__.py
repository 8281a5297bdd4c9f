"""dessin: from a folder of drawings to a classifier you can trust, and can say why.

Every verb of the command line is a function here with the same name and arguments, imported when first used,
so that `import dessin` costs nothing. (Two verbs have the names of rooms: the demo is
`dessin.doodles.verb.demo`, and the preview of augmentation `dessin.runs.augment.augment`.)
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Read by GNU's OpenMP when torch loads it: threads that wait for each other give the core away soon. Alone it
# costs a few per cent at most; beside another computation the default was measured many times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

if TYPE_CHECKING:
    from dessin.audit.verb import audit
    from dessin.auto.doctor import doctor
    from dessin.auto.verb import auto
    from dessin.collection.curation import curate
    from dessin.collection.split.verb import split
    from dessin.committees.distill.verb import distill
    from dessin.committees.ensemble.verb import ensemble
    from dessin.committees.families.verb import families
    from dessin.committees.route.verb import route
    from dessin.committees.soup.verb import soup
    from dessin.committees.vote.verb import vote
    from dessin.errors import DessinError
    from dessin.fetch.verb import fetch
    from dessin.reports.compare.verb import compare
    from dessin.reports.verb import report
    from dessin.runs.listing.verb import runs
    from dessin.runs.scout import scout
    from dessin.runs.train import train
    from dessin.serving.api.verb import serve
    from dessin.serving.export.verb import export
    from dessin.serving.predict import predict
    from dessin.serving.submit import submit
    from dessin.studies.verb import study
    from dessin.studio.verb import studio
    from dessin.trust.card.verb import card
    from dessin.trust.confidence.verb import calibrate
    from dessin.trust.evaluate.verb import evaluate
    from dessin.trust.explain.verb import explain
    from dessin.trust.mistakes.verb import mistakes

_HOMES = {
    "DessinError": "dessin.errors",
    "audit": "dessin.audit.verb",
    "auto": "dessin.auto.verb",
    "calibrate": "dessin.trust.confidence.verb",
    "card": "dessin.trust.card.verb",
    "compare": "dessin.reports.compare.verb",
    "curate": "dessin.collection.curation",
    "distill": "dessin.committees.distill.verb",
    "doctor": "dessin.auto.doctor",
    "ensemble": "dessin.committees.ensemble.verb",
    "evaluate": "dessin.trust.evaluate.verb",
    "explain": "dessin.trust.explain.verb",
    "export": "dessin.serving.export.verb",
    "families": "dessin.committees.families.verb",
    "fetch": "dessin.fetch.verb",
    "mistakes": "dessin.trust.mistakes.verb",
    "predict": "dessin.serving.predict",
    "report": "dessin.reports.verb",
    "route": "dessin.committees.route.verb",
    "runs": "dessin.runs.listing.verb",
    "scout": "dessin.runs.scout",
    "serve": "dessin.serving.api.verb",
    "soup": "dessin.committees.soup.verb",
    "split": "dessin.collection.split.verb",
    "studio": "dessin.studio.verb",
    "study": "dessin.studies.verb",
    "submit": "dessin.serving.submit",
    "train": "dessin.runs.train",
    "vote": "dessin.committees.vote.verb",
}

__all__ = [
    "DessinError",
    "audit",
    "auto",
    "calibrate",
    "card",
    "compare",
    "curate",
    "distill",
    "doctor",
    "ensemble",
    "evaluate",
    "explain",
    "export",
    "families",
    "fetch",
    "mistakes",
    "predict",
    "report",
    "route",
    "runs",
    "scout",
    "serve",
    "soup",
    "split",
    "studio",
    "study",
    "submit",
    "train",
    "vote",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dessin' has no attribute '{name}'")
