"""What an atlas says: its first sentences, what a reader must know beside them, and each property's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dessin.language import tr, tr_n, translated
from dessin.page.numbers import ALPHA, capital, listed, number, p_value, percent, points, share
from dessin.trust.mistakes.result import Atlas, ClassRow, PropertyRow
from dessin.trust.mistakes.strokes import PROPERTIES

_FEW_GROUPS = 3
# Adjusted Rand indices, by convention.
_HOLD, _HOLD_IN_PART = 0.65, 0.35


def worded(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Atlas:
    """The atlas with its words; `together` names properties that rise and fall together, and how far."""
    accuracy = tr(
        "Right on {accuracy} of {drawings} in {classes} that it was not trained on; {mistakes}.",
        accuracy=share(atlas.accuracy),
        drawings=tr_n("{n} drawing", "{n} drawings", atlas.accuracy.n),
        classes=tr_n("{n} class", "{n} classes", len(atlas.classes)),
        mistakes=tr_n("{n} mistake", "{n} mistakes", atlas.mistakes),
    )
    summary = (accuracy, _of_classes(atlas), _of_clusters(atlas), _of_properties(atlas))
    found = [row.model_copy(update={"words": _of_property(row)}) for row in atlas.properties]
    words = {"summary": summary, "cautions": tuple(_cautions(atlas, together)), "properties": tuple(found)}
    return atlas.model_copy(update=words)


def confused_most(atlas: Atlas) -> str:
    """Which two classes are mixed up most often, in either direction: where more drawings help most."""
    both: dict[tuple[str, str], int] = {}
    for pair in atlas.pairs:
        first, second = sorted((pair.label, pair.predicted))
        both[first, second] = both.get((first, second), 0) + pair.count
    if not both:
        return ""
    (first, second), count = max(both.items(), key=lambda item: item[1])
    return tr(
        "Most often {first} and {second} are taken for each other: {count} of {mistakes}. More drawings of "
        "these two would help most.",
        first=atlas.names[first],
        second=atlas.names[second],
        count=count,
        mistakes=tr_n("{n} mistake", "{n} mistakes", atlas.mistakes),
    )


def _of_classes(atlas: Atlas) -> str:
    """How many classes are worse than the rest beyond chance."""
    rows, worse, differ = atlas.classes, atlas.worse, atlas.classes_differ
    if worse:
        return tr_n(
            "One class of {all} is worse than the rest beyond chance: {names}.",
            "{n} classes of {all} are worse than the rest beyond chance: {names}.",
            len(worse),
            all=number(len(rows)),
            names=listed([row.name for row in worse]),
        )
    few = {"drawings": _typical(rows, "n"), "groups": _typical(rows, "groups")}
    never = sum(row.right == 0 for row in rows)
    none = ""
    if never:
        none = " " + tr_n("Of one class none is right.", "Of {n} classes none is right.", never)
    if differ is not None and differ < ALPHA:
        told = tr(
            "Classes differ beyond chance (p\u00a0{p}), but no single one can be told to be worse than the "
            "rest: with {drawings} drawings a class, in {groups} groups, the worst may just be unlucky.",
            p=p_value(differ),
            **few,
        )
    else:
        told = tr(
            "No class can be told to be worse than the rest: with {drawings} drawings a class, in {groups} "
            "groups, the worst may just be unlucky.",
            **few,
        )
    return told + none


def _of_clusters(atlas: Atlas) -> str:
    """The largest cluster of classes confused with one another, or that there is none beyond chance."""
    structure = atlas.structure
    if structure.p is None:
        return tr("No classes are confused with one another, so there are no clusters.")
    if not structure.beyond_chance or not atlas.clusters:
        return tr(
            "Mistakes are spread as if dealt out: they show no clusters of classes beyond chance "
            "(p\u00a0{p}).",
            p=p_value(structure.p),
        )
    first = atlas.clusters[0]
    return tr(
        "The largest cluster of confused classes holds {n} ({names}), and {share} of all mistakes stay "
        "inside it, where {expected} would by chance.",
        n=len(first.labels),
        names=listed([atlas.names[label] for label in first.labels], most=5),
        share=percent(first.share),
        expected=percent(first.expected),
    )


def _of_properties(atlas: Atlas) -> str:
    """Which properties of drawings go with failure."""
    ends = []
    for row in atlas.properties:
        if row.finding == "within classes" and row.within is not None:
            known, fewer = PROPERTIES[row.name], row.within.value > 0
            # The end that fails more, and by how much it is below the other one.
            end, found = (known.lowest, -row.within) if fewer else (known.highest, row.within)
            ends.append(
                tr(
                    "{drawings} ({points} points within classes)",
                    drawings=translated(end),
                    points=points(found),
                )
            )
    said = tr("Among drawings of one class no measured property goes with failure.")
    if ends:
        said = tr("It fails more often on {ends}.", ends=listed(ends))
    between = [translated(row.title).lower() for row in atlas.properties if row.finding == "between classes"]
    if between:
        said += " " + tr(
            "Over all drawings, but not within classes, this goes with failure: {names}.",
            names=listed(between),
        )
    return said


def _of_property(row: PropertyRow) -> str:
    known, parts = PROPERTIES[row.name], row.parts
    if not parts:
        return tr("It could not be measured on any drawing.")
    if row.finding == "all alike" or row.difference is None:
        return tr("All drawings are alike in this ({value}), so nothing can be said.", value=parts[0].name)
    # Which end fails more: by the trend within classes where that was found, else by what is seen.
    judged = row.within if row.finding == "within classes" else row.overall or row.difference
    ends = [(translated(known.lowest), parts[0]), (translated(known.highest), parts[-1])]
    (worse, fewer), (better, more) = ends if judged is not None and judged.value > 0 else ends[::-1]
    seen = capital(
        tr(
            "{fewer} of {worse} are right, against {more} of {better}",
            fewer=share(fewer.accuracy),
            worse=worse,
            more=share(more.accuracy),
            better=better,
        )
    )
    if row.overall is not None:
        seen = tr("{seen} (trend over all drawings p\u00a0{p})", seen=seen, p=p_value(row.p_overall_holm))
    if row.within is None:
        return tr("{seen}. Within classes it cannot be told: too few groups of drawings.", seen=seen)
    said = {
        "seen": seen,
        "worse": worse,
        "inside": points(row.within),
        "lowest": translated(known.lowest),
        "highest": translated(known.highest),
        "p": p_value(row.p_within_holm),
    }
    match row.finding:
        case "within classes":
            return tr(
                "Fails more often on {worse}: {seen}. Among drawings of one class too: {inside} points from "
                "{lowest} to {highest}, p\u00a0{p}.",
                **said,
            )
        case "between classes":
            return tr(
                "{seen}, but that may be a matter of which classes are hard: among drawings of one class "
                "nothing is seen ({inside} points from {lowest} to {highest}, p\u00a0{p}).",
                **said,
            )
        case _:
            return tr(
                "Nothing is seen: {seen}. Among drawings of one class {inside} points from {lowest} to "
                "{highest}, p\u00a0{p}.",
                **said,
            )


def _cautions(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Iterator[str]:
    """What a reader must know beside the numbers."""
    few = sum(row.groups < _FEW_GROUPS for row in atlas.classes)
    if few:
        yield tr(
            "{few} of {classes} have fewer than {groups} groups of drawings here. Drawings of one group are "
            "right or wrong together, so such a class’s share says little.",
            few=few,
            classes=tr_n("{n} class", "{n} classes", len(atlas.classes)),
            groups=_FEW_GROUPS,
        )
    if atlas.absent:
        yield tr("Nothing is said of classes without a drawing here: {names}.", names=listed(atlas.absent))
    agreement = atlas.structure.agreement
    if agreement is not None and atlas.structure.beyond_chance:
        firm = tr("depends on the drawings")
        if agreement > _HOLD_IN_PART:
            firm = tr("is firm") if agreement > _HOLD else tr("is firm in part")
        yield tr(
            "Clusters found in one half of the drawings and in the other agree by {agreement} (adjusted Rand "
            "index: 1 the same, 0 chance): which class is in which {firm}.",
            agreement=f"{agreement:.2f}",
            firm=firm,
        )
    told = {row.name for row in atlas.properties if row.finding in ("within classes", "between classes")}
    if told:
        yield tr(
            "That a property goes with failure does not say that it is the cause; a study that changes only "
            "it could."
        )
    for first, second, value in together:
        if told & {first, second}:
            said = {
                "first": translated(PROPERTIES[first].title),
                "second": translated(PROPERTIES[second].title).lower(),
                "correlation": number(value, 2, sign=True),
            }
            if value > 0:
                yield tr(
                    "{first} and {second} rise together (rank correlation {correlation}), so one may stand "
                    "for the other.",
                    **said,
                )
            else:
                yield tr(
                    "{first} and {second} go against each other (rank correlation {correlation}), so one may "
                    "stand for the other.",
                    **said,
                )


def _typical(rows: Sequence[ClassRow], of: str) -> str:
    """`3 to 5`, or `1`: the range over most classes, from the lowest tenth to the highest."""
    low, high = np.quantile([getattr(row, of) for row in rows], [0.1, 0.9], method="nearest").tolist()
    return f"{low:.0f}" if low == high else tr("{low} to {high}", low=f"{low:.0f}", high=f"{high:.0f}")
