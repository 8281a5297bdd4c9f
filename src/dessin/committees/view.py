"""What the pages of committees share: gains in words, tables of parts and choices, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dessin.committees.part_runs import PartRow
from dessin.decisions import Decision
from dessin.language import retold, tr
from dessin.page.blocks import (
    Column,
    Dots,
    Fact,
    Facts,
    Headline,
    Key,
    Next,
    Notes,
    Section,
    Sentence,
    Step,
    Table,
)
from dessin.page.numbers import capital, number, p_value, percent, points, share, signed, size
from dessin.page.text import lines
from dessin.page.words import Bar, Code, Note, Words, told
from dessin.statistics.comparison import Comparison, draw_forest
from dessin.statistics.intervals import Estimate
from dessin.studies.telling import verdict_tag

# A design whose smallest difference is so large sees next to nothing.
_BLIND = 0.5


def collection_of(data: str) -> str:
    """What a page calls the collection that lies at `data`."""
    return Path(data).name or tr("This collection")


def gain_in_words(gain: Comparison, who: str, base: str, *, judged: int = 1) -> str:
    """What `who` gains over `base`, in a sentence; `judged` is how many gains share one correction."""
    values = {"by": size(gain.difference.value), "points": points(gain.difference), "base": base}
    match gain.verdict:
        case "better":
            return tr("{who} gains {by} points over {base} ({points}).", who=capital(who), **values)
        case "worse":
            return tr("{who} loses {by} points against {base} ({points}).", who=capital(who), **values)
        case "no difference":
            return tr(
                "{who} gains nothing that matters over {base} ({points} points).", who=capital(who), **values
            )
    untold = tr(
        "Whether {who} gains anything over {base} cannot be told ({points} points).", who=who, **values
    )
    return f"{untold} {why_untold(gain, judged)}"


def why_untold(gain: Comparison, judged: int = 1) -> str:
    """Why a difference cannot be told, of so many that were `judged` together."""
    if gain.difference.low > 0 or gain.difference.high < 0:
        return tr(
            "The interval alone leaves out 0, but {n} differences were looked at together, and chance makes "
            "one of so many look like this too often (p {p} after Holm’s correction).",
            n=judged,
            p=p_value(gain.p_holm),
        )
    if gain.detectable >= _BLIND:
        return tr("So few drawings and trainings show next to nothing.")
    return tr(
        "With so many drawings and trainings, {size} points or more would be found in 80 of 100 cases.",
        size=size(gain.detectable),
    )


def headline(found: Estimate, words: str, base: Estimate | None = None) -> Headline:
    """An accuracy as the one number of a page, with a mark where the base lies."""
    label = tr("{value} of {n} drawings", value=share(found), n=number(found.n))
    return Headline.of(found, words, label, mark=base.value if base else None)


def gain_facts(base: Estimate, base_words: str, gain: Comparison | None, more: Sequence[Fact] = ()) -> Facts:
    """The base's accuracy, and the gain over it."""
    facts = [Fact(capital(base_words), percent(base.value, 1), _interval(base))]
    if gain:
        found, tone = gain.difference, verdict_tag(gain.verdict).tone
        ends = f"[{signed(found.low)}, {signed(found.high)}]"
        note = tr("{interval}, {verdict}", interval=ends, verdict=verdict_tag(gain.verdict).text)
        facts.append(Fact(tr("Gain, points"), signed(found.value), note, tone))
    return Facts((*facts, *more))


def _interval(found: Estimate) -> str:
    return f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"


def differences(comparisons: Sequence[Comparison], matters: float) -> Dots:
    """Differences in points with the band of those too small to matter."""
    forest = draw_forest(comparisons, matters)
    assert forest, "there is something to compare"
    band = tr("less than {points} points, too little to matter", points=f"{100 * matters:g}")
    return Dots(forest.plot, (Key("band", band),))


def vote_share(weight: float) -> tuple[Words, Words]:
    """A member's share as cells of a table: a bar, and the figure."""
    return (Bar(weight, weighed(weight)) if weight else "", weighed(weight))


def weighed(weight: float) -> str:
    return percent(weight, 1).replace(".0%", "%") if weight else "–"


def cannot_say(cautions: Sequence[str]) -> Notes:
    return Notes(tuple(map(retold, cautions)), tr("What these numbers cannot say"))


def parts_table(parts: Sequence[PartRow]) -> Table:
    """Trained parts, a row each."""
    rows = tuple(
        (
            (part.what, Note(f"runs/{part.run}, {part.backbone}")),
            part.fold,
            number(part.classes),
            number(part.train),
            share(part.accuracy) if part.accuracy else tr("not measured"),
            part.seconds,
        )
        for part in parts
    )
    titles = (tr("Fold"), tr("Classes"), tr("Trained on"), tr("Accuracy on its own labels"), tr("Time"))
    return Table((Column(tr("Part")), *(Column(title, number=True) for title in titles)), rows)


def choices_table(decisions: Sequence[Decision[Any]], more: Sequence[tuple[str, str, str]] = ()) -> Table:
    """What was decided and why."""
    rows = [(each.name, str(each.value), retold(each.reason)) for each in decisions]
    columns = (Column(tr("Choice")), Column(tr("What")), Column(tr("Why")))
    return Table(columns, (*rows, *more))


def files_beside(*names: str) -> Words:
    """The footer: where the numbers are."""
    files: list[Any] = []
    for name in names:
        files += [", ", Code(name)] if files else [Code(name)]
    return told("Written by dessin. Beside this page are {files}.", files=tuple(files))


def mistakes_step(folder: Path, out: Path, *options: str) -> Step:
    """The mistakes of what lies in `folder`, beside the results in `out`; `options` as the verb has them."""
    words = ["dessin", "mistakes", str(folder), *options, "--out", f"{out}-mistakes"]
    return Step(tr("See every mistake, and whose or which drawings fail most."), shlex.join(words))


def predict_step(out: Path, why: str) -> Step:
    return Step(why, shlex.join(["dessin", "predict", str(out), "new/", "--out", f"{out}-answers.csv"]))


def as_lines(
    tables: Iterable[Table], said: Iterable[str], notes: Iterable[str], width: int | None
) -> list[str]:
    """Tables, sentences and notes for a terminal."""
    shown = [line for table in tables for line in (*lines((table,), width), "")]
    return [*shown, *lines((*map(Sentence, said), Notes(tuple(notes))), width)]


def next_section(steps: Sequence[Step]) -> Section:
    return Section(tr("What to do next"), (Next(tuple(steps)),), anchor="next")
