"""What an atlas says: its first sentences, what a reader must know beside them, and each property's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dessin.language import tr, tr_n, translated
from dessin.page.numbers import ALPHA, counted, listed, number, p_value, percent, points, share
from dessin.trust.mistakes.result import Atlas, PropertyRow
from dessin.trust.mistakes.strokes import PROPERTIES

_FEW_GROUPS = 3


def worded(atlas: Atlas, together: Sequence[tuple[str, str, float]]) -> Atlas:
    """The atlas with its words; `together` names properties that rise and fall together, and how far."""
    said = {"accuracy": share(atlas.accuracy), "mistakes": counted(atlas.mistakes, "mistake")}
    accuracy = tr(
        "Right on {accuracy} of {drawings} in {classes} that it was not trained on; {mistakes}.",
        drawings=counted(atlas.accuracy.n, "drawing"),
        classes=counted(len(atlas.classes), "class", "classes"),
        **said,
    )
    summary = (accuracy, _of_classes(atlas), _of_clusters(atlas), _of_properties(atlas))
    found = [row.model_copy(update={"words": _of_property(row)}) for row in atlas.properties]
    words = {"summary": summary, "cautions": tuple(_cautions(atlas, together)), "properties": tuple(found)}
    return atlas.model_copy(update=words)


def confused_most(atlas: Atlas) -> str:
    """Which two classes are mixed up most often, in either direction: where more drawings help most."""
    both: Counter[tuple[str, ...]] = Counter()
    for pair in atlas.pairs:
        both[tuple(sorted((pair.label, pair.predicted)))] += pair.count
    for labels, count in both.most_common(1):
        first, second = (atlas.names[label] for label in labels)
        return tr(
            "Most often {first} and {second} are taken for each other: {count} of {mistakes}. More drawings "
            "of these two would help most.",
            first=first,
            second=second,
            count=count,
            mistakes=counted(atlas.mistakes, "mistake"),
        )
    return ""


def _of_classes(atlas: Atlas) -> str:
    """Which classes are worse than the rest beyond chance."""
    rows, worse, differ = atlas.classes, atlas.worse, atlas.classes_differ
    if worse:
        said = {"all": number(len(rows)), "names": listed([row.name for row in worse])}
        return tr_n(
            "One class of {all} is worse than the rest beyond chance: {names}.",
            "{n} classes of {all} are worse than the rest beyond chance: {names}.",
            len(worse),
            **said,
        )
    alone = tr(
        "No class can be told to be worse than the rest: with {drawings} drawings a class, in {groups} "
        "groups, the worst may just be unlucky.",
        drawings=_typical(row.n for row in rows),
        groups=_typical(row.groups for row in rows),
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
    said = {"n": len(first.labels), "share": percent(first.share), "expected": percent(first.expected)}
    return tr(
        "The largest cluster of confused classes holds {n} ({names}), and {share} of all mistakes stay "
        "inside it, where {expected} would by chance.",
        names=listed([atlas.names[label] for label in first.labels], most=5),
        **said,
    )


def _of_properties(atlas: Atlas) -> str:
    """Which properties of drawings go with failure: the end that fails more, and how far below the other."""
    ends = []
    for row in atlas.properties:
        if row.failing is not None and row.within is not None:
            below = points(row.within if row.failing else -row.within)
            said = {"drawings": PROPERTIES[row.name].ends[row.failing], "points": below}
            ends.append(tr("{drawings} ({points} points within classes)", **said))
    if ends:
        return tr("It fails more often on {ends}.", ends=listed(ends))
    return tr("Among drawings of one class no measured property goes with failure.")


def _of_property(row: PropertyRow) -> str:
    """What goes with a property among drawings of one class; all drawings are shown beside it, in thirds."""
    ends = PROPERTIES[row.name].ends
    if not row.parts:
        return tr("It could not be measured on any drawing.")
    if row.finding == "all alike" or row.difference is None:
        value = row.parts[0].name
        return tr("All drawings are alike in this ({value}), so nothing can be said.", value=value)
    if row.within is None:
        return tr("Too few groups to tell it within classes.")
    first = tr("Nothing is seen")
    if row.failing is not None:
        first = tr("Fails more often on {worse}", worse=ends[row.failing])
    elif row.finding == "between classes":
        first = tr("What is seen below may be a matter of which classes are hard")
    return tr(
        "{first}: among drawings of one class {points} points from {lowest} to {highest} (p\u00a0{p}).",
        first=first,
        points=points(row.within),
        lowest=ends[0],
        highest=ends[-1],
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
    for *names, correlation in together:
        if told & set(names):
            first, second = (translated(PROPERTIES[name].title) for name in names)
            yield tr(
                "{first} and {second} go together (rank correlation {correlation}): one may stand for both.",
                first=first,
                second=second.lower(),
                correlation=number(correlation, 2, sign=True),
            )


def _typical(counts: Iterable[int]) -> str:
    """`3 to 5`, or `1`: the range over most classes, from the lowest tenth to the highest."""
    low, high = np.quantile(list(counts), [0.1, 0.9], method="nearest").tolist()
    return f"{low:.0f}" if low == high else tr("{low} to {high}", low=f"{low:.0f}", high=f"{high:.0f}")
