"""An ensemble's results in plain words: what it gains, what a naive look would claim, what stays unknown."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.committees.ensemble.result import BASE_RULE, EnsembleResults, MemberRow, RuleRow, ViewsGain
from dessin.page.numbers import capital, counted, p_value, points, share, size, written_p
from dessin.page.tables import aligned, printable
from dessin.statistics.comparison import Comparison

_RULE_WORDS = {
    BASE_RULE: "the best single member",
    "all soft": "the soft vote of all members",
    "all hard": "the hard vote of all members",
    "accuracy": "the soft vote of the most accurate members",
    "diversity": "the soft vote of diverse members",
    "weighted soft": "the weighted soft vote",
    "greedy": "the greedily chosen soft vote",
}


def rule_in_words(name: str) -> str:
    """`greedy` → `the greedily chosen soft vote`; a rule of another's members with votes says so."""
    if name in _RULE_WORDS:
        return _RULE_WORDS[name]
    base = name.removesuffix(", hard vote")
    soft = _RULE_WORDS.get(base) or _RULE_WORDS.get(f"{base} soft", f"the rule {base}")
    return soft.replace("soft vote", "hard vote")


def summary(
    chosen: RuleRow, rules: Sequence[RuleRow], members: int, views: ViewsGain | None
) -> tuple[str, ...]:
    """What the ensemble gives on drawings that its choice did not see, and what the naive figure claims."""
    base = next(row for row in rules if row.name == BASE_RULE)
    n, who = counted(chosen.nested.n, "drawing"), rule_in_words(chosen.name)
    if chosen.gain is None:
        found = (
            f"On drawings that the choice did not see ({n}), {who} names {share(chosen.nested)} right. "
            "It is what the ensembles are held against, so nothing is gained."
        )
    else:
        found = (
            f"On drawings that the choice did not see ({n}), {who} ({counted(len(chosen.members), 'member')} "
            f"of {members}) names {share(chosen.nested)} right, and {rule_in_words(BASE_RULE)}, chosen in "
            f"the same way, {share(base.nested)}: {_gain(chosen.gain)}"
        )
    sentences = [found, _naive(chosen)]
    if views is not None:
        sentences.append(_views(views, who))
    return tuple(sentences)


def _gain(gain: Comparison) -> str:
    numbers = f"{points(gain.difference)} points, p\u00a0{p_value(gain.p_holm)} after Holm"
    return gain_in_words(gain, numbers)


def gain_in_words(gain: Comparison, numbers: str) -> str:
    """The end of a sentence about what is compared: "it gains 2.1 points (..)."."""
    match gain.verdict:
        case "better":
            return f"it gains {size(gain.difference.value)} points ({numbers})."
        case "worse":
            return f"it loses {size(gain.difference.value)} points ({numbers})."
        case "no difference":
            return f"it gains nothing that matters ({numbers})."
        case "cannot tell":
            return f"whether it gains anything cannot be told ({numbers})."


def _naive(chosen: RuleRow) -> str:
    optimism = chosen.optimism
    claim = (
        "The naive figure, from the very drawings that the choice was made on, would have claimed "
        f"{share(chosen.naive)}"
    )
    if optimism.low == optimism.high == 0.0:
        return "The rule chooses nothing by these drawings, so a naive look claims the same."
    if optimism.low > 0:
        return f"{claim}: {points(optimism)} points too much."
    if optimism.high < 0:
        return f"{claim}: {points(optimism)} points, so here the choice made without a part did better on it."
    return f"{claim}; that it is too high cannot be told here ({points(optimism)} points)."


def _views(views: ViewsGain, who: str) -> str:
    gain, looks = views.gain, f"Looking in {len(views.views)} views ({', '.join(views.views)})"
    numbers = f"{points(gain.difference)} points, p\u00a0{p_value(gain.p)}"
    base = f"against {share(views.plain)} in one view, same rule, nested"
    match gain.verdict:
        case "better":
            return f"{looks} gains {who} {size(gain.difference.value)} points ({numbers}; {base})."
        case "worse":
            return f"{looks} costs {who} {size(gain.difference.value)} points ({numbers}; {base})."
        case "no difference":
            return f"{looks} gains {who} none that matters ({numbers}; {base})."
        case "cannot tell":
            return f"{looks}: no gain was found ({numbers}; {base}). {capital(gain.verdict_text)}."


def cautions(
    chosen: RuleRow, rules: Sequence[RuleRow], members: Sequence[MemberRow], folds: int, parts: int
) -> tuple[str, ...]:
    """What the reader must know beside the numbers."""
    found = [
        "This is about these trained models: how much the luck of a training matters is not in the numbers."
    ]
    better = [row for row in rules if row.nested.value > chosen.nested.value]
    if better:
        best = max(better, key=lambda row: row.nested.value)
        found.append(
            f"{capital(rule_in_words(best.name))} has a higher nested figure ({share(best.nested)}) than "
            f"what was asked for ({share(chosen.nested)}). To take it because of this table would be one "
            f"more choice, among {len(rules)}, made on these drawings, and its figure would be too high in "
            f"turn."
        )
    found.append(
        "Each run has validated on these drawings, and may have chosen its epoch by them, so all figures are "
        "a little high; a holdout that nothing was chosen on is the last word, and it was not looked at here."
    )
    if any(len(member.folds) > 1 for member in members if member.name in chosen.members):
        found.append(
            "For each drawing, a member of several folds was asked through its one model that was not "
            "trained on it. In the committee all its models vote, which is usually a little better; that is "
            "not measured here."
        )
    if folds < 3:
        found.append(
            f"The members share {counted(folds, 'fold')} only, so the drawings were dealt into {parts} parts "
            "of whole groups for the nested figures; in all parts a member is the same trained model."
        )
    return tuple(found)


def ensemble_lines(results: EnsembleResults, width: int | None) -> list[str]:
    """The table of rules and the sentences, as lines for a terminal."""
    titles = ["rule", "members", "nested accuracy", "naive", "gain, points", "p (Holm)", "verdict"]
    rows = [
        [
            row.name + (" *" if row.name == results.chosen else ""),
            str(len(row.members)),
            share(row.nested),
            f"{row.naive.value:.1%}",
            points(row.gain.difference) if row.gain else "–",
            written_p(row.gain.p_holm) if row.gain else "–",
            row.gain.verdict if row.gain else "base",
        ]
        for row in results.rules
    ]
    lines = aligned(titles, rows, width, whole=titles[1:])
    lines += [
        "",
        *(printable(sentence.replace("\u00a0", " ").replace("\u202f", " ")) for sentence in results.summary),
    ]
    return [*lines, *(printable(f"Note: {caution}".replace("\u202f", " ")) for caution in results.cautions)]
