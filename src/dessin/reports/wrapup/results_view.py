"""What the wrap-up says of ensembles and their students, of the final run, and of the other runs given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults
from dessin.errors import DessinError
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, share, short, signed
from dessin.progress import warn
from dessin.reports.run.pictures import Thumbnails
from dessin.reports.run.view import RunDetail, SetView, class_names, moment, run_detail, set_views
from dessin.reports.wrapup.conclusions import levels_like
from dessin.reports.wrapup.sources import CommitteeSource, RunSource, Sources
from dessin.runs.record import RunRecord

_FILES = {
    "record.json": "what it was made of, decided and measured",
    "curve.csv": "the learning curve",
    "validation/predictions.csv": "every answer on the validation fold",
    "holdout/predictions.csv": "every answer on the holdout",
    "bundle/bundle.json": "the model, whole, for predict and serve",
}


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
        Dot.of(
            rule.name,
            rule.nested,
            share(rule.nested),
            tone="" if rule.name == results.chosen else "cannot-tell",
            note=f"{signed(rule.gain.difference.value)} points, {rule.gain.verdict}" if rule.gain else "base",
            hollow=rule.naive.value,
        )
        for rule in results.rules
    ]
    return EnsembleView(
        name=results.name,
        lead=f"{counted(len(results.members), 'member')}; "
        f"{counted(results.images, 'drawing')} that none has seen.",
        sentences=results.summary,
        plot=dot_plot(dots, _per_cent),
        note="Accuracy on drawings that the rule did not choose by, with 95% intervals; rings are the naive "
        "figures, from the drawings that it chose by.",
        folder=folder,
    )


def _of_student(results: DistillResults, folder: str) -> EnsembleView:
    dots = [
        Dot.of(
            row.name,
            row.accuracy,
            share(row.accuracy),
            note=f"{row.size.models} models" if row.size.models > 1 else "one model",
        )
        for row in results.answerers
    ]
    folds = f"{'fold' if len(results.folds) == 1 else 'folds'} {', '.join(map(str, results.folds))}"
    return EnsembleView(
        name=f"{results.student}, taught by {results.committee}",
        lead=f"{counted(results.images, 'drawing')} of {folds}.",
        sentences=(*results.verdict, *results.warnings),
        plot=dot_plot(dots, _per_cent),
        note="Accuracy out of fold, with 95% intervals from whole groups of drawings.",
        folder=folder,
    )


def _per_cent(value: float) -> str:
    return f"{short(100 * value)}%"


@dataclass(frozen=True)
class FinalView:
    """The last run given; `detail` is None where nothing was measured, or its predictions are gone."""

    record: RunRecord
    sets: tuple[SetView, ...]
    detail: RunDetail | None
    opened: tuple[str, ...]
    seconds: float
    files: tuple[tuple[str, str], ...]
    same_as: tuple[str, ...]
    pictures: bool


def final_view(sources: Sources) -> FinalView | None:
    """None where no run was given."""
    final = sources.final
    if final is None:
        return None
    record = final.record
    data = record.recipe.data.path
    thumbnails = Thumbnails(Path(data) if data else None)
    return FinalView(
        record=record,
        sets=set_views(record),
        detail=_detail(final, thumbnails),
        opened=tuple(moment(opening) for opening in record.holdout_opened),
        seconds=sum(record.timings.values()),
        files=tuple((name, what) for name, what in _FILES.items() if (final.path / name).is_file()),
        same_as=levels_like(record, sources),
        pictures=thumbnails.available,
    )


def _detail(final: RunSource, thumbnails: Thumbnails) -> RunDetail | None:
    if final.split is None or not final.record.results:
        return None
    try:
        names = class_names(final.path, final.split.classes)
        return run_detail(final.path, final.record, final.split, names, thumbnails)
    except DessinError as error:
        warn(f"the classes of {final.path} are left out of the report: {error}")
        return None
