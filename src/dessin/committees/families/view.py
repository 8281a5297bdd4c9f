"""The families in words and as a page: their share of the errors, and what they could pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dessin.collection.thumbnails import Thumbnails
from dessin.committees.answers import OutOfFold
from dessin.committees.families.measure import Potential, worth_an_expert
from dessin.committees.families.proposals import Proposal, soft_confusion, stability
from dessin.committees.families.result import FamilyMap
from dessin.committees.view import as_lines, cannot_say, committee_page
from dessin.language import retold, tr
from dessin.page.blocks import Gallery, Grid, Headline, Page, Picture, Section, Sentence, Shot, Table
from dessin.page.numbers import listed, number, percent, points, share, signed
from dessin.page.parts import measured, step, what_next
from dessin.page.pictures import ACCENT, INK, MUTED, figure_data_uri, new_figure
from dessin.page.words import Note

_SHOWN = 6
# Classes of a family that are shown as drawings.
_PICTURED = 24
# A family with more of the classes than this is a task nearly as hard as the whole.
_LARGE = 0.5
# Adjusted Rand indices, by convention.
_HOLD, _HOLD_IN_PART = 0.65, 0.35


@dataclass(frozen=True)
class Typical:
    """A drawing of each class that the generalist is sure of, by label, and where they lie."""

    image_ids: Mapping[str, str]
    thumbnails: Thumbnails
    data: str


def verdict(found: Potential) -> str:
    """Whether a router and experts can pay, and in which families first."""
    router = tr(
        "A router that is always right would bring {points} points to {now}.",
        points=points(found.router.gain.difference),
        now=percent(found.now.value, 1),
    )
    worth = worth_an_expert(found)
    gains = [f"{row.name} ({points(row.bound.gain.difference)})" for row in worth if row.bound]
    experts = tr("In no family would even a perfect expert gain more than chance could explain.")
    if worth:
        experts = tr(
            "Experts can pay, first in {families}, if perfect; dessin route measures what real ones give.",
            families=listed(gains),
        )
    return f"{router} {experts}"


def cautions(answers: OutOfFold, found: Potential, *, same_images: bool) -> Iterator[str]:
    """What the reader must know beside the bounds; `same_images` gave the families as well."""
    if same_images:
        yield _how_stable(answers, len(found.families))
    yield tr("A perfect expert gains more the larger its family is: compare families of like size.")
    if same_images:
        yield tr("The families come from the same confusions as the bounds, which flatters them a little.")
    for row in found.families:
        if len(row.labels) > _LARGE * len(answers.classes):
            yield tr(
                "{family} holds {n} of the {all} classes: an expert for it has nearly the whole task.",
                family=row.name,
                n=number(len(row.labels)),
                all=number(len(answers.classes)),
            )


def _how_stable(answers: OutOfFold, count: int) -> str:
    """Whether other images would have suggested the same families."""
    found = stability(answers.probabilities, answers.targets, answers.groups, count=count)
    if found is None:
        return tr(
            "Whether other drawings would suggest the same families cannot be said from so few; runs of more "
            "folds can tell."
        )
    value = f"{found:.2f}"
    if found > _HOLD:
        return tr(
            "The families hold: both halves of the drawings suggest nearly the same ({value}).", value=value
        )
    if found > _HOLD_IN_PART:
        return tr("The families hold in part: half of the drawings suggest others ({value}).", value=value)
    return tr("The families depend on the drawings: each half suggests others ({value}).", value=value)


def family_lines(
    found: Potential, names: Mapping[str, str], cautions: Sequence[str], width: int | None
) -> list[str]:
    """Accuracy now and with perfect parts, then a line a family, and what that means."""
    return as_lines((_bounds(found), _numbers(found, names)), (verdict(found),), cautions, width)


def families_page(
    answers: OutOfFold,
    proposal: Proposal,
    found: Potential,
    cautions: Sequence[str],
    typical: Typical,
    runs: Sequence[Path],
    out: Path,
) -> Page:
    """The page of a proposal of `runs`, which lies beside its file `out`."""
    right = tr(
        "named right by {who}, of {n} drawings that it was not trained on; the mark: its family",
        who=answers.name,
        n=number(found.now.n),
    )
    lead = tr(
        "The family for which a perfect expert would gain most comes first. An error inside a family is one "
        "that an expert could put right; the others are the router’s."
    )
    bounds = tr(
        "Bounds, not results: a router that always knows the family, and experts that name the class "
        "wherever the family is found."
    )
    seen, words = _confusion(answers, proposal.families), Sentence(f"{retold(proposal.words)}.")
    pictured = [_pictured(answers, found, typical)] if typical.thumbnails.available else []
    routed, changed = out.with_name("routed"), out.with_name(f"{out.stem}-2.csv")
    train = tr("Train a router and experts for these families, and measure whether they pay.")
    change = tr("Change the families in the file by hand, and see what those could pay.")
    steps = (
        step(train, "route", runs[0], "--families", out, "--out", routed),
        step(change, "families", *runs, "--from", out, "--out", changed),
    )
    blocks = (
        Headline.of(found.now, right, mark=found.found.value),
        Section(tr("The families"), (_numbers(found, answers.names), *pictured), lead, "families"),
        Section(tr("What it could pay"), (_bounds(found),), bounds, "bounds"),
        cannot_say(cautions),
        measured(Grid((Section("", (seen,)), Section("", (words,))))),
        what_next(*steps),
    )
    question = tr("which classes belong together?")
    return committee_page(typical.data, question, verdict(found), blocks, out.name)


def _pictured(answers: OutOfFold, found: Potential, typical: Typical) -> Grid:
    """The classes of each family as a typical drawing each."""

    def shot(label: str) -> Shot:
        image_id, name = typical.image_ids.get(label, ""), answers.names[label]
        source = typical.thumbnails.uri(image_id) if image_id else ""
        return Shot((Picture(source, f"{name}: {image_id}"),), note=name)

    cards = []
    for row in found.families:
        others = ", ".join(answers.names[label] for label in row.labels[_PICTURED:])
        gallery = Gallery(tuple(map(shot, row.labels[:_PICTURED])), "small")
        cards.append(Section(row.name, (gallery, *([Sentence(others)] if others else []))))
    return Grid(tuple(cards))


def _numbers(found: Potential, names: Mapping[str, str]) -> Table:
    errors = max(1, sum(row.errors for row in found.families))
    rows = (
        (
            (row.name, Note(listed([names[label] for label in row.labels], most=_SHOWN))),
            number(len(row.labels)),
            number(row.images),
            percent(row.correct / row.images) if row.images else "–",
            percent(row.errors / errors),
            tr("{n} of {all}", n=number(row.inside), all=number(row.errors)),
            points(row.bound.gain.difference) if row.bound else signed(row.gained / found.now.n),
        )
        for row in found.families
    )
    titles = (
        tr("Classes"),
        tr("Drawings"),
        tr("Named right"),
        tr("Share of all errors"),
        tr("Errors inside"),
    )
    return Table.of((tr("Family"),), (*titles, tr("Perfect expert, points")), rows, file="families")


def _bounds(found: Potential) -> Table:
    router = found.router
    rows = [
        (tr("The generalist now"), share(found.now), ""),
        (tr("Its family is right"), share(found.found), ""),
        (tr("Perfect router"), share(router.accuracy), points(router.gain.difference)),
    ]
    for place, bound in enumerate(found.cumulated):
        name = tr("Perfect expert for {family}", family=bound.name)
        if place:
            name = tr("… and for {family}", family=bound.name)
        rows.append((name, share(bound.accuracy), points(bound.gain.difference)))
    note = tr("Of {n} drawings, with 95% intervals.", n=number(found.now.n))
    return Table.of((tr("Parts"),), (tr("Accuracy"), tr("Gain, points")), rows, note)


def _confusion(answers: OutOfFold, families: FamilyMap) -> Picture:
    """Classes by classes, family by family: how much probability images of a row give to a column."""
    number = families.numbers(answers.classes)
    sizes = np.bincount(number)
    order = np.lexsort((np.arange(len(number)), number, -sizes[number]))
    sorted_mean = soft_confusion(answers.probabilities, answers.targets)[np.ix_(order, order)].copy()
    np.fill_diagonal(sorted_mean, 0.0)
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = new_figure(5.6, 5.4)
    axes.grid(False)
    ramp = LinearSegmentedColormap.from_list("house", ["#ffffff", ACCENT, INK])
    # Square roots, or a few pairs of classes would be all that is seen.
    axes.imshow(np.sqrt(sorted_mean), cmap=ramp, interpolation="nearest", aspect="equal")
    for edge in np.flatnonzero(np.diff(number[order])) + 0.5:
        axes.axhline(edge, color=MUTED, linewidth=0.5)
        axes.axvline(edge, color=MUTED, linewidth=0.5)
    axes.set(xticks=[], yticks=[], xlabel=tr("named as"), ylabel=tr("drawings of"))
    meaning = tr(
        "Mean probability that drawings of a class (row) give to another (column), family by family from the "
        "largest; the diagonal is left out. Darker is more."
    )
    alt = tr("Where the confusions are: classes by classes, family by family")
    return Picture(figure_data_uri(figure), alt, meaning, "chart")
