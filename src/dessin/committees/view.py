"""What the pages of committees share: their shape, gains in words, tables of parts and choices, steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dessin.committees.results import CommitteeResults
from dessin.decisions import Decision
from dessin.language import retold, tr
from dessin.page.blocks import Block, Fact, Facts, Headline, Notes, Page, Section, Sentence, Step, Table
from dessin.page.numbers import capital, listed, number, p_value, percent, points, share, signed, size
from dessin.page.parts import measured, step, what_next
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
    if gain.difference.low > 0 or gain.difference.high < 0:
        p = p_value(gain.p_holm)
        why = tr("Of {n} differences, chance makes one look like this too often (p {p}).", n=judged, p=p)
    elif gain.detectable >= _BLIND:
        why = tr("So few drawings and trainings show next to nothing.")
    else:
        why = tr(
            "With so many drawings and trainings, {size} points or more would be found in 80 of 100 cases.",
            size=size(gain.detectable),
        )
    return f"{untold} {why}"


def cautions_of_all(higher: Sequence[str] = (), *, luck: bool = True) -> Iterator[str]:
    """What figures of committees cannot say: `higher` are others with better ones, `luck` is not in them."""
    yield tr(
        "The models may have chosen their epoch on these drawings, so all figures are a little too good. "
        "The holdout has the last word; it was not opened here."
    )
    if luck:
        yield tr("This is about these trained models: the luck of a training is not in the intervals.")
    if higher:
        yield tr(
            "Higher on these drawings: {names}. Taking one because of this page would be one more choice by "
            "them, and its figure too good.",
            names=listed(higher),
        )


def committee_page(data: str, question: str, answer: str, blocks: Iterable[Block], files: str) -> Page:
    """What a page asks of the collection at `data`, and answers; `files` lie beside it."""
    title = f"{Path(data).name or tr('This collection')}: {question}"
    beside = told("Written by dessin. Beside this page are {files}.", files=Code(files))
    return Page(title, answer, tuple(blocks), beside)


def opening(
    who: tuple[str, Estimate], base: tuple[str, Estimate], gain: Comparison | None, *more: Fact
) -> tuple[Block, ...]:
    """The accuracy of `who`, by name, in large; that of what it is held against, the gain, and more facts."""
    (name, found), (other, before) = who, base
    right = tr("named right by {who}, of {n} drawings that it had not seen", who=name, n=number(found.n))
    label = tr("{value} of {n} drawings", value=share(found), n=number(found.n))
    facts = [Fact(capital(other), percent(before.value, 1), share(before).partition(" ")[2])]
    if gain:
        tag, interval = verdict_tag(gain.verdict), points(gain.difference).partition(" ")[2]
        note = tr("{interval}, {verdict}", interval=interval, verdict=tag.text)
        facts.append(Fact(tr("Gain, points"), signed(gain.difference.value), note, tag.tone))
    return Headline.of(found, right, label, mark=before.value), Facts((*facts, *more))


def closing(results: CommitteeResults, how: Iterable[Block], steps: Iterable[Step]) -> tuple[Block, ...]:
    """What the figures cannot say, how they came about, and what to do next."""
    asked = tr(
        "All {n} drawings, in {groups} groups, were answered by models that had not learnt from them.",
        n=number(results.images),
        groups=number(results.groups),
    )
    return cannot_say(results.cautions), measured(Sentence(asked), *how), what_next(*steps)


def cannot_say(cautions: Sequence[str]) -> Notes:
    return Notes(tuple(map(retold, cautions)), tr("What these numbers cannot say"))


def how_made(
    parts: Mapping[str, Path], decisions: Sequence[Decision[Any]], *more: tuple[str, str, str]
) -> tuple[Section, Section]:
    """Trained parts, by what they are, a row each from the record of its run; what was decided, and why."""
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
    trained = Table.of((tr("Part"),), titles, rows)
    whys = [(each.title, retold(str(each.value)), retold(each.reason)) for each in decisions]
    choices = Table.of((tr("Choice"), tr("What"), tr("Why")), (), (*whys, *more))
    return Section(tr("What was trained"), (trained,)), Section(tr("Choices"), (choices,))


def use_steps(out: Path, why: str, tested: Path, *options: str) -> Iterator[Step]:
    """To name new drawings with what lies in `out`, where there is a `why`, and to see mistakes of `tested`.

    `options` are as the verb of mistakes has them.
    """
    if why:
        yield step(why, "predict", out, "new/", "--out", f"{out}-answers.csv")
    wrong = tr("See every mistake, and whose or which drawings fail most.")
    yield step(wrong, "mistakes", tested, *options, "--out", f"{out}-mistakes")


def as_lines(
    blocks: Iterable[Block], said: Iterable[str], notes: Iterable[str], width: int | None
) -> list[str]:
    """Blocks such as tables, sentences and notes for a terminal."""
    shown = [line for block in blocks for line in (*lines((block,), width), "")]
    return [*shown, *lines((*map(Sentence, said), Notes(tuple(notes))), width)]
