"""The parts of a trust report: what each finds, what it costs, and the command that makes it alone."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dessin.audit.verb import audit
from dessin.errors import DessinError
from dessin.language import tr
from dessin.runs.subject import Subject
from dessin.trust.card.sources import TrustSources
from dessin.trust.confidence.verb import calibrate
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.explain.verb import explain
from dessin.trust.mistakes.verb import mistakes
from dessin.trust.robustness.corruption import STRENGTHS
from dessin.trust.robustness.suite import SUITE

_ASKED = 16
# Seconds on two processor cores: of a part's statistics, of a drawing's lines, of a look of the audit, of one
# corruption of a drawing.
_FIXED, _LINES, _LOOK, _CORRUPTION = 8.0, 0.05, 0.03, 0.004
# Answers that maps take: of a drawing; the drawings that the atlas shows; those of the test of the maps.
_OF_MAP, _SHOWN, _TESTED = 6, 80, 64 * 70


@dataclass(frozen=True)
class Part:
    """`make` writes it into a folder of its `name`, in about so many `seconds`."""

    name: str
    title: str
    finds: str
    command: str
    seconds: float
    make: Callable[[Path], object]


def parts_of(
    sources: TrustSources, subject: Subject, data: str | Path | None, split: str | Path | None
) -> tuple[Part, ...]:
    """The parts, from the one that says most for its time; speeds are measured on a few drawings."""
    run, n = sources.given, len(subject.rows("validation"))
    answer, collection = _seconds_of_answer(subject), data or sources.data

    def judge_labels(out: Path) -> object:
        if collection is None:
            raise DessinError("It is not known where the drawings are.", do="Give --data.")
        kind, _, group = sources.split.group_by.partition(" ")
        return audit(
            collection, out=out, group=group if kind in {"pattern", "column"} else None, predictions=[run]
        )

    return (
        Part(
            "confidence",
            tr("How sure it may be"),
            tr("what its confidence is worth, and when it should say that it is unsure"),
            f"{sources.command('calibrate')} --out confidence",
            _FIXED + 2 * n * answer,
            lambda out: calibrate(run, out=out, data=data, split=split),
        ),
        Part(
            "mistakes",
            tr("What it takes for what"),
            tr("its mistakes as pictures, which classes and whose drawings fail"),
            f"{sources.command('mistakes')} --out mistakes",
            _FIXED + n * (answer + _LINES) + _SHOWN * _OF_MAP * answer,
            lambda out: mistakes(run, out=out, data=data, split=split),
        ),
        Part(
            "labels",
            tr("Labels that may be wrong"),
            tr("the collection again, with the labels that its answers doubt"),
            f"dessin audit {shlex.quote(str(collection))} --predictions {shlex.quote(str(run))} --out labels",
            _FIXED + n * answer + len(subject.inputs.manifest.rows) * _LOOK,
            judge_labels,
        ),
        Part(
            "robustness",
            tr("What it keeps"),
            tr("when drawings are worn, moved, faded or badly photographed"),
            f"{sources.command('evaluate')} --robustness --out robustness",
            _FIXED + STRENGTHS * len(SUITE) * n * (answer + _CORRUPTION),
            lambda out: evaluate(run, out=out, data=data, split=split, robustness=True),
        ),
        Part(
            "maps",
            tr("Where it looks"),
            tr("a map over each drawing, and whether the maps tell the truth"),
            f"{sources.command('explain')} --out maps",
            _FIXED + (n * _OF_MAP + _TESTED) * answer,
            lambda out: explain(run, out=out, data=data, split=split),
        ),
    )


def _seconds_of_answer(subject: Subject) -> float:
    """What one answer takes, once the model is warm."""
    rows = subject.rows("validation")[:_ASKED]
    subject.answers(rows)
    began = time.monotonic()
    subject.answers(rows)
    return (time.monotonic() - began) / len(rows)
