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
    Block,
    Dots,
    Gallery,
    Grid,
    Headline,
    Key,
    Page,
    Picture,
    Section,
    Sentence,
    Shot,
    Step,
    Table,
)
from dessin.page.dots import Dot, dot_plot
from dessin.page.numbers import capital, counted, listed, percent, points, share, short, written_p
from dessin.page.parts import columns, folded, further, measured, what_next, written_by
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


def sentences(result: RobustnessResult) -> list[str]:
    """The findings, the most important one first."""
    worst, most = result.corruption(result.worst), short(100 * MATTERS)
    said = {
        "drawings": counted(result.n, "drawing"),
        "corruptions": counted(len(result.corruptions), "corruption"),
    }
    found = [
        tr(
            "On {drawings} as they are the accuracy is {clean}; over {corruptions} in five strengths it is "
            "{robust} in the mean ({cost} points).",
            clean=share(result.clean),
            robust=share(result.robust),
            cost=points(result.cost),
            **said,
        ),
        tr(
            "Worst is {name}: {mean} in the mean, and {strongest} in the strongest.",
            name=translated(worst.title),
            mean=share(worst.mean),
            strongest=percent(worst.strengths[-1].value, 1),
        ),
    ]
    costly = [
        f"{translated(row.title)} ({points(row.cost)})" for row in _by_cost(result) if is_costly(row.cost)
    ]
    harmless = [translated(row.title) for row in result.corruptions if row.cost.low >= -MATTERS]
    if costly:
        found.append(
            tr("These cost more than {most} points for certain: {names}.", most=most, names=listed(costly))
        )
    else:
        found.append(tr("No corruption costs more than {most} points for certain.", most=most))
    if harmless:
        names = listed(harmless, most=len(harmless))
        found.append(
            tr("These cost no more than {most} points for certain: {names}.", most=most, names=names)
        )
    return found


def is_costly(cost: Estimate) -> bool:
    """Whether the whole interval of a cost lies beyond what matters."""
    return cost.high < -MATTERS


def _by_cost(result: RobustnessResult) -> list[CorruptionResult]:
    return sorted(result.rows, key=lambda row: row.mean.value)


def robustness_page(subject: Subject, result: RobustnessResult, tiles: Tiles) -> Page:
    """What the model keeps, then which corruptions cost what, with pictures of those."""
    first, *others = sentences(result)
    clean, robust, rows = percent(result.clean.value, 1), share(result.robust), _by_cost(result)
    words = tr("right when drawings are worn, moved or badly photographed; {clean} as they are", clean=clean)
    label = tr("Accuracy under corruptions {robust}, as they are {clean}", robust=robust, clean=clean)
    return Page(
        tr(
            "Does it still name drawings of {collection} that are worn, moved or badly photographed?",
            collection=subject.inputs.manifest.root.resolve().name,
        ),
        first,
        (
            Headline.of(result.robust, words, label, mark=result.clean.value),
            *(Sentence(sentence) for sentence in others),
            Section(tr("Which corruptions cost accuracy"), (_dots(result, rows),), anchor="costs"),
            _shown(result, tiles, rows),
            _measured(result, rows),
            what_next(*_steps(subject, result)),
        ),
        written_by(subject.given.resolve().name, result.FILE),
    )


def _dots(result: RobustnessResult, rows: Sequence[CorruptionResult]) -> Dots:
    """The mean accuracy in each corruption against the clean one as a line; a ring is the strongest."""
    dots = [
        Dot.of(
            translated(row.title),
            row.mean,
            share(row.mean),
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
            Key("ring", tr("in the strongest")),
            Key("line", tr("accuracy as they are")),
            Key("band", tr("its 95% interval")),
        ),
    )


def _shown(result: RobustnessResult, tiles: Tiles, rows: Sequence[CorruptionResult]) -> Section:
    """The drawing in each corruption; those that cost little open at a click."""
    plain = image_data_uri(enlarged(tiles.plain))
    lead = told(
        "One drawing of “{label}” ({image}), in an orange frame where it is named wrong. Below: how many of "
        "all {n} drawings are right then, and how strong the corruption is.",
        label=tiles.label,
        image=Code(tiles.image_id),
        n=str(result.n),
    )
    # Those that cost for certain are looked at first, and a few of the worst in any case.
    panels: tuple[list[Section], list[Section]] = ([], [])
    for place, row in enumerate(rows):
        panels[not is_costly(row.cost) and place >= _SHOWN].append(_panel(row, result, tiles, plain))
    first, rest = (tuple(each) for each in panels)
    title = tr_n("{n} corruption that costs less", "{n} corruptions that cost less", len(rest))
    blocks: tuple[Block, ...] = (Grid(first), *folded(title, (Grid(rest),) if rest else ()))
    return Section(tr("What the model was shown"), blocks, lead, "shown")


def _panel(row: CorruptionResult, result: RobustnessResult, tiles: Tiles, plain: str) -> Section:
    place, name = result.rows.index(row), translated(row.title)
    shots = [_shot(plain, tiles.label, result.clean, tr("as it is"), tiles.clean)]
    for number, (image, found) in enumerate(zip(tiles.corrupted[place], row.strengths, strict=True)):
        source = image_data_uri(enlarged(image), kind="webp", quality=85)
        alt, right = f"{tiles.label}, {name}, {number + 1}", bool(tiles.correct[place, number])
        shots.append(_shot(source, alt, found, short(row.levels[number]), right))
    tag = Tag(tr("{cost} points", cost=points(row.cost)), "warn" if is_costly(row.cost) else "muted")
    return Section(capital(name), (Gallery(tuple(shots)),), translated(row.meaning), tags=(tag,))


def _shot(source: str, alt: str, found: Estimate, level: str, right: bool) -> Shot:
    alt = alt if right else tr("{picture}, named wrong", picture=alt)
    picture = Picture(source, alt, tone="" if right else "warn")
    return Shot((picture,), percent(found.value, 1), (Bar.of(found, share(found)), Note(level)))


def _steps(subject: Subject, result: RobustnessResult) -> Iterator[Step]:
    worst = result.corruption(result.worst)
    op = _OPS.get(worst.name)
    if subject.record is not None and op and is_costly(worst.cost):
        why = tr("Worst is {name}: train one that meets such drawings.", name=translated(worst.title))
        yield Step(
            why,
            f"dessin train quick-128 --data {shlex.quote(str(subject.inputs.manifest.root))} "
            f"--split {shlex.quote(str(subject.given / 'split.csv'))} "
            f"--set {shlex.quote(f'augment=[hflip, {op}]')} --out runs/sturdier",
        )
    yield from further(subject.given, "mistakes", "trust")


def _measured(result: RobustnessResult, rows: Sequence[CorruptionResult]) -> Section:
    """All numbers, and how they came about."""
    strengths = map(str, range(1, STRENGTHS + 1))
    titles = columns(
        (tr("Corruption"),), (*strengths, tr("Mean"), tr("Against as they are, points"), tr("p (Holm)"))
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
    how = tr(
        "{drawings} in {groups}, suite version {version}. Every model gets the same corruptions of the same "
        "drawings, on the pixels that it sees; they are other code than the augmentation of training. The "
        "mean says how this model fares in this suite, not in the world.",
        drawings=counted(result.n, "drawing"),
        groups=counted(result.groups, "group"),
        version=result.version,
    )
    return measured(Sentence(how), Table(titles, tuple(cells), file="robustness"))


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
