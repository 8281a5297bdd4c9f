"""A soup's results in plain words: what it gains, what a naive look would claim, what stays unknown."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.committees.ensemble.words import gain_in_words
from dessin.committees.soup.result import (
    BEST,
    BETWEEN,
    PROBE,
    TUNED,
    CurvePoint,
    SoupMember,
    SoupResults,
    SoupRow,
)
from dessin.page.numbers import capital, counted, listed, p_value, plain, points, share, size, written_p
from dessin.page.tables import aligned, printable
from dessin.statistics.comparison import Comparison

_WORDS = {
    BEST: "the best single run",
    TUNED: "the fine-tuned model",
    PROBE: "the probe",
    BETWEEN: "the step that was chosen",
}


def way_in_words(name: str) -> str:
    return _WORDS.get(name, f"the {name}")


def summary(
    chosen: SoupRow, base: SoupRow, members: Sequence[SoupMember], curve: Sequence[CurvePoint]
) -> tuple[str, ...]:
    """What the chosen way gives on drawings that its choice did not see, and what a naive look claims."""
    return (_found(chosen, base), *_made_of(chosen, members), *_loss(chosen, curve), _naive(chosen, base))


def _found(chosen: SoupRow, base: SoupRow) -> str:
    n, who = counted(chosen.accuracy.n, "drawing"), way_in_words(chosen.name)
    seen = f"On drawings that the choice did not see ({n})"
    also = ", chosen in the same way," if base.name == BEST else ""
    assert chosen.gain is not None, "only the base has no gain"
    return (
        f"{seen}, {who} names {share(chosen.accuracy)} right, and {way_in_words(base.name)}{also} "
        f"{share(base.accuracy)}: {_gain(chosen, chosen.gain)}"
    )


def _gain(chosen: SoupRow, gain: Comparison) -> str:
    numbers = (
        f"{points(gain.difference)} points, {counted(chosen.won, 'drawing')} won and {chosen.lost} lost, "
        f"p\u00a0{p_value(gain.p_holm)} after Holm"
    )
    if not chosen.won and not chosen.lost:
        return "nothing is gained; they name the very same drawings right."
    return gain_in_words(gain, numbers)


def _made_of(chosen: SoupRow, members: Sequence[SoupMember]) -> tuple[str, ...]:
    """What lies in the bundle, where that is not what was asked for: a single member's own weights."""
    names = list(chosen.shares)
    if chosen.name == BETWEEN:
        alpha = step_of(chosen.shares)
        if alpha in (0.0, 1.0):
            end = way_in_words(TUNED if alpha else PROBE)
            return (f"On all drawings no step is better than {end} itself, so the bundle is {end}.",)
        return (
            f"On all drawings the step {alpha:g} of the way from the probe (0) to the fine-tuned weights (1) "
            "is the best, and lies in the bundle.",
        )
    if len(names) == 1:
        return (
            f"No other run made {names[0]} better, so the soup is that run alone, and the bundle has its "
            "very weights.",
        )
    return (f"The bundle is the mean of {len(names)} of {counted(len(members), 'run')}: {listed(names)}.",)


def step_of(shares: dict[str, float]) -> float:
    """How far from the probe shares of the two ends are: 0 is the probe, 1 the fine-tuned weights."""
    return round(1.0 - shares.get(PROBE, 0.0), 6)


def _loss(chosen: SoupRow, curve: Sequence[CurvePoint]) -> tuple[str, ...]:
    """Where the loss is smallest, which is often elsewhere than where most drawings are right."""
    if not curve:
        return ()
    best = min(curve, key=lambda point: point.loss.value)
    if best.alpha == step_of(chosen.shares):
        return (f"The log loss is smallest at this step, too ({plain(best.loss)}).",)
    return (
        f"The log loss is smallest at the step {best.alpha:g} ({plain(best.loss)}; at the end "
        f"{plain(curve[-1].loss)}), but steps are chosen by accuracy.",
    )


def _naive(chosen: SoupRow, base: SoupRow) -> str:
    claim = chosen.naive.value - base.naive.value
    against = f"against {base.naive.value:.1%}"
    if chosen.optimism.low == chosen.optimism.high == 0.0:
        return "It chooses nothing by these drawings, so a naive look claims the same of it."
    figure = (
        f"A naive look, at the very drawings that were chosen by, claims {share(chosen.naive)} {against}, "
        f"{_claimed(claim)}"
    )
    optimism = chosen.optimism
    if optimism.low > 0:
        return f"{figure}: {points(optimism)} points too much."
    if optimism.value == 0.0:
        return f"{figure}. Chosen without a part it did as well on it, so here that figure is not too high."
    return f"{figure}; that its figure is too high cannot be told here ({points(optimism)} points)."


def _claimed(claim: float) -> str:
    if abs(claim) < 5e-4:
        return "a gain of nothing"
    return f"a {'gain' if claim > 0 else 'loss'} of {size(claim)} points"


def cautions(results: SoupResults) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    runs = len({member.run for member in results.members})
    found = [
        "This is about "
        + ("this trained model" if runs == 1 else "these trained models")
        + ": how much the luck of a training matters is not in the numbers.",
        ("The run" if runs == 1 else "Each run")
        + " has validated on these drawings, and may have chosen its epoch by them, so all figures are a "
        "little high; a holdout that nothing was chosen on is the last word, and it was not looked at here.",
    ]
    least = results.chosen_way.accuracy.value
    better = [row for row in results.ways if row.gain and row.accuracy.value > least]
    if better:
        best = max(better, key=lambda row: row.accuracy.value)
        found.append(
            f"{capital(way_in_words(best.name))} has a higher figure ({share(best.accuracy)}) than what was "
            f"asked for ({share(results.chosen_way.accuracy)}). To take it because of this table would be "
            "one more choice made on these drawings, and its figure would be a little high in turn."
        )
    return tuple(found)


def soup_lines(results: SoupResults, width: int | None) -> list[str]:
    """The curve, if there is one, the table of ways and the sentences, as lines for a terminal."""
    lines = []
    if results.curve:
        titles = ["alpha", "accuracy", "log loss"]
        rows = [[f"{p.alpha:.1f}", share(p.accuracy), plain(p.loss)] for p in results.curve]
        lines += [*aligned(titles, rows, width, whole=titles), ""]
    titles = ["way", "members", "cross-fitted accuracy", "naive", "gain, points", "p (Holm)", "verdict"]
    rows = [
        [
            row.name + (" *" if row.name == results.chosen else ""),
            str(len(row.shares)),
            share(row.accuracy),
            f"{row.naive.value:.1%}",
            points(row.gain.difference) if row.gain else "–",
            written_p(row.gain.p_holm) if row.gain else "–",
            row.gain.verdict if row.gain else "base",
        ]
        for row in results.ways
    ]
    lines += [*aligned(titles, rows, width, whole=titles[1:]), ""]
    lines += [_plain(sentence) for sentence in results.summary]
    return [*lines, *(_plain(f"Note: {text}") for text in (*results.notes, *results.cautions))]


def _plain(text: str) -> str:
    return printable(text.replace("\u00a0", " ").replace("\u202f", " "))
