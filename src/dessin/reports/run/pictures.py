"""Small drawings and charts for a run's report, as `data:` addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dessin.collection.thumbnails import Thumbnails
from dessin.page.numbers import short
from dessin.page.pictures import ACCENT, SECOND, figure_data_uri, new_figure
from dessin.training.curve import CurveRow

_CHOSEN: Mapping[str, Any] = {"color": "#9aa1ad", "linewidth": 1, "linestyle": (0, (4, 3))}


@dataclass(frozen=True)
class Picture:
    """A drawing with the words below it; `note` may be empty."""

    uri: str
    title: str
    note: str = ""


@dataclass(frozen=True)
class PageSeen:
    """A photograph of paper, and what the model sees of it, as `data:` addresses."""

    image_id: str
    before: str
    after: str


def pages_seen(data: str | None, image_ids: Sequence[str], *, most: int) -> list[PageSeen]:
    """The first few of some images that are photographs of paper; none where the drawings are gone."""
    before, after = Thumbnails(data), Thumbnails(data, "auto")
    seen: list[PageSeen] = []
    for image_id in image_ids:
        pair = PageSeen(image_id, before.uri(image_id), after.uri(image_id))
        if pair.before != pair.after:
            seen.append(pair)
        if len(seen) == most:
            break
    return seen


def curve_charts(curve: Sequence[CurveRow], best_epoch: int | None) -> tuple[str, ...]:
    """Charts of the losses and of the validation accuracy, epoch by epoch; empty without a curve."""
    if not curve:
        return ()
    lines = {
        "Loss": {
            "training": [row.train_loss for row in curve],
            "validation": [row.validation_loss for row in curve],
        }
    }
    accuracy = [row.validation_accuracy for row in curve]
    if None not in accuracy:
        percent: list[float | None] = [100 * value for value in accuracy if value is not None]
        lines["Accuracy on the validation fold, %"] = {"validation": percent}
    epochs = [row.epoch for row in curve]
    return tuple(_chart(title, epochs, values, best_epoch) for title, values in lines.items())


def range_chart(rows: Sequence[tuple[float, float]], chosen: float) -> str:
    """The loss over the learning rates of a range test, (lr, smoothed loss), and the rate that was chosen."""
    figure, axes = new_figure(5.4, 2.9)
    axes.plot(*zip(*rows, strict=True), color=ACCENT, linewidth=2)
    axes.axvline(chosen, **_CHOSEN, label=f"chosen: {short(chosen, 2)}")
    axes.set_xscale("log")
    axes.set_title("Loss while the learning rate rises", loc="left", fontsize=11)
    axes.set_xlabel("learning rate")
    axes.legend(loc="best", fontsize=10)
    return figure_data_uri(figure)


def _chart(title: str, epochs: list[int], lines: dict[str, list[float | None]], best: int | None) -> str:
    figure, axes = new_figure(5.4, 2.9)
    colours = {"training": SECOND, "validation": ACCENT}
    for name, values in lines.items():
        known = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if value is not None]
        if not known:
            continue
        style = {"color": colours[name], "linewidth": 2, "marker": "o", "markersize": 4}
        axes.plot(*zip(*known, strict=True), **style, label=name)
    if best is not None:
        axes.axvline(best, **_CHOSEN, label=f"chosen: epoch {best}")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_xticks(epochs[:: max(1, len(epochs) // 10)])
    axes.margins(x=0.04)
    axes.legend(loc="best", fontsize=10)
    return figure_data_uri(figure)
