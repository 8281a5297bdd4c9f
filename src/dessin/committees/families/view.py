"""The families in words and as a page: their share of the errors, and what they could pay."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dessin.collection.thumbnails import Thumbnails
from dessin.committees.answers import OutOfFold
from dessin.committees.families.measure import FamilyPotential, Potential, worth_an_expert
from dessin.committees.families.proposals import Proposal, soft_confusion, stability
from dessin.committees.families.result import FamilyMap
from dessin.committees.view import as_lines, cannot_say, collection_of, headline, next_section
from dessin.language import retold, tr, tr_n
from dessin.page.blocks import (
    Column,
    Gallery,
    Grid,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.numbers import listed, number, percent, points, share, signed
from dessin.page.pictures import ACCENT, GRID, INK, MUTED, figure_data_uri, new_figure
from dessin.page.words import Note, Words

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
    worth = worth_an_expert(found)
    router = tr(
        "A router that is always right would bring {points} points to {now}.",
        points=points(found.router.gain.difference),
        now=percent(found.now.value, 1),
    )
    if not worth:
        none = tr(
            "Experts cannot be seen to pay: in no family would even a perfect one gain more than chance "
            "could explain."
        )
        return f"{router} {none}"
    gains = [f"{row.name} ({points(row.bound.gain.difference)})" for row in worth if row.bound]
    first = tr(
        "Experts can pay, first in {families}, if perfect; real ones give a part of that, or nothing, which "
        "dessin route measures.",
        families=listed(gains),
    )
    return f"{router} {first}"


def cautions(answers: OutOfFold, found: Potential, *, same_images: bool) -> Iterator[str]:
    """What the reader must know beside the bounds."""
    yield tr(
        "A perfect expert gains more the larger its family is, and one family of everything would make it "
        "perfect altogether: compare families of like size."
    )
    if same_images:
        yield tr(
            "The families were found in the same confusions that the bounds are computed from, so the bounds "
            "flatter them a little."
        )
    for row in found.families:
        if len(row.labels) > _LARGE * len(answers.classes):
            yield tr(
                "{family} holds {n} of the {all} classes: an expert for it has nearly the whole task.",
                family=row.name,
                n=number(len(row.labels)),
                all=number(len(answers.classes)),
            )


def how_stable(answers: OutOfFold, count: int) -> str:
    """Whether other images would have suggested the same families, in words."""
    value = stability(answers.probabilities, answers.targets, answers.groups, count=count)
    images = f"{len(answers.targets) / len(answers.classes):.0f}"
    if value is None:
        return tr(
            "With {images} images a class, most of them in one group, it cannot be said whether other images "
            "would suggest the same families; runs of more folds can tell.",
            images=images,
        )
    held = tr("The families depend on the images.")
    if value > _HOLD_IN_PART:
        held = tr("The families hold in part.")
    if value > _HOLD:
        held = tr("The families hold.")
    agree = tr(
        "From one half of the images and from the other they agree by {value} (adjusted Rand index: 1 the "
        "same, 0 chance), with {images} images a class in both together.",
        value=f"{value:.2f}",
        images=images,
    )
    return f"{held} {agree}"


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
    steps: Sequence[Step],
) -> Page:
    """The page of a proposal; `steps` are what to do with it."""
    right = tr(
        "named right by {who}, of {n} drawings that it was not trained on; the mark: its family",
        who=answers.name,
        n=number(found.now.n),
    )
    charts = [Section("", (_confusion(answers, proposal.families),))]
    charts += [Section("", (_modularity(proposal),))] if len(proposal.modularity) else []
    bounds = tr(
        "Bounds, not results: with parts that make no mistake. A perfect router always knows the family, and "
        "the generalist chooses inside it. A perfect expert names the class wherever the generalist’s own "
        "sums find the family."
    )
    words = Sentence(f"{retold(proposal.words)}.")
    how = (words, _numbers(found, answers.names), Grid(tuple(charts)))
    return Page(
        title=tr("{collection}: which classes belong together?", collection=collection_of(typical.data)),
        lead=verdict(found),
        blocks=(
            headline(found.now, right, found.found),
            _families(answers, found, typical),
            Section(tr("What it could pay"), (_bounds(found),), bounds, "bounds"),
            cannot_say(cautions),
            Section(tr("How this was measured"), how, folded=True),
            next_section(steps),
        ),
    )


def _families(answers: OutOfFold, found: Potential, typical: Typical) -> Section:
    errors = max(1, sum(row.errors for row in found.families))
    lead = tr(
        "In the order of what a perfect expert for each alone would gain. An error inside the family is one "
        "that an expert could put right; the others are the router’s."
    )
    cards = []
    for row in found.families:
        says = tr(
            "{classes} classes, {drawings} drawings, {right} named right. Of all errors {share} are here; "
            "{inside} of {errors} name another class of the family.",
            classes=number(len(row.labels)),
            drawings=number(row.images),
            right=percent(row.correct / row.images) if row.images else "–",
            share=percent(row.errors / errors),
            inside=number(row.inside),
            errors=number(row.errors),
        )
        pictured = row.labels[:_PICTURED] if typical.thumbnails.available else ()
        shots = tuple(_shot(label, answers.names[label], typical) for label in pictured)
        others = [answers.names[label] for label in row.labels[len(pictured) :]]
        gallery = (Gallery(shots, "small"),) if shots else ()
        rest = (Sentence(", ".join(others)),) if others else ()
        cards.append(Section(row.name, (*gallery, *rest), says))
    return Section(tr("The families"), (Grid(tuple(cards)),), lead, "families")


def _shot(label: str, name: str, typical: Typical) -> Shot:
    image_id = typical.image_ids.get(label, "")
    source = typical.thumbnails.uri(image_id) if image_id else ""
    return Shot((Picture(source, f"{name}: {image_id}"),), note=name)


def _numbers(found: Potential, names: Mapping[str, str]) -> Table:
    errors = max(1, sum(row.errors for row in found.families))
    rows: list[tuple[Words, ...]] = []
    for row in found.families:
        classes = listed([names[label] for label in row.labels], most=_SHOWN)
        rows.append(
            (
                (row.name, Note(classes)),
                number(len(row.labels)),
                number(row.images),
                percent(row.errors / errors),
                tr("{n} of {all}", n=number(row.inside), all=number(row.errors)),
                _expert(row, found),
            )
        )
    titles = (
        tr("Classes"),
        tr("Drawings"),
        tr("Share of all errors"),
        tr("Errors inside"),
        tr("Perfect expert, points"),
    )
    columns = (Column(tr("Family")), *(Column(title, number=True) for title in titles))
    return Table(columns, tuple(rows), file="families")


def _expert(row: FamilyPotential, found: Potential) -> str:
    return points(row.bound.gain.difference) if row.bound else signed(row.gained / found.now.n)


def _bounds(found: Potential) -> Table:
    rows = [
        (tr("The generalist now"), share(found.now), ""),
        (tr("Its family is right"), share(found.found), ""),
        (
            tr("Perfect router"),
            share(found.router.accuracy),
            points(found.router.gain.difference),
        ),
    ]
    for place, bound in enumerate(found.cumulated):
        name = tr("Perfect expert for {family}", family=bound.name)
        if place:
            name = tr("… and for {family}", family=bound.name)
        rows.append((name, share(bound.accuracy), points(bound.gain.difference)))
    titles = (tr("Accuracy"), tr("Gain, points"))
    note = tr("Of {n} drawings, with 95% intervals.", n=number(found.now.n))
    return Table((Column(tr("Parts")), *(Column(title, number=True) for title in titles)), tuple(rows), note)


def family_steps(runs: Sequence[Path], out: Path) -> tuple[Step, ...]:
    """What to do with a proposal in the file `out`."""
    first, shown = shlex.quote(str(runs[0])), shlex.quote(str(out))
    changed = shlex.quote(str(out.with_name(f"{out.stem}-2.csv")))
    named = " ".join(shlex.quote(str(run)) for run in runs)
    return (
        Step(
            tr("Train a router and experts for these families, and measure whether they pay."),
            f"dessin route {first} --families {shown} --out {shlex.quote(str(out.with_name('routed')))}",
        ),
        Step(
            tr("Change the families in the file by hand, and see what those could pay."),
            f"dessin families {named} --from {shown} --out {changed}",
        ),
    )


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
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(tr("named as"))
    axes.set_ylabel(tr("drawings of"))
    meaning = tr(
        "Mean probability that drawings of a class (row) give to another (column), family by family from the "
        "largest; the diagonal is left out. Darker is more."
    )
    alt = tr("Where the confusions are: classes by classes, family by family")
    return Picture(figure_data_uri(figure), alt, meaning, "chart")


def _modularity(proposal: Proposal) -> Picture:
    """How good each number of families is, where families were cut from confusions."""
    values, chosen = proposal.modularity, len(proposal.families.names)
    figure, axes = new_figure(5.6, 2.6)
    counts = np.arange(1, len(values) + 1)
    axes.plot(counts, values, color=ACCENT, linewidth=1.8)
    axes.axhline(0, color=GRID, linewidth=0.8)
    axes.plot([chosen], [values[chosen - 1]], "o", color=ACCENT)
    label = tr_n("{n} family", "{n} families", chosen)
    axes.annotate(label, (chosen, values[chosen - 1]), xytext=(8, 4), textcoords="offset points")
    axes.margins(y=0.15)
    axes.set_xlabel(tr("number of families"))
    axes.set_ylabel(tr("modularity"))
    meaning = tr(
        "How much more confusion lies inside families than chance would put there, for each number of "
        "families."
    )
    return Picture(figure_data_uri(figure), tr("Modularity for each number of families"), meaning, "chart")
