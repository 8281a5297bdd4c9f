"""The page of the suite: what a model keeps in each corruption, in sentences and with a drawing in all of
them; and that drawing's corruptions as one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dessin.images.colour import one_opencv_thread
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, listed, points, share, size
from dessin.page.pictures import ACCENT, MUTED, figure_data_uri, image_data_uri, new_figure
from dessin.page.render import render_page
from dessin.statistics.intervals import Estimate
from dessin.trust.robustness.asking import SetImages
from dessin.trust.robustness.corruption import STRENGTHS, Corruption, Pixels
from dessin.trust.robustness.result import CorruptionResult, RobustAnswers, RobustnessResult

MATTERS = 0.02
_TILE = 128
_GAP = 8
_NAMES = 150
_TEXT = "#1f2430"
_GROUND = "#e6e8ec"


def sentences(result: RobustnessResult) -> list[str]:
    """The findings, the most important one first."""
    worst = result.corruption(result.worst)
    found = [
        f"On {counted(result.n, 'drawing')} as they are the accuracy is {share(result.clean)}; over "
        f"{len(result.corruptions)} corruptions in five strengths it is {share(result.robust)} in the mean "
        f"({points(result.cost)} points).",
        f"Worst is {worst.title}: {share(worst.mean)} in the mean of its strengths, and "
        f"{worst.strengths[-1].value:.1%} in the strongest ({points(worst.cost)} points).",
    ]
    costly = sorted(
        (row for row in result.corruptions if is_costly(row.cost)), key=lambda row: row.cost.value
    )
    most = f"{size(MATTERS)} points"
    if costly:
        verb = "One corruption costs" if len(costly) == 1 else f"{len(costly)} corruptions cost"
        named = listed([f"{row.title} ({points(row.cost)})" for row in costly])
        found.append(f"{verb} more than {most} for certain: {named}.")
    else:
        found.append(f"No corruption costs more than {most} for certain.")
    harmless = [row.title for row in result.corruptions if row.cost.low >= -MATTERS]
    if harmless:
        verb = "costs" if len(harmless) == 1 else "cost"
        names = listed(harmless, most=len(harmless))
        found.append(f"For certain {names} {verb} no more than {most} in the mean.")
    return found


def is_costly(cost: Estimate) -> bool:
    """Whether the whole interval of a cost lies beyond what matters."""
    return cost.high < -MATTERS


@dataclass(frozen=True, eq=False)
class Panel:
    """One corruption: its numbers, its curve over strengths, its pictures, and which were named right."""

    row: CorruptionResult
    curve: str
    pictures: tuple[str, ...]
    correct: tuple[bool, ...]


def robustness_page(name: str, result: RobustnessResult, tiles: Tiles) -> str:
    """`robustness.html`, whole: nothing is loaded from outside and every name is escaped."""
    return render_page(
        "dessin.trust.robustness",
        "robustness.html",
        title=f"{name}: robustness",
        name=name,
        result=result,
        sentences=sentences(result),
        plot=_cost_plot(result),
        rows=_by_cost(result),
        panels=_panels(result, tiles),
        tiles=tiles,
        plain=image_data_uri(tiles.plain),
        strengths=STRENGTHS,
        is_costly=is_costly,
    )


def _cost_plot(result: RobustnessResult) -> DotPlot:
    """The mean accuracy in each corruption against the clean one as a line; a ring is the strongest."""
    clean, dots = result.clean, []
    for row in _by_cost(result):
        strongest = row.strengths[-1].value
        dot = Dot.of(
            row.title,
            row.mean,
            share(row.mean),
            label=f"{row.title}: mean accuracy {share(row.mean)}, in the strongest {strongest:.1%}",
            tone="worse" if is_costly(row.cost) else "cannot-tell",
            hollow=strongest,
        )
        dots.append(dot)
    return dot_plot(dots, line=clean.value, band=(clean.low, clean.high), reach=(0.0,))


def _by_cost(result: RobustnessResult) -> list[CorruptionResult]:
    return sorted(result.rows, key=lambda row: row.mean.value)


def _panels(result: RobustnessResult, tiles: Tiles) -> list[Panel]:
    most = max(result.clean.high, max(part.high for row in result.rows for part in row.strengths))
    panels = []
    for row in _by_cost(result):
        place = result.rows.index(row)
        images, correct = tiles.corrupted[place], tiles.correct[place]
        pictures = tuple(image_data_uri(image, kind="webp", quality=85) for image in images)
        panels.append(Panel(row, _curve(row, result.clean, most), pictures, tuple(map(bool, correct))))
    return panels


def _curve(row: CorruptionResult, clean: Estimate, most: float) -> str:
    """Accuracy over strengths with its intervals, the clean one as a line, on the scale of all panels."""
    figure, axes = new_figure(4.6, 1.7)
    strengths = list(range(1, len(row.strengths) + 1))
    axes.axhline(100 * clean.value, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    low, high = ([100 * getattr(part, end) for part in row.strengths] for end in ("low", "high"))
    axes.fill_between(strengths, low, high, color=ACCENT, alpha=0.13, linewidth=0)
    axes.plot(strengths, [100 * part.value for part in row.strengths], color=ACCENT, marker="o", markersize=4)
    axes.set_ylim(0, 100 * most * 1.04)
    axes.set_xticks(strengths)
    axes.set_ylabel("accuracy, %")
    return figure_data_uri(figure)


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


def contact_sheet(tiles: Tiles, titles: Sequence[str]) -> bytes:
    """A PNG: a row for each corruption, the drawing as it is and then weak to strong."""
    width = _NAMES + (STRENGTHS + 1) * (_TILE + _GAP) + _GAP
    height = len(titles) * (_TILE + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for row, title in enumerate(titles):
        top = _GAP + row * (_TILE + _GAP)
        draw.text((_GAP, top + _TILE // 2 - 9), title, fill=_TEXT, font=font)
        for column, image in enumerate([tiles.plain, *tiles.corrupted[row]]):
            tile = Image.fromarray(image).resize((_TILE, _TILE), Image.Resampling.BICUBIC)
            sheet.paste(tile, (_NAMES + column * (_TILE + _GAP) + _GAP, top))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
