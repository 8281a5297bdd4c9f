"""What the pages of committees share: their shape, gains in words, tables of parts and choices, steps."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from dessin.committees.sides import Sides, sides_section
from dessin.decisions import Decision
from dessin.language import retold, tr
from dessin.page.blocks import Block, Fact, Facts, Headline, Notes, Page, Section, Sentence, Step, Table
from dessin.page.numbers import capital, listed, number, p_value, percent, points, share, signed, size
from dessin.page.parts import columns, measured, what_next
from dessin.page.text import lines
from dessin.page.words import Code, Note, told
from dessin.progress import duration
from dessin.runs.record import read_record
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate
from dessin.studies.telling import verdict_tag

# A design whose smallest difference is so large sees next to nothing.
_BLIND = 0.5


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
    return f"{untold} {_why_untold(gain, judged)}"


def _why_untold(gain: Comparison, judged: int) -> str:
    """Why a difference cannot be told, of so many that were `judged` together."""
    if gain.difference.low > 0 or gain.difference.high < 0:
        p = p_value(gain.p_holm)
        return tr("Of {n} differences, chance makes one look like this too often (p {p}).", n=judged, p=p)
    if gain.detectable >= _BLIND:
        return tr("So few drawings and trainings show next to nothing.")
    return tr(
        "With so many drawings and trainings, {size} points or more would be found in 80 of 100 cases.",
        size=size(gain.detectable),
    )


def cautions_of_all(higher: Sequence[str] = (), *, luck: bool = True) -> tuple[str, ...]:
    """What figures of committees cannot say: `higher` are others with better ones, `luck` is not in them."""
    found = [
        tr(
            "The models may have chosen their epoch on these drawings, so all figures are a little too good. "
            "The holdout has the last word; it was not opened here."
        )
    ]
    if luck:
        found.append(
            tr("This is about these trained models: the luck of a training is not in the intervals.")
        )
    if higher:
        taken = tr(
            "Higher on these drawings: {names}. Taking one because of this page would be one more choice by "
            "them, and its figure too good.",
            names=listed(higher),
        )
        found.append(taken)
    return tuple(found)


class Measured(Protocol):
    """What the results of every committee have."""

    @property
    def images(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def cautions(self) -> tuple[str, ...]: ...


def committee_page(
    results: Measured,
    *,
    collection: str,
    question: str,
    answer: str,
    who: tuple[str, Estimate],
    base: tuple[str, Estimate],
    gain: Comparison | None,
    facts: Sequence[Fact] = (),
    said: Sequence[Block] = (),
    sides: Sides | None,
    blocks: Sequence[Block],
    how: Sequence[Block],
    steps: Sequence[Step],
    files: Sequence[str],
) -> Page:
    """The page of what was made of several models, `who` and what it is held against by name and accuracy.

    The answer, what it rests on (`said`), what changes drawing by drawing, what the verb has to show
    (`blocks`), what it cannot say, how it was measured, and what to do next.
    """
    (name, found), (other, before) = who, base
    right = tr("named right by {who}, of {n} drawings that it had not seen", who=name, n=number(found.n))
    label = tr("{value} of {n} drawings", value=share(found), n=number(found.n))
    first = [Fact(capital(other), percent(before.value, 1), _ends(share(before)))]
    if gain:
        tag = verdict_tag(gain.verdict)
        note = tr("{interval}, {verdict}", interval=_ends(points(gain.difference)), verdict=tag.text)
        first.append(Fact(tr("Gain, points"), signed(gain.difference.value), note, tag.tone))
    asked = tr(
        "All {n} drawings, in {groups} groups, were answered by models that had not learnt from them.",
        n=number(results.images),
        groups=number(results.groups),
    )
    return Page(
        titled(collection, question),
        answer,
        (
            Headline.of(found, right, label, mark=before.value),
            Facts((*first, *facts)),
            *said,
            *([sides_section(sides, name, other)] if sides and gain else []),
            *blocks,
            cannot_say(results.cautions),
            measured(Sentence(asked), *how),
            what_next(*steps),
        ),
        told(
            "Written by dessin. Beside this page are {files}.",
            files=tuple(part for file in files for part in (", ", Code(file)))[1:],
        ),
    )


def titled(collection: str, question: str) -> str:
    """What a page asks of the collection at that place."""
    return f"{Path(collection).name or tr('This collection')}: {question}"


def _ends(text: str) -> str:
    """`38.8% [34.4, 43.7]` → `[34.4, 43.7]`."""
    return text.partition(" ")[2]


def cannot_say(cautions: Sequence[str]) -> Notes:
    return Notes(tuple(map(retold, cautions)), tr("What these numbers cannot say"))


def parts_section(parts: Mapping[str, Path]) -> Section:
    """Trained parts, by what they are, a row each from the record of its run."""
    rows = []
    for what, folder in parts.items():
        record = read_record(folder)
        found = record.results.get("validation")
        rows.append(
            (
                (what, Note(f"runs/{folder.name}, {record.recipe.model.backbones}")),
                str(record.recipe.data.fold),
                number(record.counts.classes),
                number(record.counts.train),
                share(found.accuracy) if found else tr("not measured"),
                duration(sum(record.timings.values())),
            )
        )
    titles = (tr("Fold"), tr("Classes"), tr("Trained on"), tr("Accuracy on its own labels"), tr("Time"))
    return Section(tr("What was trained"), (Table(columns((tr("Part"),), titles), tuple(rows)),))


def choices_section(decisions: Sequence[Decision[Any]], more: Sequence[tuple[str, str, str]] = ()) -> Section:
    """What was decided and why."""
    rows = [(each.title, retold(str(each.value)), retold(each.reason)) for each in decisions]
    table = Table(columns((tr("Choice"), tr("What"), tr("Why"))), (*rows, *more))
    return Section(tr("Choices"), (table,))


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
