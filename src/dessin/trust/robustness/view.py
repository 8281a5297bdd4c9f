"""The page of the suite: what a model keeps in each corruption, in sentences and with a drawing in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dessin.images.colour import one_opencv_thread
from dessin.language import tr, tr_n, translated
from dessin.page.blocks import Gallery, Grid, Headline, Page, Picture, Section, Sentence, Shot, Step, Table
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, counted, listed, percent, points, share, short, written_p
from dessin.page.parts import dots, folded, further, measured, paragraphs, step, what_next, written_by
from dessin.page.pictures import enlarged, image_data_uri
from dessin.page.words import Bar, Code, Note, Tag, told
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


def sentences(result: RobustnessResult) -> Iterator[str]:
    """The findings, the most important one first."""
    worst, rows, most = result.corruption(result.worst), _by_cost(result), short(100 * MATTERS)
    said = {"drawings": counted(result.n, "drawing"), "clean": share(result.clean)}
    said |= {"robust": share(result.robust), "cost": points(result.cost)}
    yield tr(
        "On {drawings} as they are the accuracy is {clean}; over {corruptions} in five strengths it is "
        "{robust} in the mean ({cost} points).",
        corruptions=counted(len(result.corruptions), "corruption"),
        **said,
    )
    strongest, mean = percent(worst.strengths[-1].value, 1), share(worst.mean)
    said = {"name": translated(worst.title), "mean": mean, "strongest": strongest}
    yield tr("Worst is {name}: {mean} in the mean, and {strongest} in the strongest.", **said)
    costly = listed([f"{translated(row.title)} ({points(row.cost)})" for row in rows if is_costly(row.cost)])
    if costly:
        yield tr("These cost more than {most} points for certain: {names}.", most=most, names=costly)
    else:
        yield tr("No corruption costs more than {most} points for certain.", most=most)
    if harmless := [translated(row.title) for row in result.corruptions if row.cost.low >= -MATTERS]:
        names = listed(harmless, most=len(harmless))
        yield tr("These cost no more than {most} points for certain: {names}.", most=most, names=names)


def is_costly(cost: Estimate) -> bool:
    """Whether the whole interval of a cost lies beyond what matters."""
    return cost.high < -MATTERS


def _by_cost(result: RobustnessResult) -> list[CorruptionResult]:
    return sorted(result.rows, key=lambda row: row.mean.value)


def robustness_page(subject: Subject, result: RobustnessResult, answers: RobustAnswers, tiles: Tiles) -> Page:
    """What the model keeps, then which corruptions cost what, with pictures of those."""
    first, *others = sentences(result)
    clean, robust, rows = percent(result.clean.value, 1), share(result.robust), _by_cost(result)
    words = tr("right when drawings are worn, moved or badly photographed; {clean} as they are", clean=clean)
    label = tr("Accuracy under corruptions {robust}, as they are {clean}", robust=robust, clean=clean)
    return Page(
        tr(
            "Does it still name drawings of {collection} that are worn, moved or badly photographed?",
            collection=subject.collection,
        ),
        first,
        (
            Headline.of(result.robust, words, label, mark=result.clean.value),
            *paragraphs(*others),
            _costs(result, rows),
            _shown(result, answers, tiles, rows),
            _measured(result, rows),
            what_next(*_steps(subject, result)),
        ),
        written_by(subject.given.resolve().name, result.FILE),
    )


def _costs(result: RobustnessResult, rows: Sequence[CorruptionResult]) -> Section:
    """The mean accuracy in each corruption against the clean one as a line; a ring is the strongest."""
    clean, plotted = result.clean, []
    for row in rows:
        tone, strongest = "worse" if is_costly(row.cost) else "cannot-tell", row.strengths[-1].value
        name, words = translated(row.title), share(row.mean)
        plotted.append(Dot.of(name, row.mean, words, tone=tone, hollow=strongest))
    plot = dots(
        dot_plot(plotted, line=clean.value, band=(clean.low, clean.high), reach=(0.0,)),
        dot=tr("costs more than {most} points for certain", most=short(100 * MATTERS)),
        quiet=tr("does not, or cannot be told"),
        ring=tr("in the strongest"),
        line=tr("accuracy as they are"),
        band=tr("its 95% interval"),
    )
    return Section(tr("Which corruptions cost accuracy"), (plot,), anchor="costs")


def _shown(
    result: RobustnessResult, answers: RobustAnswers, tiles: Tiles, rows: Sequence[CorruptionResult]
) -> Section:
    """The drawing in each corruption; those that cost little open at a click."""
    lead = told(
        "One drawing of “{label}” ({image}), in an orange frame where it is named wrong. Below: how many of "
        "all {n} drawings are right then, and how strong the corruption is.",
        label=answers.labels[tiles.place],
        image=Code(answers.image_ids[tiles.place]),
        n=str(result.n),
    )
    source, right = image_data_uri(enlarged(tiles.plain)), bool(answers.clean[tiles.place])
    clean = _shot(source, answers.labels[tiles.place], result.clean, tr("as it is"), right)
    # Those that cost for certain are looked at first, and a few of the worst in any case.
    panels: tuple[list[Section], list[Section]] = ([], [])
    for place, row in enumerate(rows):
        panels[not is_costly(row.cost) and place >= _SHOWN].append(
            _panel(row, result.rows.index(row), answers, tiles, clean)
        )
    first, rest = (tuple(each) for each in panels)
    title = tr_n("{n} corruption that costs less", "{n} corruptions that cost less", len(rest))
    less = folded(title, (Grid(rest),) if rest else ())
    return Section(tr("What the model was shown"), (Grid(first), *less), lead, "shown")


def _panel(row: CorruptionResult, at: int, answers: RobustAnswers, tiles: Tiles, clean: Shot) -> Section:
    name, shots = translated(row.title), [clean]
    for number, (image, found) in enumerate(zip(tiles.corrupted[at], row.strengths, strict=True)):
        source = image_data_uri(enlarged(image), kind="webp", quality=85)
        alt, right = (
            f"{answers.labels[tiles.place]}, {name}, {number + 1}",
            answers.correct[at, number, tiles.place],
        )
        shots.append(_shot(source, alt, found, short(row.levels[number]), bool(right)))
    tag = Tag(tr("{cost} points", cost=points(row.cost)), "warn" if is_costly(row.cost) else "muted")
    return Section(capital(name), (Gallery(tuple(shots)),), translated(row.meaning), tags=(tag,))


def _shot(source: str, alt: str, found: Estimate, level: str, right: bool) -> Shot:
    alt = alt if right else tr("{picture}, named wrong", picture=alt)
    picture = Picture(source, alt, tone="" if right else "warn")
    return Shot((picture,), percent(found.value, 1), (Bar.of(found, share(found)), Note(level)))


def _steps(subject: Subject, result: RobustnessResult) -> Iterator[Step]:
    worst, given = result.corruption(result.worst), subject.given
    op = _OPS.get(worst.name)
    if subject.record is not None and op and is_costly(worst.cost):
        why = tr("Worst is {name}: train one that meets such drawings.", name=translated(worst.title))
        data = ("--data", subject.inputs.manifest.root, "--split", given / "split.csv")
        augment = ("--set", f"augment=[hflip, {op}]")
        yield step(why, "train", "quick-128", *data, *augment, "--out", "runs/sturdier")
    yield from further(given, "mistakes", "trust")


def _measured(result: RobustnessResult, rows: Sequence[CorruptionResult]) -> Section:
    """All numbers, and how they came about."""
    strengths = map(str, range(1, STRENGTHS + 1))
    numbers = (*strengths, tr("Mean"), tr("Against as they are, points"), tr("p (Holm)"))
    cells = []
    for row in rows:
        parts = (percent(part.value, 1) for part in row.strengths)
        summary = (share(row.mean), points(row.cost), written_p(row.p_holm))
        cells.append((capital(translated(row.title)), *parts, *summary))
    how = tr(
        "{drawings} in {groups}, suite version {version}. Every model gets the same corruptions of the same "
        "drawings, on the pixels that it sees; they are other code than the augmentation of training. The "
        "mean says how this model fares in this suite, not in the world.",
        drawings=counted(result.n, "drawing"),
        groups=counted(result.groups, "group"),
        version=result.version,
    )
    return measured(Sentence(how), Table.of((tr("Corruption"),), numbers, cells, file="robustness"))


@dataclass(frozen=True, eq=False)
class Tiles:
    """The drawing at a `place` of the answers, (S, S, 3) uint8, and `corrupted` (corruptions, 5, S, S, 3)."""

    place: int
    plain: Pixels
    corrupted: Pixels


def sample_tiles(images: SetImages, answers: RobustAnswers, corruptions: Sequence[Corruption]) -> Tiles:
    """The drawing of median ink among those that are named right as they are (of all, if none is)."""
    right = np.flatnonzero(answers.clean)
    candidates = right if len(right) else np.arange(len(answers.image_ids))
    papers = np.asarray(images.background)[images.rows[candidates]].astype(np.float64)
    pages = images.pixels[images.rows[candidates]].mean(axis=(2, 3))
    names = [answers.image_ids[place] for place in candidates]
    order = np.lexsort((names, np.abs(pages - papers).mean(axis=1)))
    place = int(candidates[order[len(candidates) // 2]])
    with one_opencv_thread():
        chunk = images.chunk(np.array([place]))
        corrupted = np.stack([chunk.corrupted(corruption)[:, 0] for corruption in corruptions])
    return Tiles(place, _colours(images.pixels[images.rows[[place]]][0]), _colours(corrupted))


def _colours(pixels: Pixels) -> Pixels:
    """(.., 1 or 3, S, S) to (.., S, S, 3)."""
    last = np.moveaxis(pixels, -3, -1)
    return np.ascontiguousarray(np.broadcast_to(last, (*last.shape[:-1], 3)))
