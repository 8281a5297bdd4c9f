"""The page `atlas.html`: its first sentences, classes, pairs and clusters with their drawings, and what
goes with failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import ALPHA, capital, counted, listed, p_value, points, share
from dessin.page.render import render_page
from dessin.runs.subject import Subject
from dessin.statistics.intervals import Estimate
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.galleries import (
    ClusterGallery,
    Thumbnails,
    class_galleries,
    cluster_galleries,
    ends_of,
    mistake_maps,
    pair_galleries,
)
from dessin.trust.mistakes.result import Atlas, ClassRow, ClusterRow, PropertyRow, Structure
from dessin.trust.mistakes.strokes import PROPERTIES, Floats

_FEW_GROUPS = 3
# Adjusted Rand indices, by convention.
_HOLD, _HOLD_IN_PART = 0.65, 0.35
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


def accuracy_sentence(accuracy: Estimate, mistakes: int, classes: int) -> str:
    """How often the model is right, and on what."""
    return (
        f"Right on {share(accuracy)} of {counted(accuracy.n, 'drawing')} of "
        f"{counted(classes, 'class', 'classes')} that it was not trained on; {counted(mistakes, 'mistake')}."
    )


def classes_sentence(rows: Sequence[ClassRow], differ: float | None) -> str:
    """How many classes are worse than the rest beyond chance; `differ` is the p of all being alike."""
    worse = [row for row in rows if row.worse]
    if worse:
        verb = "is" if len(worse) == 1 else "are"
        return (
            f"{counted(len(worse), 'class', 'classes')} of {len(rows):,} {verb} worse than the rest beyond "
            f"chance: {listed([row.name for row in worse])}."
        )
    never = sum(row.right == 0 for row in rows)
    even = "" if not never else ", not even the one" if never == 1 else f", not even the {never}"
    told = (
        f"Classes differ beyond chance (p\u00a0{p_value(differ)}), but no single one can be told to be"
        if differ is not None and differ < ALPHA
        else "No class can be told to be"
    )
    return (
        f"{told} worse than the rest{even}{' without a drawing right' if never else ''}: with "
        f"{_typical(rows, 'n', 'drawing')} a class, in {_typical(rows, 'groups', 'group')}, the worst may "
        "just be unlucky."
    )


def clusters_sentence(structure: Structure, rows: Sequence[ClusterRow], names: Mapping[str, str]) -> str:
    """The largest cluster of classes confused with one another, or that there is none beyond chance."""
    if structure.p is None:
        return "No classes are confused with one another, so there are no clusters."
    if not structure.beyond_chance or not rows:
        return (
            "Confusions show no clusters of classes beyond chance "
            f"(p\u00a0{p_value(structure.p)}): mistakes are spread as if dealt out."
        )
    first = rows[0]
    return (
        f"The largest cluster of confused classes holds {counted(len(first.labels), 'class', 'classes')} "
        f"({listed([names.get(label, label) for label in first.labels], most=5)}), and {first.share:.0%} "
        f"of all mistakes stay inside it, where {first.expected:.0%} would by chance."
    )


def properties_sentence(rows: Sequence[PropertyRow]) -> str:
    """Which properties of drawings go with failure."""
    inside = [row for row in rows if row.finding == "within classes" and row.within is not None]
    between = [row for row in rows if row.finding == "between classes"]
    parts = []
    if inside:
        parts.append(f"It fails more often on {listed([_harder(row) for row in inside])}.")
    else:
        parts.append("Among drawings of one class no measured property goes with failure.")
    if between:
        verb = "goes" if len(between) == 1 else "go"
        names = listed([row.title.lower() for row in between])
        parts.append(f"{capital(names)} {verb} with failure over all drawings, but not within classes.")
    return " ".join(parts)


def property_words(row: PropertyRow) -> str:
    """What was found of a property."""
    known, parts = PROPERTIES[row.name], row.parts
    if not parts:
        return "It could not be measured on any drawing."
    if row.finding == "all alike" or row.difference is None:
        return f"All drawings are alike in this ({parts[0].name}), so nothing can be said."
    # Which end fails more: by the trend within classes where that was found, else by what is seen.
    judged = row.within if row.finding == "within classes" else row.overall or row.difference
    ends = [(known.lowest, parts[0]), (known.highest, parts[-1])]
    (worse, fewer), (better, more) = ends if judged is not None and judged.value > 0 else ends[::-1]
    seen = f"{share(fewer.accuracy)} of {worse} are right, against {share(more.accuracy)} of {better}"
    whole = "" if row.overall is None else f" (trend over all drawings p\u00a0{p_value(row.p_overall_holm)})"
    if row.within is None:
        return f"{capital(seen)}{whole}. Within classes it cannot be told: too few groups of drawings."
    inside = f"{points(row.within)} points from {known.lowest} to {known.highest}"
    tested = f"p\u00a0{p_value(row.p_within_holm)}"
    match row.finding:
        case "within classes":
            return (
                f"Fails more often on {worse}: {seen}{whole}. Among drawings of one class too: "
                f"{inside}, {tested}."
            )
        case "between classes":
            return (
                f"{capital(seen)}{whole}, but that may be a matter of which classes are hard: among "
                f"drawings of one class nothing is seen ({inside}, {tested})."
            )
        case _:
            return f"Nothing is seen: {seen}{whole}. Among drawings of one class {inside}, {tested}."


def cautions(
    rows: Sequence[ClassRow],
    absent: Sequence[str],
    structure: Structure,
    found: Sequence[PropertyRow],
    together: Sequence[tuple[str, str, float]],
) -> tuple[str, ...]:
    """What a reader must know beside the numbers; `together` names properties that rise and fall together."""
    lines = []
    few = sum(row.groups < _FEW_GROUPS for row in rows)
    if few:
        lines.append(
            f"{counted(few, 'class', 'classes')} of {len(rows):,} {'has' if few == 1 else 'have'} fewer than "
            f"{_FEW_GROUPS} groups of drawings here. Drawings of one group are right or wrong together, so "
            "such a class’s recall says little."
        )
    if absent:
        lines.append(f"Nothing is said of classes without a drawing here: {listed(list(absent))}.")
    if structure.agreement is not None and structure.beyond_chance:
        lines.append(
            f"Clusters found in one half of the drawings and in the other agree by {structure.agreement:.2f} "
            f"(adjusted Rand index: 1 the same, 0 chance): which class is in which "
            f"{_firm(structure.agreement)}."
        )
    if any(row.finding in ("within classes", "between classes") for row in found):
        lines.append(
            "That a property goes with failure does not say that it is the cause; a study that changes only "
            "it could."
        )
    lines += [_together(*pair) for pair in together]
    return tuple(lines)


def _together(first: str, second: str, value: float) -> str:
    how = "rise together" if value > 0 else "go against each other"
    written = f"{value:+.2f}".replace("-", "−")
    names = f"{PROPERTIES[first].title} and {PROPERTIES[second].title.lower()}"
    return f"{names} {how} (rank correlation {written}), so one may stand for the other."


def _firm(agreement: float) -> str:
    held = "is firm" if agreement > _HOLD else "is firm in part"
    return held if agreement > _HOLD_IN_PART else "depends on the drawings"


def _harder(row: PropertyRow) -> str:
    """The end that fails more, and by how much it is below the other one."""
    assert row.within is not None
    known = PROPERTIES[row.name]
    end, found = (known.lowest, -row.within) if row.within.value > 0 else (known.highest, row.within)
    return f"{end} ({points(found)} points within classes)"


def _typical(rows: Sequence[ClassRow], of: str, noun: str) -> str:
    """`3 to 5 drawings`, or `1 group`: the range over most classes, from the lowest tenth to the highest."""
    low, high = np.quantile([getattr(row, of) for row in rows], [0.1, 0.9], method="nearest").tolist()
    return counted(int(low), noun) if low == high else f"{low:.0f} to {counted(int(high), noun)}"


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
    maps, no_maps = mistake_maps(subject, given, [place for pair in pairs for place in pair.wrong])
    return render_page(
        "dessin.trust.mistakes",
        "atlas.html",
        title=f"{atlas.name}: an atlas of its mistakes",
        atlas=atlas,
        given=given,
        names=atlas.names,
        plot=_class_plot(atlas),
        class_galleries=class_galleries(given, atlas.classes),
        pairs=pairs,
        maps=maps,
        no_maps=no_maps,
        several=len(subject.loaded.bundles) > 1,
        clusters=cluster_galleries(given, atlas.clusters, atlas.pairs),
        properties=[_property(row, given, measured, atlas) for row in atlas.properties],
        table_pairs=TABLE_PAIRS,
        picture=lambda place: thumbnails.of(given.rows[place].image_id),
        picture_of=thumbnails.of,
        typical_title=_TYPICAL,
        said=lambda place: _said(given, place, atlas.names),
        place_of=_ordinal,
        taken=lambda row: _taken(row, atlas.names),
        cluster_pairs=lambda view: _cluster_pairs(view, atlas.names),
    )


def _class_plot(atlas: Atlas) -> DotPlot:
    worst = atlas.classes[:DOTS]
    return dot_plot([_class_dot(row) for row in worst], line=atlas.accuracy.value, reach=[0.0])


def _class_dot(row: ClassRow) -> Dot:
    words = f"{row.right} of {row.n}"
    return Dot.of(
        row.name,
        row.recall,
        words,
        label=f"{row.name}: {words} right, {share(row.recall)}",
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
            Dot.of(
                part.name,
                part.accuracy,
                share(part.accuracy),
                label=f"{row.title} {part.name}: {share(part.accuracy)} right of {part.accuracy.n}",
                tone="worse" if number == _failing(row) else "",
                note=f"n\u00a0=\u00a0{part.accuracy.n:,}",
            )
            for number, part in enumerate(row.parts)
        ]
        plot = dot_plot(dots, line=atlas.accuracy.value)
        shown = ends_of(measured[row.name], [one.image_id for one in given.rows])
        ends = ((capital(known.lowest), shown[0]), (capital(known.highest), shown[1]))
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
