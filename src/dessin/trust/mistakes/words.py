"""What an atlas says: its first sentences, what a reader must know beside them, and each property's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dessin.language import tr, tr_n, translated
from dessin.page.numbers import ALPHA, capital, counted, listed, number, p_value, percent, points, share
from dessin.trust.mistakes.result import Atlas, ClassRow, PropertyRow
from dessin.trust.mistakes.strokes import PROPERTIES

_FEW_GROUPS = 3


def worded(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Atlas:
    """The atlas with its words; `together` names properties that rise and fall together, and how far."""
    accuracy = tr(
        "Right on {accuracy} of {drawings} in {classes} that it was not trained on; {mistakes}.",
        accuracy=share(atlas.accuracy),
        drawings=counted(atlas.accuracy.n, "drawing"),
        classes=counted(len(atlas.classes), "class", "classes"),
        mistakes=counted(atlas.mistakes, "mistake"),
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
        mistakes=counted(atlas.mistakes, "mistake"),
    )


def _of_classes(atlas: Atlas) -> str:
    """Which classes are worse than the rest beyond chance."""
    rows, worse, differ = atlas.classes, atlas.worse, atlas.classes_differ
    if worse:
        names, every = listed([row.name for row in worse]), number(len(rows))
        return tr_n(
            "One class of {all} is worse than the rest beyond chance: {names}.",
            "{n} classes of {all} are worse than the rest beyond chance: {names}.",
            len(worse),
            all=every,
            names=names,
        )
    alone = tr(
        "No class can be told to be worse than the rest: with {drawings} drawings a class, in {groups} "
        "groups, the worst may just be unlucky.",
        drawings=_typical(rows, "n"),
        groups=_typical(rows, "groups"),
    )
    if differ is None or differ >= ALPHA:
        return alone
    apart = tr("Classes differ beyond chance (p\u00a0{p}).", p=p_value(differ))
    return f"{apart} {alone}"


def _of_clusters(atlas: Atlas) -> str:
    """The largest cluster of classes confused with one another, or that there is none beyond chance."""
    if atlas.structure.p is None:
        return tr("No classes are confused with one another.")
    if not atlas.structure.beyond_chance or not atlas.clusters:
        p = p_value(atlas.structure.p)
        return tr("Mistakes show no clusters of classes beyond chance (p\u00a0{p}).", p=p)
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
            said = {"drawings": translated(end), "points": points(found)}
            ends.append(tr("{drawings} ({points} points within classes)", **said))
    if ends:
        return tr("It fails more often on {ends}.", ends=listed(ends))
    return tr("Among drawings of one class no measured property goes with failure.")


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
    seen = tr(
        "{fewer} of {worse} are right, against {more} of {better}",
        fewer=share(fewer.accuracy),
        worse=worse,
        more=share(more.accuracy),
        better=better,
    )
    if row.within is None:
        return tr("{seen}. Too few groups to tell it within classes.", seen=capital(seen))
    first = tr("Nothing is seen")
    if row.finding == "within classes":
        first = tr("Fails more often on {worse}", worse=worse)
    elif row.finding == "between classes":
        first = tr("That may be a matter of which classes are hard")
    return tr(
        "{first}: {seen}; among drawings of one class {points} points from {lowest} to {highest} "
        "(p\u00a0{p}).",
        first=first,
        seen=seen,
        points=points(row.within),
        lowest=translated(known.lowest),
        highest=translated(known.highest),
        p=p_value(row.p_within_holm),
    )


def _cautions(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Iterator[str]:
    """What a reader must know beside the numbers."""
    if few := sum(row.groups < _FEW_GROUPS for row in atlas.classes):
        yield tr(
            "{few} of {classes} have fewer than {groups} groups of drawings here: their shares say little.",
            few=few,
            classes=counted(len(atlas.classes), "class", "classes"),
            groups=_FEW_GROUPS,
        )
    if atlas.absent:
        yield tr("Nothing is said of classes without a drawing here: {names}.", names=listed(atlas.absent))
    told = {row.name for row in atlas.properties if row.finding in ("within classes", "between classes")}
    if told:
        yield tr("That a property goes with failure does not make it the cause.")
    for names in together:
        if told & set(names[:2]):
            first, second = (translated(PROPERTIES[name].title) for name in names[:2])
            yield tr(
                "{first} and {second} go together (rank correlation {correlation}): one may stand for both.",
                first=first,
                second=second.lower(),
                correlation=number(names[2], 2, sign=True),
            )


def _typical(rows: Sequence[ClassRow], of: str) -> str:
    """`3 to 5`, or `1`: the range over most classes, from the lowest tenth to the highest."""
    low, high = np.quantile([getattr(row, of) for row in rows], [0.1, 0.9], method="nearest").tolist()
    return f"{low:.0f}" if low == high else tr("{low} to {high}", low=f"{low:.0f}", high=f"{high:.0f}")
