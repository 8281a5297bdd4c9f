"""Pictures inside a page: arrays and matplotlib figures as `data:` addresses, in one quiet style."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dessin.page.dots import DotPlot
from dessin.page.numbers import Interval

INK, ACCENT, SECOND, MUTED, GRID = "#1f2430", "#3157c4", "#c2612c", "#6b7280", "#e6e8ec"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_STYLE = {
    "font.size": 11,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "dessin",
}


def image_data_uri(
    pixels: NDArray[np.uint8], *, kind: Literal["png", "jpeg", "webp"] = "png", quality: int = 80
) -> str:
    """An image, (H, W) or (H, W, 3) uint8, as a `data:` address; PNG is lossless."""
    buffer = io.BytesIO()
    options: dict[str, Any] = {"optimize": True} if kind == "png" else {"quality": quality}
    Image.fromarray(pixels).save(buffer, kind, **options)
    return data_uri(buffer.getvalue(), f"image/{kind}")


def within(pixels: NDArray[np.uint8], side: int, *, enlarge: bool = False) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) scaled so that the longer side is `side`; a smaller picture only with `enlarge`."""
    import cv2

    scale = side / max(pixels.shape[:2])
    scale = scale if enlarge else min(1.0, scale)
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(pixels: NDArray[np.uint8], least: int = 208) -> NDArray[np.uint8]:
    """Pixels (H, W, ..) each as a square of several, so that a page shows a small model's picture sharp."""
    times = max(1, -(-least // pixels.shape[0]))
    return np.ascontiguousarray(pixels.repeat(times, axis=0).repeat(times, axis=1))


def new_figure(width: float = 5.6, height: float = 2.8) -> tuple[Any, Any]:
    """A matplotlib figure and its axes in the house style; sizes in inches, no global state."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def figure_data_uri(figure: Any) -> str:
    """A figure as an SVG `data:` address; the same figure gives the same bytes."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Text stays text in the SVG, and the reader's browser has the letters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return data_uri(buffer.getvalue().replace("'DejaVu Sans'", _FONT).encode(), "image/svg+xml")


@dataclass(frozen=True)
class Line:
    """A line of a chart in a style of matplotlib (`-`, `--`, `o`); `low` and `high` are ends of intervals."""

    x: Sequence[float]
    y: Sequence[float]
    label: str = ""
    colour: str = ACCENT
    style: str = "-"
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    @classmethod
    def of(
        cls, x: Sequence[float], found: Sequence[Interval], label: str, colour: str, style: str = "o-"
    ) -> Line:
        """Shares with their intervals over shares, all in per cent."""
        y, low, high = ([100 * getattr(one, end) for one in found] for end in ("value", "low", "high"))
        return cls([100 * value for value in x], y, label, colour, style, low, high)


def chart(
    lines: Sequence[Line],
    x: str,
    y: str,
    *,
    size: tuple[float, float] = (5.6, 3.4),
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float | None, float | None] = (None, None),
) -> str:
    """Lines over named axes as a `data:` address, with a legend of those that have a label."""
    figure, axes = new_figure(*size)
    for line in lines:
        style = {"color": line.colour, "label": line.label or None, "linewidth": 1.8, "markersize": 5}
        reach = None
        if line.low:
            reach = np.abs(np.array([line.low, line.high]) - line.y)
        axes.errorbar(line.x, line.y, yerr=reach, fmt=line.style, elinewidth=1.2, **style)
    axes.set(xlabel=x, ylabel=y, xlim=xlim)
    axes.set_ylim(*ylim)
    if any(line.label for line in lines):
        axes.legend(fontsize=9.5, frameon=False)
    return figure_data_uri(figure)


def data_uri(data: bytes, media_type: str) -> str:
    """Bytes as a `data:` address."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def dots_data_uri(plot: DotPlot) -> str:
    """Dots with intervals as an SVG `data:` address, for where there is no page around them."""
    figure, axes = new_figure(7.0, 0.9 + 0.34 * len(plot.rows))
    places = range(len(plot.rows), 0, -1)
    if plot.band is not None:
        axes.axvspan(plot.band, plot.band + plot.band_width, color=GRID, lw=0)
    if plot.line is not None:
        axes.axvline(plot.line, color=MUTED, lw=1)
    for place, row in zip(places, plot.rows, strict=True):
        colour = MUTED if row.dot.tone == "muted" else ACCENT
        axes.plot([row.start, row.start + row.width], [place, place], color=colour, lw=2, alpha=0.5)
        axes.plot(row.at, place, "o", color=colour, ms=6)
        if row.ring is not None:
            axes.plot(row.ring, place, "o", mfc="none", color=SECOND, ms=6)
    axes.set_yticks(list(places), [f"{row.dot.name}  {row.dot.words}" for row in plot.rows])
    axes.set_xticks([tick.at for tick in plot.ticks], [tick.label for tick in plot.ticks])
    axes.set_xlim(0, 100)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    return figure_data_uri(figure)
