"""Ways to answer side by side, and the page of a choice among members: of an ensemble and of a soup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from dessin.committees.sides import Sides, sides_section
from dessin.committees.view import (
    cannot_say,
    gain_facts,
    gain_in_words,
    headline,
    next_section,
)
from dessin.language import retold, tr
from dessin.page.blocks import (
    Block,
    Column,
    Dots,
    Fact,
    Key,
    Notes,
    Page,
    Section,
    Sentence,
    Step,
    Table,
)
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, number, percent, points, share, written_p
from dessin.page.words import Note, Part, Tag, Words
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
        columns = (Column(first), *(Column(title, number=True) for title in numbers), Column(tr("Verdict")))
        return Table(columns, tuple(rows))

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


class Chosen(Protocol):
    """What the results of every choice among members have."""

    @property
    def images(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def parts(self) -> int: ...
    @property
    def matters(self) -> float: ...
    @property
    def summary(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def cautions(self) -> tuple[str, ...]: ...


def naive_in_words(found: Estimate, optimism: Estimate) -> str:
    """What the figure claims that comes from the very drawings that were chosen by."""
    if optimism.low == optimism.high == 0.0:
        return tr("Nothing was chosen by these drawings, so a naive look claims the same.")
    claim = tr(
        "The naive figure, from the very drawings that the choice was made on, would have been {naive}.",
        naive=share(found),
    )
    values = {"points": points(optimism)}
    if optimism.low > 0:
        return f"{claim} {tr('That is {points} points too much.', **values)}"
    if optimism.high < 0:
        untrue = tr("Here the choice made without a part did better on it ({points} points).", **values)
        return f"{claim} {untrue}"
    return f"{claim} {tr('That it is too high cannot be told here ({points} points).', **values)}"


def choice_cautions(ways: Ways) -> list[str]:
    """What the reader of every choice must know."""
    found = [
        tr(
            "This is about these trained models: how much the luck of a training matters is not in the "
            "numbers."
        ),
        tr(
            "Each run has validated on these drawings, and may have chosen its epoch by them, so all figures "
            "are a little high; a holdout that nothing was chosen on is the last word, and it was not looked "
            "at here."
        ),
    ]
    best = max(ways.rows, key=lambda way: way.accuracy.value)
    if best.accuracy.value > ways.found.accuracy.value:
        found.append(
            tr(
                "{who} has a higher figure ({best}) than what was asked for ({chosen}). To take it because "
                "of this table would be one more choice, among {n}, made on these drawings, and its figure "
                "would be too high in turn.",
                who=capital(best.words),
                best=share(best.accuracy),
                chosen=share(ways.found.accuracy),
                n=len(ways.rows),
            )
        )
    return found


def choice_page(
    results: Chosen,
    ways: Ways,
    *,
    title: str,
    blocks: Sequence[Block],
    measured: Sequence[Block],
    steps: Sequence[Step],
    footer: Words,
    sides: Sides | None,
) -> Page:
    """The page of a choice: the answer, what changes, `blocks`, the other ways, and what to do next."""
    found, base = ways.found, ways.base
    n = number(found.accuracy.n)
    right = tr("named right by {who}, of {n} drawings that the choice did not see", who=found.words, n=n)
    claimed = percent(found.naive.value, 1) if found.naive else "–"
    naive = (Fact(tr("A naive look claims"), claimed, tr("measured where it was chosen")),)
    others = tr(
        "Each choice was made {n} times without a part of the drawings, and was then asked about that part: "
        "that is its accuracy, and the one to trust. The naive figure comes from the very drawings that were "
        "chosen by.",
        n=results.parts,
    )
    note = tr(
        "All {n} drawings, in {groups} groups of {classes} classes, were answered by models that were not "
        "trained on them. p is corrected by Holm for the {gains} gains of the table. “No difference”: any "
        "gain or loss is smaller than {matters} points. 95% intervals resample whole groups of drawings.",
        n=number(results.images),
        groups=number(results.groups),
        classes=number(results.classes),
        gains=len(ways.rows) - 1,
        matters=f"{100 * results.matters:g}",
    )
    notes = (Notes(tuple(map(retold, results.notes))),) if results.notes else ()
    how = (ways.table(), Sentence(note, "note"), *notes, *measured)
    return Page(
        title,
        ways.answer(),
        (
            headline(found.accuracy, right, base.accuracy),
            gain_facts(base.accuracy, base.words, found.gain, naive),
            *map(Sentence, results.summary[1:]),
            *([sides_section(sides, found.words, base.words)] if sides and found.gain else []),
            *blocks,
            Section(tr("Other ways to choose"), (ways.dots(),), others, "ways"),
            cannot_say(results.cautions),
            Section(tr("How this was measured"), how, folded=True),
            next_section(steps),
        ),
        footer,
    )


def members_table(
    rows: Sequence[tuple[Words, ...]], first: str, of: str, parts: int, more: str = ""
) -> Table:
    """Members: name, two cells of `vote_share`, accuracy alone, loss, and in how many parts it was chosen."""
    titles = [tr("Weight"), tr("Accuracy alone"), tr("Log loss"), tr("Chosen in parts")]
    titles += [more] if more else []
    numbers = (Column(title, number=True) for title in titles)
    note = tr(
        "“Chosen in parts” says how firm a choice is: the choosing was repeated {n} times, each time without "
        "one part of the drawings.",
        n=parts,
    )
    return Table((Column(first), Column(of), *numbers), tuple(rows), note)
