"""What was found of a property of drawings, as rows with words."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.page.numbers import capital, p_value, points, share
from dessin.statistics.intervals import Estimate
from dessin.trust.mistakes.properties import Association, Part
from dessin.trust.mistakes.result import PartRow, PropertyRow
from dessin.trust.mistakes.strokes import PROPERTIES, Property


def property_rows(found: Sequence[Association]) -> tuple[PropertyRow, ...]:
    """A row for each; those that go with failure come first, then by the p of the trend within classes."""
    order = {"within classes": 0, "between classes": 1, "not seen": 2, "cannot tell": 3, "all alike": 4}
    ranked = sorted(found, key=lambda one: (order[one.finding], one.p_within, one.p_overall))
    return tuple(_row(one) for one in ranked)


def _row(one: Association) -> PropertyRow:
    known = PROPERTIES[one.name]
    parts = tuple(
        PartRow(name=_part_name(part, known), low=part.low, high=part.high, accuracy=part.accuracy)
        for part in one.parts
    )
    difference, overall, within = (
        None if value is None else value for value in (one.difference, one.overall, one.within)
    )
    return PropertyRow(
        name=one.name,
        title=known.title,
        unit=known.unit,
        parts=parts,
        difference=difference,
        overall=overall,
        within=within,
        p_overall=one.p_overall,
        p_within=one.p_within,
        p_overall_holm=one.p_overall_holm,
        p_within_holm=one.p_within_holm,
        finding=one.finding,
        words=_words(one, parts, known, overall, within),
    )


def _part_name(part: Part, known: Property) -> str:
    low, high = known.shown(part.low), known.shown(part.high)
    return low if low == high else f"{low} to {high}"


def _words(
    one: Association,
    parts: tuple[PartRow, ...],
    known: Property,
    overall: Estimate | None,
    within: Estimate | None,
) -> str:
    if not parts:
        return "It could not be measured on any drawing."
    if one.finding == "all alike" or one.difference is None:
        return f"All drawings are alike in this ({parts[0].name}), so nothing can be said."
    harder = _harder(one)
    ends = {known.lowest: parts[0], known.highest: parts[-1]}
    worse, better = (known.lowest, known.highest) if harder == "lowest" else (known.highest, known.lowest)
    seen = (
        f"{share(ends[worse].accuracy)} of {worse} are right, against "
        f"{share(ends[better].accuracy)} of {better}"
    )
    whole = "" if overall is None else f" (trend over all drawings p\u00a0{p_value(one.p_overall_holm)})"
    if within is None:
        return f"{capital(seen)}{whole}. Within classes it cannot be told: too few groups of drawings."
    inside = f"{points(within)} points from {known.lowest} to {known.highest}"
    tested = f"p\u00a0{p_value(one.p_within_holm)}"
    match one.finding:
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


def _harder(one: Association) -> str:
    """Which end fails more: by the trend within classes where that was found, else by what is seen."""
    judged = one.within if one.finding == "within classes" else one.overall or one.difference
    return "lowest" if judged is not None and judged.value > 0 else "highest"
