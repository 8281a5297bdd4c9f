"""The check of labels by models, which finds something only where their answers were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dessin.collection.checks.base import Check, Context, register
from dessin.collection.issues import Issue


@register
@dataclass(frozen=True)
class SuspectLabels(Check):
    """Labels that models, which did not see the drawing in training, find implausible."""

    name: ClassVar[str] = "suspect_label"
    title: ClassVar[str] = "Labels that may be wrong"
    summary: ClassVar[str] = (
        "Models that were not trained on the drawing find its label implausible. "
        "Odd drawings of the right class are among them, so look before anything is changed."
    )

    def run(self, context: Context) -> list[Issue]:
        return [suspect.issue() for suspect in context.labels.suspects] if context.labels else []
