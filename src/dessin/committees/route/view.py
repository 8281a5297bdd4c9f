"""A routed model in words and as a page: whether it pays, what its parts do, and what perfect ones would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.committees.choices import Way, Ways
from dessin.committees.part_runs import part_row
from dessin.committees.route.measure import GENERALIST, MATTERS
from dessin.committees.route.parts import TrainedPart
from dessin.committees.route.result import BOTH, OWN_FAMILIES, ROUTER_ALONE, RouteResults
from dessin.committees.sides import Sides, sides_section
from dessin.committees.view import (
    as_lines,
    cannot_say,
    choices_table,
    collection_of,
    differences,
    files_beside,
    gain_facts,
    gain_in_words,
    headline,
    mistakes_step,
    next_section,
    parts_table,
    predict_step,
)
from dessin.language import tr
from dessin.page.blocks import Block, Column, Fact, Page, Section, Sentence, Table
from dessin.page.numbers import listed, number, percent, plain, points, share

_CLASSES_NAMED = 8


def told(results: RouteResults) -> RouteResults:
    """The results with their verdict and cautions."""
    return results.model_copy(update={"verdict": _verdict(results), "cautions": _cautions(results)})


def _name(variant: str) -> str:
    names = {
        GENERALIST: tr("the generalist"),
        ROUTER_ALONE: tr("the router alone"),
        BOTH: tr("the router with experts"),
        OWN_FAMILIES: tr("the generalist with experts"),
    }
    return names[variant]


def _verdict(results: RouteResults) -> str:
    """Whether the committee pays, and its price, in plain words."""
    pays = {
        "better": tr("It pays."),
        "worse": tr("It does not pay."),
        "no difference": tr("It does not pay."),
        "cannot tell": tr("It cannot be seen to pay."),
    }
    who, folds = _name(results.committee), len(results.folds)
    gain = gain_in_words(results.main, who, _name(GENERALIST), judged=len(results.comparisons))
    cost = tr("An answer takes {asked} models instead of {n}.", asked=results.asked * folds, n=folds)
    return f"{pays[results.main.verdict]} {gain} {cost}"


def _cautions(results: RouteResults) -> tuple[str, ...]:
    return tuple(_cautioned(results))


def _cautioned(results: RouteResults) -> Iterator[str]:
    main = results.main
    if main.scope == "these runs":
        yield tr(
            "This is about these trained models: with one training each, the luck of a training is not in "
            "the numbers. A fold group of three folds or more has them."
        )
    else:
        yield tr("Each difference is over {n} trainings a side.", n=main.cells)
    reached = results.named(results.committee).accuracy.value
    variants = [row for row in results.variants if row.name != GENERALIST]
    better = [_name(row.name) for row in variants if row.accuracy.value > reached]
    if better:
        yield tr(
            "Higher than {committee} on these images scored: {names}. Who takes it for that has chosen on "
            "the images that it was measured on, and its figure is then too good.",
            committee=_name(results.committee),
            names=listed(better),
        )
    if results.experts:
        yield tr(
            "Which families got an expert, or what the families are, may have been read off these same "
            "images; that flatters the routed models a little."
        )


def route_page(
    results: RouteResults,
    names: Mapping[str, str],
    trained: Sequence[TrainedPart],
    out: Path,
    sides: Sides,
) -> Page:
    """The page of the routed model in `out`; `names` are the classes' names for people."""
    found, base = results.named(results.committee), results.named(GENERALIST)
    who, other = _name(results.committee), _name(GENERALIST)
    n = number(results.images)
    asked = number(results.asked * len(results.folds))
    facts = (
        Fact(tr("Family found"), percent(found.family.value, 1), tr("the first step of every answer")),
        Fact(tr("Models asked"), asked, tr("instead of {n}", n=len(results.folds))),
    )
    return Page(
        title=tr("{collection}: do a router and experts pay?", collection=collection_of(sides.data)),
        lead=results.verdict,
        blocks=(
            headline(
                found.accuracy,
                tr("named right by {who}, of {n} drawings that no part was trained on", who=who, n=n),
                base.accuracy,
            ),
            gain_facts(base.accuracy, other, results.main, facts),
            sides_section(sides, who, other),
            _against(results),
            *_within(results),
            cannot_say(results.cautions),
            _measured(results, names, trained),
            next_section((predict_step(out, tr("Name new drawings with it.")), mistakes_step(out, out))),
        ),
        footer=files_beside("results.json", "families.csv", "committee/", "runs/"),
    )


def _ways(results: RouteResults) -> Ways:
    gains = {row.name: row for row in results.comparisons}
    rows = tuple(
        Way(
            _name(row.name),
            _name(row.name),
            row.accuracy,
            gains.get(row.name),
            (percent(row.family.value, 1), plain(row.loss)),
        )
        for row in results.variants
    )
    titles = (tr("Who answers"), tr("Accuracy"), tr("Family right"), tr("Log loss"))
    return Ways(rows, titles, _name(results.committee), tr("committee"))


def _against(results: RouteResults) -> Section:
    lead = tr(
        "Points of accuracy on the same drawings, with 95% intervals. The committee answers by "
        "“{committee}”, which was settled before anything was measured.",
        committee=_name(results.committee),
    )
    named = [row.model_copy(update={"name": _name(row.name)}) for row in results.comparisons]
    return Section(tr("Against the generalist"), (differences(named, MATTERS),), lead, "against")


def _within(results: RouteResults) -> Iterator[Section]:
    """What experts do inside their families, and what perfect parts would."""
    if results.experts:
        lead = tr(
            "Generalist and expert on the drawings of the family alone, both choosing among its classes only."
        )
        yield Section(tr("Inside the families"), (_experts(results),), lead, "experts")
    lead = tr(
        "Bounds, not results: a router that always knows the family, or experts that name the class wherever "
        "the family is found and spoil nothing."
    )
    yield Section(tr("What perfect parts would give"), (_bounds(results),), lead, "bounds")


def _experts(results: RouteResults) -> Table:
    rows = tuple(
        (
            row.family,
            number(row.classes),
            share(row.generalist),
            share(row.expert),
            points(row.gain.difference),
            number(row.expert.n),
        )
        for row in results.experts
    )
    titles = (tr("Classes"), tr("Generalist"), tr("Expert"), tr("Gain, points"), tr("Drawings"))
    return Table((Column(tr("Family")), *(Column(title, number=True) for title in titles)), rows)


def _bounds(results: RouteResults) -> Table:
    names = {
        "perfect router alone": tr("perfect router alone"),
        "perfect router and these experts": tr("perfect router and these experts"),
        "own families and perfect experts": tr("its own families and perfect experts"),
        "this router and perfect experts": tr("this router and perfect experts"),
    }
    rows = tuple(
        (names.get(bound.name, bound.name), share(bound.accuracy), points(bound.gain))
        for bound in results.bounds
    )
    titles = (tr("Accuracy"), tr("Gain, points"))
    return Table((Column(tr("Parts")), *(Column(title, number=True) for title in titles)), rows)


def _measured(results: RouteResults, names: Mapping[str, str], trained: Sequence[TrainedPart]) -> Section:
    families = [
        (tr("family"), family, listed([names[label] for label in labels], most=_CLASSES_NAMED))
        for family, labels in results.families.items()
    ]
    note = tr(
        "All {n} drawings, in {groups} groups (folds {folds}), were answered by parts that were not trained "
        "on them. p is corrected by Holm. 95% intervals resample whole groups of drawings.",
        n=number(results.images),
        groups=number(results.groups),
        folds=", ".join(map(str, results.folds)),
    )
    blocks: list[Block] = [_ways(results).table(), Sentence(note, "note")]
    if results.router:
        blocks.append(Sentence(_of_router(results)))
    parts = [part_row(part.folder, part.part.what) for part in trained]
    blocks.append(Section(tr("The parts"), (parts_table(parts),)))
    blocks.append(Section(tr("Choices"), (choices_table(results.decisions, families),)))
    return Section(tr("How this was measured"), tuple(blocks), folded=True)


def _of_router(results: RouteResults) -> str:
    assert results.router is not None
    return tr(
        "The router finds the family {points} points more often than the generalist’s own sums over families "
        "do.",
        points=points(results.router.difference),
    )


def result_lines(results: RouteResults, width: int | None) -> list[str]:
    """Accuracies, differences, bounds and the verdict, as lines for a terminal."""
    tables = [
        _ways(results).table(brief=True),
        *([_experts(results)] if results.experts else []),
        _bounds(results),
    ]
    return as_lines(tables, (results.verdict,), results.cautions, width)
