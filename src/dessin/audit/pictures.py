"""The pictures of the report: thumbnails, a contact sheet for every class, and the plots of the
collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dessin.audit.result import Summary
from dessin.collection.checks.base import Context
from dessin.collection.measure import Measurement
from dessin.collection.scan import Scan
from dessin.language import tr
from dessin.page.numbers import number, percent
from dessin.page.pictures import ACCENT, MUTED, data_uri, figure_data_uri, image_data_uri, new_figure, within

_CELL = 80
_COLUMNS = 8
_THUMBNAIL_BUDGET = 6000  # in all contact sheets together: keeps the page at some megabytes
_FEWEST = 8


@dataclass(frozen=True)
class Sheet:
    """A class's contact sheet: `shown` of `count` drawings in one picture."""

    name: str
    count: int
    shown: int
    picture: str


def contact_sheets(context: Context) -> list[Sheet]:
    """One sheet for every class; of large collections the first drawings of each."""
    manifest = context.manifest
    rows: dict[str, list[int]] = {label: [] for label in manifest.classes}
    for place, row in enumerate(manifest.rows):
        rows[row.label].append(place)
    limit = max(_FEWEST, _THUMBNAIL_BUDGET // max(len(rows), 1) // _COLUMNS * _COLUMNS)
    sheets = []
    for label, members in rows.items():
        sheet = _sheet(context.scan, members[:limit])
        sheets.append(
            Sheet(
                name=manifest.names.get(label, label),
                count=len(members),
                shown=min(limit, len(members)),
                picture=image_data_uri(sheet, kind="webp", quality=60),
            )
        )
    return sheets


def _sheet(scan: Scan, rows: Sequence[int]) -> NDArray[np.uint8]:
    """Thumbnails in a grid on white, (H, W, 3) uint8."""
    lines = -(-len(rows) // _COLUMNS)
    sheet = np.full((lines * _CELL, _COLUMNS * _CELL, 3), 255, dtype=np.uint8)
    inner = _CELL - 6
    for place, row in enumerate(rows):
        thumbnail = within(scan.thumbnail(row), inner)
        height, width = thumbnail.shape[:2]
        top = place // _COLUMNS * _CELL + (_CELL - height) // 2
        left = place % _COLUMNS * _CELL + (_CELL - width) // 2
        sheet[top : top + height, left : left + width] = thumbnail
    return sheet


def thumbnail_uri(scan: Scan, row: int) -> str:
    """A stored thumbnail as a `data:` address; empty for an unreadable image."""
    encoded = scan.thumbnail_bytes(row)
    return data_uri(encoded, "image/jpeg") if encoded else ""


def page_uri(scan: Scan, row: int) -> str:
    """The page of a photograph as a `data:` address; empty for any other image."""
    encoded = scan.page_bytes(row)
    return data_uri(encoded, "image/jpeg") if encoded else ""


_CHANNELS = (("red", "#c8453b"), ("green", "#3a8f5c"), ("blue", ACCENT))
_NAMED_CLASSES = 24


@dataclass(frozen=True)
class Plot:
    title: str
    caption: str
    picture: str


def draw_plots(summary: Summary, measurements: Sequence[Measurement]) -> list[Plot]:
    """The plots of an audit; without a readable image, the class counts only."""
    readable = [m for m in measurements if m.readable]
    plots = [_class_counts(summary)]
    if readable:
        plots += [_brightness(readable, summary), _sizes(readable), _aspects(readable), _ink(readable)]
        plots.append(_contrast(readable))
    return plots


def _class_counts(summary: Summary) -> Plot:
    counts = np.array(sorted(summary.class_counts.values(), reverse=True))
    figure, axes = new_figure()
    axes.set(ylabel=tr("images"), xmargin=0.01)
    if len(counts) <= _NAMED_CLASSES:
        ranked = sorted(summary.class_counts.items(), key=lambda item: (-item[1], item[0]))
        names = [label if len(label) <= 14 else f"{label[:13]}…" for label, _ in ranked]
        axes.bar(np.arange(len(counts)), counts, color=ACCENT)
        # Without matplotlib's own markup.
        names = [name.replace("$", r"\$") for name in names]
        axes.set_xticks(np.arange(len(counts)), names, rotation=45, ha="right", rotation_mode="anchor")
    else:
        axes.stairs(counts, fill=True, color=ACCENT)
        axes.set(xlabel=tr("{n} classes, the largest first", n=number(len(counts))), xticks=[])
    most, fewest = int(counts.max()), int(counts.min())
    caption = tr("From {fewest} to {most} a class.", fewest=fewest, most=most)
    if most == fewest:
        caption = tr("Every class has the same number.")
    return Plot(tr("Images per class"), caption, figure_data_uri(figure))


def _brightness(readable: Sequence[Measurement], summary: Summary) -> Plot:
    values = np.array([m.brightness for m in readable])
    figure, axes = new_figure()
    edges = np.linspace(0, 255, 65)
    gray = bool(np.abs(values - values[:, :1]).max() < 0.5)
    for channel, (name, colour) in enumerate(_CHANNELS[:1] if gray else _CHANNELS):
        shown = {"color": MUTED, "label": tr("all channels")} if gray else {"color": colour, "label": name}
        counts, _ = np.histogram(values[:, channel], edges)
        axes.stairs(counts, edges, linewidth=1.6, **shown)
    axes.set(xlabel=tr("mean brightness of an image, 0 to 255"), ylabel=tr("images"))
    axes.legend(loc="upper left", fontsize=10, frameon=False)
    means = ", ".join(f"{name} {m.mean:.0f} ± {m.sd:.0f}" for name, m in summary.brightness.items())
    caption = tr("Mean ± standard deviation: {means}.", means=means)
    return Plot(tr("Brightness per channel"), caption, figure_data_uri(figure))


def _sizes(readable: Sequence[Measurement]) -> Plot:
    counts = Counter((m.width, m.height) for m in readable)
    if len(counts) > 1500:
        counts = Counter((round(m.width, -1), round(m.height, -1)) for m in readable)
    sizes = np.array(list(counts))
    many = np.array(list(counts.values()))
    figure, axes = new_figure()
    area = 14 + 160 * many / many.max() if many.max() > 1 else 14
    axes.scatter(sizes[:, 0], sizes[:, 1], s=area, color=ACCENT, alpha=0.45, linewidths=0)
    largest = float(sizes.max()) * 1.08
    axes.set(xlabel=tr("width, px"), ylabel=tr("height, px"), xlim=(0, largest), ylim=(0, largest))
    axes.grid(visible=True, axis="both")
    (width, height), most = max(counts.items(), key=lambda item: (item[1], item[0]))
    size = f"{width} × {height}"
    caption = tr(
        "The most common of {n} is {size} ({share}).",
        n=number(len(counts)),
        size=size,
        share=percent(most / len(readable)),
    )
    if len(counts) == 1:
        caption = tr("All are {size}.", size=size)
    return Plot(tr("Sizes"), caption, figure_data_uri(figure))


def _aspects(readable: Sequence[Measurement]) -> Plot:
    aspects = np.array([m.width / m.height for m in readable])
    low, high = min(0.5, aspects.min()), max(2.0, aspects.max())
    figure, axes = new_figure()
    axes.hist(aspects, np.geomspace(low, high, 41), color=ACCENT)
    axes.set_xscale("log")
    ticks = [tick for tick in (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel=tr("width ÷ height"), ylabel=tr("images"))
    square = float(np.mean(np.abs(np.log(aspects)) < np.log(1.02)))
    caption = tr("{share} are square to within 2%.", share=percent(square))
    return Plot(tr("Aspect ratios"), caption, figure_data_uri(figure))


def _ink(readable: Sequence[Measurement]) -> Plot:
    ink = np.array([m.ink for m in readable])
    caption = tr("The median drawing covers {share} of its page.", share=percent(float(np.median(ink)), 1))
    return _histogram(tr("Ink coverage"), caption, 100 * ink, tr("share of the page that is ink, %"))


def _contrast(readable: Sequence[Measurement]) -> Plot:
    contrast = np.array([m.contrast for m in readable])
    caption = tr(
        "In the median drawing the strongest strokes are {n} levels from the paper.",
        n=number(float(np.median(contrast))),
    )
    label = tr("levels between strokes and paper, 0 to 255")
    return _histogram(tr("Contrast"), caption, contrast, label, 255)


def _histogram(
    title: str, caption: str, values: NDArray[np.float64], label: str, most: float | None = None
) -> Plot:
    figure, axes = new_figure()
    edge = most or max(float(np.quantile(values, 0.995)) * 1.1, 1)
    axes.hist(values, np.linspace(0, edge, 41), color=ACCENT)
    axes.set(xlabel=label, ylabel=tr("images"))
    return Plot(title, caption, figure_data_uri(figure))
