"""A routed model in words and as a page: whether it pays, what its parts do, and what perfect ones would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dessin.committees.choices import Way, Ways
from dessin.committees.route.measure import GENERALIST, MATTERS
from dessin.committees.route.parts import TrainedPart
from dessin.committees.route.result import BOTH, OWN_FAMILIES, ROUTER_ALONE, RouteResults
from dessin.committees.sides import Sides, sides_section
from dessin.committees.view import (
    as_lines,
    cautions_of_all,
    closing,
    committee_page,
    gain_in_words,
    how_made,
    opening,
    use_steps,
)
from dessin.language import tr
from dessin.page.blocks import Block, Fact, Page, Section, Table
from dessin.page.numbers import listed, number, percent, plain, points, share
from dessin.studies.view import forest

_CLASSES_NAMED = 8


def _name(variant: str) -> str:
    names = {
        GENERALIST: tr("the generalist"),
        ROUTER_ALONE: tr("the router alone"),
        BOTH: tr("the router with experts"),
        OWN_FAMILIES: tr("the generalist with experts"),
    }
    return names[variant]


def told(results: RouteResults) -> RouteResults:
    """The results with their verdict, whether the committee pays and its price, and cautions."""
    pays = {"better": tr("It pays."), "cannot tell": tr("It cannot be seen to pay.")}
    who, folds = _name(results.committee), len(results.folds)
    gain = gain_in_words(results.main, who, _name(GENERALIST), judged=len(results.comparisons))
    cost = tr("An answer takes {asked} models instead of {n}.", asked=results.asked * folds, n=folds)
    verdict = f"{pays.get(results.main.verdict, tr('It does not pay.'))} {gain} {cost}"
    reached = results.named(results.committee).accuracy.value
    variants = [row for row in results.variants if row.name != GENERALIST]
    better = [_name(row.name) for row in variants if row.accuracy.value > reached]
    said = [*cautions_of_all(better, luck=results.main.scope == "these runs")]
    if results.experts:
        said.append(
            tr("Families and experts may have been chosen by these drawings too, which flatters a little.")
        )
    return results.model_copy(update={"verdict": verdict, "cautions": tuple(said)})


def route_page(
    results: RouteResults,
    names: Mapping[str, str],
    trained: Sequence[TrainedPart],
    out: Path,
    sides: Sides,
) -> Page:
    """The page of the routed model in `out`; `names` are the classes' names for people."""
    found, base = results.named(results.committee), results.named(GENERALIST)
    who, other, folds = _name(found.name), _name(GENERALIST), len(results.folds)
    facts = (
        Fact(tr("Family found"), percent(found.family.value, 1), tr("the first step of every answer")),
        Fact(tr("Models asked"), number(results.asked * folds), tr("instead of {n}", n=folds)),
    )
    named = [row.model_copy(update={"name": _name(row.name)}) for row in results.comparisons]
    settled = tr("It answers by “{committee}”, settled before anything was measured.", committee=who)
    bounds = tr("Bounds, not results: parts that make no mistake.")
    families = (
        (tr("family"), family, listed([names[label] for label in labels], most=_CLASSES_NAMED))
        for family, labels in results.families.items()
    )
    parts = {each.part.what: each.folder for each in trained}
    how = (_ways(results).table(), *how_made(parts, results.decisions, *families))
    blocks: tuple[Block, ...] = (
        *opening((who, found.accuracy), (other, base.accuracy), results.main, *facts),
        sides_section(sides, who, other),
        Section(tr("Against the generalist"), tuple(forest(named, MATTERS)), settled, "against"),
        *(Section(tr("Inside the families"), (table,), anchor="experts") for table in _experts(results)),
        Section(tr("What perfect parts would give"), (_bounds(results),), bounds, "bounds"),
        *closing(results, how, use_steps(out, tr("Name new drawings with it."), out)),
    )
    files = "results.json, families.csv, committee/, runs/"
    return committee_page(sides.data, tr("do a router and experts pay?"), results.verdict, blocks, files)


def _ways(results: RouteResults) -> Ways:
    gains, rows = {row.name: row for row in results.comparisons}, []
    for row in results.variants:
        name, cells = _name(row.name), (percent(row.family.value, 1), plain(row.loss))
        rows.append(Way(name, name, row.accuracy, gains.get(row.name), cells))
    titles = (tr("Who answers"), tr("Accuracy"), tr("Family right"), tr("Log loss"))
    return Ways(tuple(rows), titles, _name(results.committee), tr("committee"))


def _experts(results: RouteResults) -> Iterator[Table]:
    """Generalist and expert on the drawings of a family alone, both choosing among its classes."""
    rows = []
    for row in results.experts:
        gain, n = points(row.gain.difference), number(row.expert.n)
        rows.append((row.family, number(row.classes), share(row.generalist), share(row.expert), gain, n))
    titles = (tr("Classes"), tr("Generalist"), tr("Expert"), tr("Gain, points"), tr("Drawings"))
    note = tr("On the family’s drawings alone, both choosing among its classes.")
    if rows:
        yield Table.of((tr("Family"),), titles, rows, note)


def _bounds(results: RouteResults) -> Table:
    names = {
        "perfect router alone": tr("perfect router alone"),
        "perfect router and these experts": tr("perfect router and these experts"),
        "own families and perfect experts": tr("its own families and perfect experts"),
        "this router and perfect experts": tr("this router and perfect experts"),
    }
    rows = ((names.get(row.name, row.name), share(row.accuracy), points(row.gain)) for row in results.bounds)
    return Table.of((tr("Parts"),), (tr("Accuracy"), tr("Gain, points")), rows)


def result_lines(results: RouteResults, width: int | None) -> list[str]:
    """Accuracies, differences, bounds and the verdict, as lines for a terminal."""
    tables = (_ways(results).table(brief=True), *_experts(results), _bounds(results))
    return as_lines(tables, (results.verdict,), results.cautions, width)
