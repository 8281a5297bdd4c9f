"""What many pages have in the same words: columns, what to do next, how figures are to be read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from dessin.language import tr, tr_n
from dessin.page.blocks import Block, Column, Dots, Key, Kind, Next, Section, Sentence, Sign, Step, Table
from dessin.page.dots import DotPlot
from dessin.page.words import Code, Words, told


def columns(words: Sequence[str], numbers: Sequence[str] = ()) -> tuple[Column, ...]:
    """The columns of a table: those of words, then those of numbers."""
    return (*(Column(title) for title in words), *(Column(title, number=True) for title in numbers))


def dots(
    plot: DotPlot, *, dot: str = "", quiet: str = "", ring: str = "", line: str = "", band: str = ""
) -> Dots:
    """A plot with what its signs mean, as far as they are in it."""
    signs: dict[Sign, str] = {"dot": dot, "quiet": quiet, "ring": ring, "line": line, "band": band}
    return Dots(plot, tuple(Key(sign, words) for sign, words in signs.items() if words))


def paragraphs(*texts: Words, kind: Kind = "plain") -> Iterator[Sentence]:
    """A paragraph each; none of an empty text."""
    return (Sentence(text, kind) for text in texts if text)


def folded(title: str, blocks: Sequence[Block]) -> tuple[Section, ...]:
    """Blocks that open at a click; nothing where there are none."""
    return (Section(title, tuple(blocks), folded=True),) if blocks else ()


def long_table(
    titles: tuple[Column, ...], rows: Sequence[tuple[Words, ...]], shown: int, file: str
) -> Iterator[Block]:
    """The first rows as a table, and the others as one that opens at a click."""
    yield Table(titles, tuple(rows[:shown]), file=file)
    if rest := tuple(rows[shown:]):
        yield from folded(
            tr_n("One more", "{n} more", len(rest)), [Table(titles, rest, file=file and f"{file}-more")]
        )


def measured(*blocks: Block) -> Section:
    """How the figures of a page came about, and how they are to be read; at its end, folded."""
    words = tr(
        "How to read these numbers: in brackets stands the 95% interval, n is the number of drawings. Whole "
        "groups of drawings (copies, one pupil’s, one photo’s) are resampled, for they are right or wrong "
        "together. Differences are paired by drawing. p is how often chance alone would show as much, "
        "corrected for all that was asked (Holm)."
    )
    blocks = (*blocks, Sentence(words, "note"))
    return Section(tr("How this was measured"), blocks, anchor="how", folded=True)


def step(why: Words, *command: object) -> Step:
    """A command of dessin, word by word, and why."""
    return Step(why, shlex.join(["dessin", *map(str, command)]))


def what_next(*steps: Step) -> Section:
    """What to do now."""
    return Section(tr("What to do next"), (Next(steps),), anchor="next")


def further(model: Path, *verbs: str) -> Iterator[Step]:
    """What else can be measured of a model, as steps."""
    why = {
        "mistakes": tr("See every mistake as a picture, and what drawings that fail have in common."),
        "calibrate": tr("Let it say that it is unsure, in place of a wrong answer."),
        "robustness": tr("See what it keeps when drawings are worn, moved, faded or badly photographed."),
        "trust": tr("Measure all that is to be known of it, on one page."),
    }
    for verb in verbs:
        command = "evaluate" if verb == "robustness" else verb
        more = " --robustness" if verb == "robustness" else ""
        yield Step(why[verb], f"dessin {command} {shlex.quote(str(model))}{more} --out {verb}")


def written_by(model: str, files: str) -> Words:
    """The last line of a page."""
    return told(
        "Written by dessin about {model}. The numbers are in {files} beside this page.",
        model=model,
        files=Code(files),
    )
