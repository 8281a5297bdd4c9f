"""Ways to answer side by side, and the page of a choice among members: of an ensemble and of a soup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dessin.committees.results import ChoiceResults
from dessin.committees.sides import Sides, sides_section
from dessin.committees.view import cautions_of_all, closing, committee_page, gain_in_words, opening
from dessin.language import retold, tr
from dessin.page.blocks import Block, Column, Dots, Key, Notes, Page, Section, Sentence, Step, Table
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import number, percent, plain, points, share, written_p
from dessin.page.parts import columns
from dessin.page.words import Bar, Note, Part, Tag, Words
from dessin.statistics.comparison import Comparison
from dessin.statistics.intervals import Estimate
from dessin.studies.telling import verdict_tag


class Way(NamedTuple):
    """One of those that answered the same drawings: its accuracy, and its gain over the base, which has none.

    `words` name it in a sentence, `meaning` says what it does, `naive` is its figure on the drawings that it
    was chosen by, and `cells` are what else its row of a table says.
    """

    name: str
    words: str
    accuracy: Estimate
    gain: Comparison | None
    cells: tuple[Words, ...] = ()
    meaning: str = ""
    naive: Estimate | None = None


@dataclass(frozen=True)
class Ways:
    """Ways to answer, the one named `chosen` with a `tag`; `titles` are of name, accuracy and their cells."""

    rows: tuple[Way, ...]
    titles: tuple[str, ...]
    chosen: str
    tag: str

    @property
    def found(self) -> Way:
        return next(way for way in self.rows if way.name == self.chosen)

    @property
    def base(self) -> Way:
        return next(way for way in self.rows if way.gain is None)

    def gain(self) -> str:
        """What the chosen way gains over the base, in a sentence."""
        way = self.found
        if way.gain is None:
            return tr("It is what the others are held against, so nothing is gained.")
        return gain_in_words(way.gain, way.words, self.base.words, judged=len(self.rows) - 1)

    def in_words(self) -> str:
        """What the chosen way has right on drawings that it was not chosen by, and what it gains."""
        said = tr(
            "On {n} drawings that the choice did not see, {who} names {found} right.",
            n=number(self.found.accuracy.n),
            who=self.found.words,
            found=share(self.found.accuracy),
        )
        return f"{said} {self.gain()}"

    def answer(self) -> str:
        """Whether the chosen way is better, and by how much."""
        verdict = self.found.gain.verdict if self.found.gain else "no difference"
        if verdict == "cannot tell":
            return self.gain()
        return f"{tr('Yes.') if verdict == 'better' else tr('No.')} {self.gain()}"

    def table(self, *, brief: bool = False) -> Table:
        """A row for each; a `brief` one is for a terminal."""
        first, *numbers = self.titles
        numbers += [tr("Naive")] if self.base.naive else []
        numbers += [tr("Gain, points"), tr("p (Holm)")]
        rows: list[tuple[Words, ...]] = []
        for way in self.rows:
            name: list[Part] = [way.name]
            name += [f" ({self.tag})"] if brief and way.name == self.chosen else []
            name += [" ", Tag(self.tag)] if not brief and way.name == self.chosen else []
            name += [Note(way.meaning)] if way.meaning and not brief else []
            verdict = verdict_tag(way.gain.verdict) if way.gain else Tag(tr("base"), "muted")
            gain = (points(way.gain.difference), written_p(way.gain.p_holm)) if way.gain else ("", "")
            cells: list[Words] = [share(way.accuracy), *way.cells]
            cells += [percent(way.naive.value, 1)] if way.naive else []
            rows.append((tuple(name), *cells, *gain, verdict.text if brief else verdict))
        return Table((*columns((first,), numbers), Column(tr("Verdict"))), tuple(rows))

    def dots(self) -> Dots:
        """Accuracies on one scale, the naive ones as rings; the line is the base's."""
        dots = [
            Dot.of(
                way.name,
                way.accuracy,
                share(way.accuracy),
                tone="" if way.name == self.chosen else "cannot-tell",
                note=self.tag if way.name == self.chosen else "",
                hollow=way.naive.value if way.naive else None,
            )
            for way in self.rows
        ]
        ring = (Key("ring", tr("naive; behind the dot where both agree")),) if self.base.naive else ()
        key = (Key("quiet", tr("accuracy, 95% interval")), *ring, Key("line", self.base.words))
        line = self.base.accuracy.value
        return Dots(dot_plot(dots, lambda value: f"{100 * value:g}%", line=line), key)


def naive_in_words(found: Estimate, optimism: Estimate) -> str:
    """What the figure claims that comes from the very drawings that were chosen by."""
    if optimism.low == optimism.high == 0.0:
        return tr("Nothing was chosen by these drawings, so a naive look claims the same.")
    values = {"naive": share(found), "points": points(optimism)}
    if optimism.low > 0:
        return tr(
            "Measured on the drawings that it was chosen by, it would claim {naive}: {points} points too "
            "much.",
            **values,
        )
    return tr(
        "Measured on the drawings that it was chosen by, it would claim {naive} ({points} points).", **values
    )


def choice_cautions(ways: Ways) -> tuple[str, ...]:
    """What the reader of every choice must know."""
    reached = ways.found.accuracy.value
    return tuple(cautions_of_all([way.words for way in ways.rows if way.accuracy.value > reached]))


def choice_page(
    results: ChoiceResults,
    ways: Ways,
    question: str,
    blocks: Iterable[Block],
    steps: Iterable[Step],
    files: str,
    sides: Sides | None,
) -> Page:
    """The page of a choice: `blocks`, then the other ways; `sides` are the chosen one and the base."""
    found, base = ways.found, ways.base
    others = tr(
        "Each choice was made {n} times without a part of the drawings, and was then asked about that part: "
        "that is its accuracy. The naive figure comes from the very drawings that were chosen by.",
        n=results.parts,
    )
    notes = [Notes(tuple(map(retold, results.notes)))] if results.notes else []
    shown: tuple[Block, ...] = (
        *opening((found.words, found.accuracy), (base.words, base.accuracy), found.gain),
        *map(Sentence, results.summary[1:]),
        *([sides_section(sides, found.words, base.words)] if sides and found.gain else []),
        *blocks,
        Section(tr("Other ways to choose"), (ways.dots(),), others, "ways"),
        *closing(results, (ways.table(), *notes), steps),
    )
    return committee_page(results.data, question, ways.answer(), shown, files)


class Ingredient(NamedTuple):
    """What went into a vote or a mean: its share, what it gives alone, and how often it was chosen."""

    name: Words
    weight: float
    accuracy: Estimate
    loss: Estimate
    chosen: int


def members_table(members: Sequence[Ingredient], first: str, of: str, parts: int) -> Table:
    rows = []
    for name, weight, accuracy, loss, chosen in members:
        figure = percent(weight, 1).replace(".0%", "%") if weight else "–"
        firm = tr("{n} of {all}", n=chosen, all=parts)
        bar = Bar(weight, figure) if weight else ""
        rows.append((name, bar, figure, share(accuracy), plain(loss), firm))
    titles = (tr("Weight"), tr("Accuracy alone"), tr("Log loss"), tr("Chosen in parts"))
    note = tr(
        "“Chosen in parts”: chosen anew {n} times, each time without one part of the drawings.", n=parts
    )
    return Table.of((first, of), titles, rows, note)
