"""The wrap-up's section on ensembles: what each committee gained, and what its student paid."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, share, signed
from dessin.reports.wrapup.sources import CommitteeSource


@dataclass(frozen=True)
class EnsembleView:
    """One result: sentences, accuracies as dots, and where its own page lies."""

    name: str
    lead: str
    sentences: tuple[str, ...]
    plot: DotPlot
    note: str
    folder: str


def ensemble_view(source: CommitteeSource) -> EnsembleView:
    """What the page says of an ensemble or of a distillation."""
    results = source.results
    if isinstance(results, EnsembleResults):
        return _of_ensemble(results, source.path.as_posix())
    return _of_student(results, source.path.as_posix())


def _of_ensemble(results: EnsembleResults, folder: str) -> EnsembleView:
    dots = [
        Dot(
            name=rule.name,
            words=share(rule.nested),
            label=f"{rule.name}: {share(rule.nested)}",
            value=rule.nested.value,
            low=rule.nested.low,
            high=rule.nested.high,
            tone="" if rule.name == results.chosen else "cannot-tell",
            note=f"{signed(rule.gain.difference.value)} points, {rule.gain.verdict}" if rule.gain else "base",
            hollow=rule.naive.value,
        )
        for rule in results.rules
    ]
    return EnsembleView(
        name=results.name,
        lead=f"{len(results.members)} members; {counted(results.images, 'drawing')} that none has seen.",
        sentences=results.summary,
        plot=dot_plot(dots, _per_cent),
        note="Accuracy on drawings that the rule did not choose by, with 95% intervals; rings are the naive "
        "figures, from the drawings that it chose by.",
        folder=folder,
    )


def _of_student(results: DistillResults, folder: str) -> EnsembleView:
    dots = [
        Dot(
            name=row.name,
            words=share(row.accuracy),
            label=f"{row.name}: {share(row.accuracy)}",
            value=row.accuracy.value,
            low=row.accuracy.low,
            high=row.accuracy.high,
            note=f"{row.size.models} models" if row.size.models > 1 else "one model",
        )
        for row in results.answerers
    ]
    folds = f"fold{'' if len(results.folds) == 1 else 's'} {', '.join(map(str, results.folds))}"
    return EnsembleView(
        name=f"{results.student}, taught by {results.committee}",
        lead=f"{counted(results.images, 'drawing')} of {folds}.",
        sentences=(*results.verdict, *results.warnings),
        plot=dot_plot(dots, _per_cent),
        note="Accuracy out of fold, with 95% intervals from whole groups of drawings.",
        folder=folder,
    )


def _per_cent(value: float) -> str:
    return f"{100 * value:g}%"
