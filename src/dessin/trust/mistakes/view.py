"""The page `atlas.html`: its first sentences, classes, pairs and clusters with their drawings, and what
goes with failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import ALPHA, capital, counted, listed, number, p_value, points, share
from dessin.page.render import render_page
from dessin.runs.subject import Subject
from dessin.trust.mistakes.answered import Answered
from dessin.trust.mistakes.galleries import (
    ClusterGallery,
    class_galleries,
    cluster_galleries,
    ends_of,
    mistake_maps,
    pair_galleries,
    thumbnail,
)
from dessin.trust.mistakes.result import Atlas, ClassRow, PropertyRow
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


def worded(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Atlas:
    """The atlas with its words; `together` names properties that rise and fall together, and how far."""
    accuracy = (
        f"Right on {share(atlas.accuracy)} of {counted(atlas.accuracy.n, 'drawing')} of "
        f"{counted(len(atlas.classes), 'class', 'classes')} that it was not trained on; "
        f"{counted(atlas.mistakes, 'mistake')}."
    )
    summary = (accuracy, _classes_sentence(atlas), _clusters_sentence(atlas), _properties_sentence(atlas))
    found = [row.model_copy(update={"words": _property_words(row)}) for row in atlas.properties]
    words = {"summary": summary, "cautions": tuple(_cautions(atlas, together)), "properties": tuple(found)}
    return atlas.model_copy(update=words)


def _classes_sentence(atlas: Atlas) -> str:
    """How many classes are worse than the rest beyond chance."""
    rows, worse, differ = atlas.classes, atlas.worse, atlas.classes_differ
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


def _clusters_sentence(atlas: Atlas) -> str:
    """The largest cluster of classes confused with one another, or that there is none beyond chance."""
    structure = atlas.structure
    if structure.p is None:
        return "No classes are confused with one another, so there are no clusters."
    if not structure.beyond_chance or not atlas.clusters:
        return (
            "Confusions show no clusters of classes beyond chance "
            f"(p\u00a0{p_value(structure.p)}): mistakes are spread as if dealt out."
        )
    first = atlas.clusters[0]
    return (
        f"The largest cluster of confused classes holds {counted(len(first.labels), 'class', 'classes')} "
        f"({listed([atlas.names[label] for label in first.labels], most=5)}), and {first.share:.0%} "
        f"of all mistakes stay inside it, where {first.expected:.0%} would by chance."
    )


def _properties_sentence(atlas: Atlas) -> str:
    """Which properties of drawings go with failure."""
    ends = []
    for row in atlas.properties:
        if row.finding == "within classes" and row.within is not None:
            known, fewer = PROPERTIES[row.name], row.within.value > 0
            # The end that fails more, and by how much it is below the other one.
            end, found = (known.lowest, -row.within) if fewer else (known.highest, row.within)
            ends.append(f"{end} ({points(found)} points within classes)")
    said = "Among drawings of one class no measured property goes with failure."
    if ends:
        said = f"It fails more often on {listed(ends)}."
    between = [row.title.lower() for row in atlas.properties if row.finding == "between classes"]
    if between:
        verb = "goes" if len(between) == 1 else "go"
        said += f" {capital(listed(between))} {verb} with failure over all drawings, but not within classes."
    return said


def _property_words(row: PropertyRow) -> str:
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


def _cautions(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Iterator[str]:
    """What a reader must know beside the numbers."""
    few = sum(row.groups < _FEW_GROUPS for row in atlas.classes)
    if few:
        yield (
            f"{counted(few, 'class', 'classes')} of {len(atlas.classes):,} {'has' if few == 1 else 'have'} "
            f"fewer than {_FEW_GROUPS} groups of drawings here. Drawings of one group are right or wrong "
            "together, so such a class’s recall says little."
        )
    if atlas.absent:
        yield f"Nothing is said of classes without a drawing here: {listed(atlas.absent)}."
    agreement = atlas.structure.agreement
    if agreement is not None and atlas.structure.beyond_chance:
        firm = "is firm" if agreement > _HOLD else "is firm in part"
        yield (
            f"Clusters found in one half of the drawings and in the other agree by {agreement:.2f} (adjusted "
            f"Rand index: 1 the same, 0 chance): which class is in which "
            f"{firm if agreement > _HOLD_IN_PART else 'depends on the drawings'}."
        )
    told = {row.name for row in atlas.properties if row.finding in ("within classes", "between classes")}
    if told:
        yield (
            "That a property goes with failure does not say that it is the cause; a study that changes only "
            "it could."
        )
    for first, second, value in together:
        if told & {first, second}:
            how = "rise together" if value > 0 else "go against each other"
            names = f"{PROPERTIES[first].title} and {PROPERTIES[second].title.lower()}"
            correlation = f"rank correlation {number(value, 2, sign=True)}"
            yield f"{names} {how} ({correlation}), so one may stand for the other."


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
    manifest, split, names = subject.inputs.manifest, subject.inputs.split, atlas.names
    pairs = pair_galleries(given, atlas.pairs, [row for row in split.rows if row.fold is not None])

    @cache
    def picture_of(image_id: str) -> str:
        return thumbnail(manifest.path(image_id), subject.loaded.page)

    def said(place: int) -> str:
        """What the model said of a drawing: `taken for owl, 34%`."""
        named = names[given.classes[given.predicted[place]]]
        return f"{'right' if given.correct[place] else f'taken for {named}'}, {given.sureness[place]:.0%}"

    def taken(row: ClassRow) -> str:
        return listed([f"{names[taken.label]} ({taken.count})" for taken in row.taken_for], most=4)

    def cluster_pairs(view: ClusterGallery) -> str:
        return listed(
            [f"{names[pair.label]} taken for {names[pair.predicted]} ({pair.count})" for pair in view.pairs]
        )

    maps, no_maps = mistake_maps(subject, given, [place for pair in pairs for place in pair.wrong])
    return render_page(
        "dessin.trust.mistakes",
        "atlas.html",
        title=f"{atlas.name}: an atlas of its mistakes",
        atlas=atlas,
        given=given,
        names=names,
        plot=_class_plot(atlas),
        class_galleries=class_galleries(given, atlas.classes),
        pairs=pairs,
        maps=maps,
        no_maps=no_maps,
        several=len(subject.loaded.bundles) > 1,
        clusters=cluster_galleries(given, atlas.clusters, atlas.pairs),
        properties=[_property(row, given, measured, atlas) for row in atlas.properties],
        table_pairs=TABLE_PAIRS,
        picture=lambda place: picture_of(given.rows[place].image_id),
        picture_of=picture_of,
        typical_title=_TYPICAL,
        said=said,
        place_of=_ordinal,
        taken=taken,
        cluster_pairs=cluster_pairs,
    )


def _class_plot(atlas: Atlas) -> DotPlot:
    dots = [
        Dot.of(
            row.name,
            row.recall,
            f"{row.right} of {row.n}",
            label=f"{row.name}: {row.right} of {row.n} right, {share(row.recall)}",
            tone="worse" if row.worse else "cannot-tell",
            note=f"{counted(row.groups, 'group')}{', worse than the rest' if row.worse else ''}",
        )
        for row in atlas.classes[:DOTS]
    ]
    return dot_plot(dots, line=atlas.accuracy.value, reach=[0.0])


def _property(
    row: PropertyRow, given: Answered, measured: Mapping[str, Floats], atlas: Atlas
) -> PropertyView:
    known, (tag, tone) = PROPERTIES[row.name], _TAGS[row.finding]
    plot: DotPlot | None = None
    ends: tuple[tuple[str, tuple[int, ...]], ...] = ()
    # The part that fails more, if that was found.
    failing = None
    if row.finding == "within classes" and row.within is not None:
        failing = 0 if row.within.value > 0 else len(row.parts) - 1
    if len(row.parts) > 1:
        dots = [
            Dot.of(
                part.name,
                part.accuracy,
                share(part.accuracy),
                label=f"{row.title} {part.name}: {share(part.accuracy)} right of {part.accuracy.n}",
                tone="worse" if place == failing else "",
                note=f"n\u00a0=\u00a0{part.accuracy.n:,}",
            )
            for place, part in enumerate(row.parts)
        ]
        plot = dot_plot(dots, line=atlas.accuracy.value)
        shown = ends_of(measured[row.name], [one.image_id for one in given.rows])
        ends = ((capital(known.lowest), shown[0]), (capital(known.highest), shown[1]))
    return PropertyView(row, known.meaning, tag, tone, plot, ends)


def _ordinal(rank: int) -> str:
    """`2` → `2nd`."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th") if rank % 100 not in (11, 12, 13) else "th"
    return f"{rank}{ending}"
