"""What many pages have in the same words: columns, what to do next, how figures are to be read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dessin.language import tr, tr_n
from dessin.page.blocks import (
    Block,
    Column,
    Dots,
    Key,
    Kind,
    Next,
    Picture,
    Section,
    Sentence,
    Sign,
    Step,
    Table,
)
from dessin.page.dots import DotPlot
from dessin.page.numbers import Interval, number, percent, share
from dessin.page.words import Bar, Code, Words, told


def columns(
    words: Sequence[str], numbers: Sequence[str] = (), more: Sequence[str] = ()
) -> tuple[Column, ...]:
    """The columns of a table: those of words, then those of numbers, then more of words."""
    figures = (Column(title, number=True) for title in numbers)
    return (*map(Column, words), *figures, *map(Column, more))


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


def counts(rows: Iterable[tuple[Words, int]], what: str = "", note: Words = "") -> Table:
    """A row each: of what, how many images."""
    titles = columns((what or tr("What"),), (tr("Images"),))
    return Table(titles, tuple((name, number(count)) for name, count in rows), note)


def photograph(before: str, after: str, image_id: str) -> tuple[Picture, Picture]:
    """A photograph of paper, and the page that a model sees of it."""
    page = Picture(after, tr("the page of {image}", image=image_id), tr("as the model sees it"))
    return Picture(before, image_id, tr("as it was taken")), page


def named_right(
    titles: Sequence[str],
    rows: Sequence[tuple[Words, Interval, int, *tuple[Words, ...]]],
    shown: int,
    file: str,
) -> Iterator[Block]:
    """How many of so many are named right, as a bar and in figures, and what else is said in words."""
    first, *others = titles
    words, figures = (first, tr("Share named right"), *others), (tr("Right"), tr("Drawings"))
    cells = [
        (name, Bar.of(right, share(right, 0)), *more, percent(right.value), number(n))
        for name, right, n, *more in rows
    ]
    yield from long_table(columns(words, figures), cells, shown, file)


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


def further(model: Path, *verbs: str, into: str = "") -> Iterator[Step]:
    """What else can be measured of a model, as steps; what comes of them is put `into` a folder."""
    given = shlex.quote(model.as_posix())
    steps = {
        "holdout": (
            tr("When all choices are made, open the drawings set aside: their number is the honest one."),
            f"evaluate {given} --holdout",
        ),
        "mistakes": (
            tr("See every mistake as a picture, and what drawings that fail have in common."),
            f"mistakes {given}",
        ),
        "calibrate": (
            tr("Let it say that it is unsure, in place of a wrong answer."),
            f"calibrate {given}",
        ),
        "robustness": (
            tr("See what it keeps when drawings are worn, moved, faded or badly photographed."),
            f"evaluate {given} --robustness",
        ),
        "trust": (
            tr("See what it may be trusted with, on one page: worn drawings, confidences, its worst class."),
            f"trust {given}",
        ),
    }
    for verb in verbs:
        why, command = steps[verb]
        yield Step(why, f"dessin {command} --out {into}{verb}")


def written_by(model: str, files: str) -> Words:
    """The last line of a page."""
    return told(
        "Written by dessin about {model}. The numbers are in {files} beside this page.",
        model=model,
        files=Code(files),
    )
