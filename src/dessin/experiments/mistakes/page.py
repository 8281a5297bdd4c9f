"""The page `atlas.html`: classes, pairs and clusters with their drawings, and what goes with failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dessin.experiments.mistakes.answered import Answered
from dessin.experiments.mistakes.galleries import (
    ClusterGallery,
    class_galleries,
    cluster_galleries,
    ends_of,
    pair_galleries,
)
from dessin.experiments.mistakes.looks import looks_at
from dessin.experiments.mistakes.measures import PROPERTIES, Floats
from dessin.experiments.mistakes.outcome import Atlas, ClassRow, PropertyRow
from dessin.experiments.mistakes.thumbnails import Thumbnails
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, listed, p_value, share
from dessin.page.render import render_page
from dessin.runs.subject import Subject
from dessin.statistics.verdicts import written_p

DOTS = 20
TABLE_PAIRS = 200
_TYPICAL = {
    "right": "Answered right, the surest:",
    "wrong": "None was right; drawings of",
    "training": "None here; training drawings of",
}
_TAGS = {
    "within classes": ("goes with failure", " warn"),
    "between classes": ("a matter of classes", ""),
    "not seen": ("nothing seen", ""),
    "cannot tell": ("cannot tell", ""),
    "all alike": ("all alike", ""),
}


@dataclass(frozen=True)
class PropertyView:
    """A property with its dots, and pictures of the two ends of it."""

    row: PropertyRow
    meaning: str
    tag: str
    tone: str
    plot: DotPlot | None
    ends: tuple[tuple[str, tuple[int, ...]], ...]


def atlas_page(atlas: Atlas, subject: Subject, given: Answered, measured: Mapping[str, Floats]) -> str:
    """`atlas.html`, whole: nothing is loaded from outside and every name is escaped."""
    thumbnails = Thumbnails(subject.inputs.manifest)
    split = subject.inputs.split
    pairs = pair_galleries(given, atlas.pairs, [row for row in split.rows if row.fold is not None])
    looks, no_looks = looks_at(subject, given, [place for pair in pairs for place in pair.wrong])
    return render_page(
        "dessin.experiments.mistakes",
        "atlas.html",
        title=f"{atlas.name}: an atlas of its mistakes",
        atlas=atlas,
        given=given,
        names=atlas.names,
        plot=_class_plot(atlas),
        class_galleries=class_galleries(given, atlas.classes),
        pairs=pairs,
        looks=looks,
        no_looks=no_looks,
        several=len(subject.loaded.bundles) > 1,
        clusters=cluster_galleries(given, atlas.clusters, atlas.pairs),
        properties=[_property(row, given, measured, atlas) for row in atlas.properties],
        table_pairs=TABLE_PAIRS,
        picture=lambda place: thumbnails.of(given.rows[place].image_id),
        picture_of=thumbnails.of,
        typical_title=_TYPICAL,
        said=lambda place: _said(given, place, atlas.names),
        place_of=_ordinal,
        counted=counted,
        listed=listed,
        share=share,
        written_p=written_p,
        p_value=p_value,
        taken=lambda row: _taken(row, atlas.names),
        cluster_pairs=lambda view: _cluster_pairs(view, atlas.names),
    )


def _class_plot(atlas: Atlas) -> DotPlot:
    worst = atlas.classes[:DOTS]
    return dot_plot([_class_dot(row) for row in worst], _percent, line=atlas.accuracy.value, reach=[0.0])


def _class_dot(row: ClassRow) -> Dot:
    words = f"{row.right} of {row.n}"
    return Dot(
        name=row.name,
        words=words,
        label=f"{row.name}: {words} right, {share(row.recall)}",
        value=row.recall.value,
        low=row.recall.low,
        high=row.recall.high,
        tone="worse" if row.worse else "cannot-tell",
        note=f"{counted(row.groups, 'group')}{', worse than the rest' if row.worse else ''}",
    )


def _property(
    row: PropertyRow, given: Answered, measured: Mapping[str, Floats], atlas: Atlas
) -> PropertyView:
    known, (tag, tone) = PROPERTIES[row.name], _TAGS[row.finding]
    plot: DotPlot | None = None
    ends: tuple[tuple[str, tuple[int, ...]], ...] = ()
    if len(row.parts) > 1:
        dots = [
            Dot(
                name=part.name,
                words=share(part.accuracy),
                label=f"{row.title} {part.name}: {share(part.accuracy)} right of {part.accuracy.n}",
                value=part.accuracy.value,
                low=part.accuracy.low,
                high=part.accuracy.high,
                tone="worse" if number == _failing(row) else "",
                note=f"n\u00a0=\u00a0{part.accuracy.n:,}",
            )
            for number, part in enumerate(row.parts)
        ]
        plot = dot_plot(dots, _percent, line=atlas.accuracy.value)
        shown = ends_of(measured[row.name], [one.image_id for one in given.rows])
        ends = ((_upper(known.lowest), shown[0]), (_upper(known.highest), shown[1]))
    return PropertyView(row, known.meaning, tag, tone, plot, ends)


def _failing(row: PropertyRow) -> int | None:
    """The number of the part that fails more, if that was found."""
    if row.finding != "within classes" or row.within is None:
        return None
    return 0 if row.within.value > 0 else len(row.parts) - 1


def _said(given: Answered, place: int, names: Mapping[str, str]) -> str:
    """What the model said of a drawing: `taken for owl, 34%`."""
    sure = f"{given.sureness[place]:.0%}"
    if given.correct[place]:
        return f"right, {sure}"
    return f"taken for {names[given.classes[given.predicted[place]]]}, {sure}"


def _taken(row: ClassRow, names: Mapping[str, str]) -> str:
    return listed([f"{names[taken.label]} ({taken.count})" for taken in row.taken_for], most=4)


def _cluster_pairs(view: ClusterGallery, names: Mapping[str, str]) -> str:
    return listed(
        [f"{names[pair.label]} taken for {names[pair.predicted]} ({pair.count})" for pair in view.pairs]
    )


def _ordinal(rank: int) -> str:
    """`2` → `2nd`."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th") if rank % 100 not in (11, 12, 13) else "th"
    return f"{rank}{ending}"


def _percent(value: float) -> str:
    return f"{100 * value:g}%"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
