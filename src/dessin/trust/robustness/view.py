"""The page of the suite: what a model keeps in each corruption, in sentences and with a drawing in them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dessin.images.colour import one_opencv_thread
from dessin.language import tr, tr_n, translated
from dessin.page.blocks import (
    Column,
    Dots,
    Gallery,
    Grid,
    Headline,
    Key,
    Next,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, listed, percent, points, share, short, written_p
from dessin.page.pictures import enlarged, image_data_uri
from dessin.page.words import Bar, Code, Note, Tag, told
from dessin.progress import duration
from dessin.runs.subject import Subject
from dessin.statistics.intervals import Estimate
from dessin.trust.robustness.asking import SetImages
from dessin.trust.robustness.corruption import STRENGTHS, Corruption, Pixels
from dessin.trust.robustness.result import CorruptionResult, RobustAnswers, RobustnessResult

MATTERS = 0.02
_SHOWN = 4
# The op of augmentation that does in training what a corruption does here; some have none.
_OPS: Final = {
    "line_thicker": "thickness(0.6, 1.6)",
    "line_thinner": "thickness(0.6, 1.6)",
    "strokes_missing": "stroke_dropout(0.3)",
    "wobble": "line_wobble(0.01)",
    "rotation": "rotate(30)",
    "scale": "scale(0.6, 1.4)",
    "shift": "translate(0.2)",
    "paper": "paper(0.4)",
    "faded_ink": "ink_fade(0.8)",
    "inverted": "invert",
    "blur": "blur(2)",
    "noise": "noise(0.3)",
    "occlusion": "erase(0.15)",
}


def sentences(result: RobustnessResult) -> list[str]:
    """The findings, the most important one first."""
    worst, most = result.corruption(result.worst), short(100 * MATTERS)
    found = [
        tr(
            "On {drawings} as they are the accuracy is {clean}; over {corruptions} in five strengths it is "
            "{robust} in the mean ({cost} points).",
            drawings=tr_n("{n} drawing", "{n} drawings", result.n),
            clean=share(result.clean),
            corruptions=tr_n("{n} corruption", "{n} corruptions", len(result.corruptions)),
            robust=share(result.robust),
            cost=points(result.cost),
        ),
        tr(
            "Worst is {name}: {mean} in the mean of its strengths, and {strongest} in the strongest ({cost} "
            "points).",
            name=translated(worst.title),
            mean=share(worst.mean),
            strongest=percent(worst.strengths[-1].value, 1),
            cost=points(worst.cost),
        ),
    ]
    costly = [
        f"{translated(row.title)} ({points(row.cost)})" for row in _by_cost(result) if is_costly(row.cost)
    ]
    if costly:
        found.append(
            tr_n(
                "One corruption costs more than {most} points for certain: {names}.",
                "{n} corruptions cost more than {most} points for certain: {names}.",
                len(costly),
                most=most,
                names=listed(costly),
            )
        )
    else:
        found.append(tr("No corruption costs more than {most} points for certain.", most=most))
    harmless = [translated(row.title) for row in result.corruptions if row.cost.low >= -MATTERS]
    if harmless:
        found.append(
            tr(
                "No more than {most} points in the mean are lost, for certain, by: {names}.",
                most=most,
                names=listed(harmless, most=len(harmless)),
            )
        )
    return found


def is_costly(cost: Estimate) -> bool:
    """Whether the whole interval of a cost lies beyond what matters."""
    return cost.high < -MATTERS


def robustness_page(subject: Subject, result: RobustnessResult, tiles: Tiles) -> Page:
    """What the model keeps, then which corruptions cost what, with pictures of those."""
    first, *others = sentences(result)
    rows = _by_cost(result)
    # Those that cost for certain are looked at first, and a few of the worst in any case.
    open_rows = [row for place, row in enumerate(rows) if is_costly(row.cost) or place < _SHOWN]
    folded = [row for row in rows if row not in open_rows]
    return Page(
        title=tr(
            "Does it still name drawings of {collection} that are worn, moved or badly photographed?",
            collection=subject.inputs.manifest.root.resolve().name,
        ),
        lead=first,
        blocks=(
            _headline(result),
            *(Sentence(sentence) for sentence in others),
            Section(
                tr("Which corruptions cost accuracy"),
                (_dots(result, rows),),
                tr(
                    "Each dot is the mean over five strengths, the ring the strongest alone. All corruptions "
                    "meet the same drawings."
                ),
                "costs",
            ),
            _shown(result, tiles, open_rows, folded),
            _measured(result, rows),
            Section(tr("What to do next"), (Next(tuple(_steps(subject, result))),), anchor="next"),
        ),
        footer=tr("Written by dessin about {model}.", model=subject.given.resolve().name),
    )


def _headline(result: RobustnessResult) -> Headline:
    found = result.robust
    words = tr(
        "right when drawings are worn, moved, faded or badly photographed; {clean} as they are (the mark)",
        clean=percent(result.clean.value, 1),
    )
    label = tr(
        "Accuracy under corruptions {robust}, as they are {clean}",
        robust=share(found),
        clean=share(result.clean),
    )
    return Headline.of(found, words, label, mark=result.clean.value)


def _dots(result: RobustnessResult, rows: Sequence[CorruptionResult]) -> Dots:
    """The mean accuracy in each corruption against the clean one as a line; a ring is the strongest."""
    dots = [
        Dot.of(
            translated(row.title),
            row.mean,
            share(row.mean),
            label=tr(
                "{name}: mean accuracy {mean}, in the strongest {strongest}",
                name=translated(row.title),
                mean=share(row.mean),
                strongest=percent(row.strengths[-1].value, 1),
            ),
            tone="worse" if is_costly(row.cost) else "cannot-tell",
            hollow=row.strengths[-1].value,
        )
        for row in rows
    ]
    clean = result.clean
    return Dots(
        dot_plot(dots, line=clean.value, band=(clean.low, clean.high), reach=(0.0,)),
        (
            Key("dot", tr("costs more than {most} points for certain", most=short(100 * MATTERS))),
            Key("quiet", tr("does not, or cannot be told")),
            Key("ring", tr("the strongest")),
            Key("line", tr("accuracy as they are")),
            Key("band", tr("its 95% interval")),
        ),
    )


def _by_cost(result: RobustnessResult) -> list[CorruptionResult]:
    return sorted(result.rows, key=lambda row: row.mean.value)


def _shown(
    result: RobustnessResult,
    tiles: Tiles,
    rows: Sequence[CorruptionResult],
    folded: Sequence[CorruptionResult],
) -> Section:
    """The drawing in each corruption; those that cost little open at a click."""
    plain = image_data_uri(enlarged(tiles.plain))
    lead = told(
        "One drawing of “{label}” ({image}), in an orange frame where it is named wrong. Below each picture: "
        "how many of all {n} drawings are right then, and how strong the corruption is.",
        label=tiles.label,
        image=Code(tiles.image_id),
        n=str(result.n),
    )
    rest = tuple(_panel(row, result, tiles, plain) for row in folded)
    title = tr_n("{n} corruption that costs less", "{n} corruptions that cost less", len(rest))
    return Section(
        tr("What the model was shown"),
        (
            Grid(tuple(_panel(row, result, tiles, plain) for row in rows)),
            *([Section(title, (Grid(rest),), folded=True)] if rest else []),
        ),
        lead,
        "shown",
    )


def _panel(row: CorruptionResult, result: RobustnessResult, tiles: Tiles, plain: str) -> Section:
    place, name = result.rows.index(row), translated(row.title)
    shots = [
        _shot(plain, tr("{label} as it is", label=tiles.label), result.clean, tr("as it is"), tiles.clean)
    ]
    for number, (image, found) in enumerate(zip(tiles.corrupted[place], row.strengths, strict=True)):
        alt = tr(
            "{label}, {corruption}, strength {number}", label=tiles.label, corruption=name, number=number + 1
        )
        source = image_data_uri(enlarged(image), kind="webp", quality=85)
        right = bool(tiles.correct[place, number])
        shots.append(_shot(source, alt, found, short(row.levels[number]), right))
    tag = Tag(tr("{cost} points", cost=points(row.cost)), "warn" if is_costly(row.cost) else "muted")
    return Section(capital(name), (Gallery(tuple(shots)),), translated(row.meaning), tags=(tag,))


def _shot(source: str, alt: str, found: Estimate, level: str, right: bool) -> Shot:
    alt = alt if right else tr("{picture}, named wrong", picture=alt)
    low, high = percent(found.low, 1), percent(found.high, 1)
    between = tr("95% interval {low} to {high}", low=low, high=high)
    bar = Bar(found.value, between, found.low, found.high)
    picture = Picture(source, alt, tone="" if right else "warn")
    return Shot((picture,), percent(found.value, 1), (bar, Note(level)))


def _steps(subject: Subject, result: RobustnessResult) -> Iterator[Step]:
    model, worst = shlex.quote(str(subject.given)), result.corruption(result.worst)
    op = _OPS.get(worst.name)
    if subject.record is not None and op and is_costly(worst.cost):
        yield Step(
            tr(
                "Worst is {name}. Train one that meets such drawings in training, and see what it keeps.",
                name=translated(worst.title),
            ),
            f"dessin train quick-128 --data {shlex.quote(str(subject.inputs.manifest.root))} "
            f"--split {shlex.quote(str(subject.given / 'split.csv'))} "
            f"--set {shlex.quote(f'augment=[hflip, {op}]')} --out runs/sturdier",
        )
    yield Step(
        tr("See which drawings it takes for what as they are; the same classes fail first when worn."),
        f"dessin mistakes {model} --out mistakes",
    )
    yield Step(
        tr("Put this beside everything else that is known of the model, on one page."),
        f"dessin card {model} --out card.html",
    )


def _measured(result: RobustnessResult, rows: Sequence[CorruptionResult]) -> Section:
    """All numbers, and how they came about."""
    columns = (
        Column(tr("Corruption")),
        *(Column(str(strength), number=True) for strength in range(1, STRENGTHS + 1)),
        Column(tr("Mean"), number=True),
        Column(tr("Against as they are, points"), number=True),
        Column(tr("p (Holm)"), number=True),
    )
    cells = (
        (
            capital(translated(row.title)),
            *(percent(part.value, 1) for part in row.strengths),
            share(row.mean),
            points(row.cost),
            written_p(row.p_holm),
        )
        for row in rows
    )
    note = tr(
        "Of {drawings} in {groups}; the columns 1 to 5 are the strengths. Intervals are 95% and resample "
        "whole groups of drawings, costs are paired by drawing, and p is corrected for all {corruptions} "
        "corruptions. How another training would end is not in them.",
        drawings=tr_n("{n} drawing", "{n} drawings", result.n),
        groups=tr_n("{n} group", "{n} groups", result.groups),
        corruptions=len(result.corruptions),
    )
    how = told(
        "Suite version {version} ({digest}), seed {seed}, OpenCV {opencv}, pictures of {pixels} px, {views} "
        "of each; {spent}. The corruptions are fixed: each drawing gets the same ones whatever model is "
        "asked, so two models can be compared drawing by drawing. They are other code than the augmentation "
        "of training, and act on the pixels that the model sees, after fitting. Strengths of different "
        "corruptions are not equal to one another, so a mean over all says how this model fares in this "
        "suite, not in the world.",
        version=str(result.version),
        digest=Code(result.suite[:12]),
        seed=str(result.seed),
        opencv=result.opencv,
        pixels=", ".join(map(str, result.size)),
        views=tr_n("{n} view", "{n} views", len(result.views)),
        spent=duration(result.seconds),
    )
    table = Table(columns, tuple(cells), note, file="robustness")
    return Section(tr("How this was measured"), (Sentence(how), table), anchor="how", folded=True)


@dataclass(frozen=True, eq=False)
class Tiles:
    """One drawing as it is, (S, S, 3) uint8, and corrupted, (corruptions, 5, S, S, 3).

    `clean` and `correct` (corruptions, 5) say whether the model named it right.
    """

    image_id: str
    label: str
    plain: Pixels
    corrupted: Pixels
    clean: bool
    correct: NDArray[np.bool_]


def sample_tiles(images: SetImages, answers: RobustAnswers, corruptions: Sequence[Corruption]) -> Tiles:
    """The drawing of median ink among those that are named right as they are (of all, if none is)."""
    candidates = np.flatnonzero(answers.clean)
    if not len(candidates):
        candidates = np.arange(len(answers.image_ids))
    papers = np.asarray(images.background)[images.rows[candidates]].astype(np.float64)
    pages = images.pixels[images.rows[candidates]].mean(axis=(2, 3))
    ink = np.abs(pages - papers).mean(axis=1)
    names = [answers.image_ids[place] for place in candidates]
    place = int(candidates[np.lexsort((names, ink))[len(candidates) // 2]])
    with one_opencv_thread():
        chunk = images.chunk(np.array([place]))
        corrupted = np.stack([chunk.corrupted(corruption)[:, 0] for corruption in corruptions])
    return Tiles(
        image_id=answers.image_ids[place],
        label=answers.labels[place],
        plain=_colours(images.pixels[images.rows[[place]]][0]),
        corrupted=_colours(corrupted),
        clean=bool(answers.clean[place]),
        correct=answers.correct[:, :, place] > 0,
    )


def _colours(pixels: Pixels) -> Pixels:
    """(.., 1 or 3, S, S) to (.., S, S, 3)."""
    last = np.moveaxis(pixels, -3, -1)
    return np.ascontiguousarray(np.broadcast_to(last, (*last.shape[:-1], 3)))
