"""What the wrap-up says of ensembles and their students, of the final run, and of the other runs given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dessin.answers.committee import Committee
from dessin.collection.thumbnails import Thumbnails
from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults
from dessin.committees.route.result import RouteResults
from dessin.committees.soup.result import SoupResults
from dessin.errors import DessinError
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import counted, number, percent, share, short, signed, times
from dessin.progress import warn
from dessin.reports.run.made import class_names, moment, set_views
from dessin.reports.run.measure import judged, worst_first
from dessin.reports.run.pictures import Picture
from dessin.reports.wrapup.conclusions import levels_like
from dessin.reports.wrapup.sources import CommitteeResults, CommitteeSource, RunSource, Sources

_MISTAKES = 8
_FILES = {
    "record.json": "what it was made of, decided and measured",
    "curve.csv": "the learning curve",
    "validation/predictions.csv": "every answer on the validation fold",
    "holdout/predictions.csv": "every answer on the holdout",
    "bundle/bundle.json": "the model, whole, for predict and serve",
}


def ensemble_view(source: CommitteeSource) -> dict[str, object]:
    """What was made of several models, its looks at the holdout, and where its own page lies."""
    view = _of_results(source.results)
    said = tuple(str(sentence) for sentence in view["sentences"])
    return view | {"folder": source.path.as_posix(), "sentences": (*said, *_on_the_holdout(source))}


def _of_results(results: CommitteeResults) -> dict[str, Any]:
    if isinstance(results, EnsembleResults):
        return _of_ensemble(results)
    if isinstance(results, DistillResults):
        return _of_student(results)
    if isinstance(results, SoupResults):
        return _of_soup(results)
    return _of_route(results) if isinstance(results, RouteResults) else _of_committee(results)


def _on_the_holdout(source: CommitteeSource) -> Iterator[str]:
    if not source.opened:
        return
    found = f": {share(source.holdout)}, n = {number(source.holdout.n)}" if source.holdout else ""
    yield f"Its holdout was opened {times(len(source.opened))}{found}."


def _of_ensemble(results: EnsembleResults) -> dict[str, Any]:
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
    drawings = f"{counted(results.images, 'drawing')} that none has seen."
    return {
        "name": results.name,
        "lead": f"{counted(len(results.members), 'member')}; {drawings}",
        "sentences": results.summary,
        "plot": dot_plot(dots, _per_cent),
        "note": "Accuracy on drawings that the rule did not choose by, with 95% intervals; rings are the "
        "naive figures, from the drawings that it chose by.",
    }


def _of_soup(results: SoupResults) -> dict[str, Any]:
    note = "Accuracy on drawings that the way did not choose by, with 95% intervals; rings are the naive"
    dots = [
        Dot.of(
            way.name,
            way.accuracy,
            share(way.accuracy),
            tone="" if way.name == results.chosen else "cannot-tell",
            note=f"{signed(way.gain.difference.value)} points, {way.gain.verdict}" if way.gain else "base",
            hollow=way.naive.value,
        )
        for way in results.ways
    ]
    return {
        "name": results.name,
        "lead": f"{counted(len(results.members), 'run')}; {counted(results.images, 'drawing')}.",
        "sentences": results.summary,
        "plot": dot_plot(dots, _per_cent),
        "note": f"{note} figures, from the drawings that it chose by.",
    }


def _of_route(results: RouteResults) -> dict[str, Any]:
    dots = [Dot.of(each.name, each.accuracy, share(each.accuracy)) for each in results.variants]
    return {
        "name": f"{results.generalist}, routed",
        "lead": f"{counted(results.images, 'drawing')} of {len(results.families)} families.",
        "sentences": (results.verdict, *results.cautions),
        "plot": dot_plot(dots, _per_cent),
        "note": "Accuracy out of fold, with 95% intervals from whole groups of drawings.",
    }


def _of_committee(committee: Committee) -> dict[str, Any]:
    """One that is known by its own file alone, such as the vote of an auto."""
    noted, unseen = committee.provenance, "On drawings that its choice did not see"
    figures = {"Out of fold": "validation_accuracy", unseen: "nested_accuracy"}
    said = [f"{words}: {noted[key]}." for words, key in figures.items() if noted.get(key)]
    return {
        "name": committee.name,
        "lead": f"{counted(len(committee.bundles), 'model')}.",
        "sentences": tuple(said) or ("What it has right was not measured when it was made.",),
        "plot": None,
        "note": "",
    }


def _of_student(results: DistillResults) -> dict[str, Any]:
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
    return {
        "name": f"{results.student}, taught by {results.committee}",
        "lead": f"{counted(results.images, 'drawing')} of {folds}.",
        "sentences": (*results.verdict, *results.warnings),
        "plot": dot_plot(dots, _per_cent),
        "note": "Accuracy out of fold, with 95% intervals from whole groups of drawings.",
    }


def _per_cent(value: float) -> str:
    return f"{short(100 * value)}%"


def final_view(sources: Sources) -> dict[str, object] | None:
    """What the page says of the last run; `detail` is None where nothing was measured or kept."""
    final = sources.final
    if final is None:
        return None
    record = final.record
    thumbnails = Thumbnails(record.recipe.data.path, record.recipe.image.page)
    return {
        "record": record,
        "sets": set_views(record),
        "detail": _detail(final, thumbnails),
        "opened": [moment(opening) for opening in record.holdout_opened],
        "seconds": sum(record.timings.values()),
        "files": [(name, what) for name, what in _FILES.items() if (final.path / name).is_file()],
        "same_as": levels_like(record, sources),
        "pictures": thumbnails.available,
    }


def _detail(final: RunSource, thumbnails: Thumbnails) -> dict[str, Any] | None:
    if final.split is None or not final.record.results:
        return None
    try:
        names = class_names(final.path, final.split.classes)
        found = judged(final.path, final.record, final.split)[final.honest_result[1]]
    except DessinError as error:
        warn(f"the classes of {final.path} are left out of the report: {error}")
        return None
    answers, best = found.answers, found.answers.probabilities.argmax(axis=1)
    mistakes = [
        Picture(
            thumbnails.uri(answers.image_ids[row]),
            names[answers.labels[row]],
            f"taken for {names[answers.classes[best[row]]]}, {percent(float(found.sureness[row]))} sure",
        )
        for row in found.mistakes[:_MISTAKES]
    ]
    classes = worst_first(found.metrics, names)
    return {
        "metrics": found.metrics,
        "chance": found.chance,
        "names": names,
        "classes": classes,
        "mistakes": mistakes,
    }
