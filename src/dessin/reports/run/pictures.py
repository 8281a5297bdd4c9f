"""Small drawings and charts for a run's report, as `data:` addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from dessin.collection.readers.collection import Collection
from dessin.collection.readers.detect import read_collection
from dessin.errors import DessinError
from dessin.images.decode import Unreadable, decode, read_image_bytes
from dessin.images.fit import prepare
from dessin.images.spec import ImageSpec, Page
from dessin.page.numbers import short
from dessin.page.pictures import ACCENT, SECOND, figure_data_uri, image_data_uri, new_figure
from dessin.training.curve import CurveRow

_SIDE = 112
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


class Thumbnails:
    """The drawings of a collection at 112 px, with `page: auto` the pages of photographs.

    An address is empty where a drawing is not there any more.
    """

    def __init__(self, data: str | None, page: Page = "off") -> None:
        self._spec = ImageSpec(size=_SIDE, page=page)
        self._collection: Collection | None = None
        with suppress(DessinError):
            self._collection = read_collection(data) if data else None
        self.uri = cache(self._uri)

    @property
    def available(self) -> bool:
        return self._collection is not None

    @property
    def names(self) -> Mapping[str, str]:
        """Each label's name for people; empty where the collection is not there any more."""
        return self._collection.names if self._collection is not None else {}

    def _uri(self, image_id: str) -> str:
        """The drawing as a `data:` address."""
        if self._collection is None:
            return ""
        try:
            decoded = decode(read_image_bytes(self._collection.path(image_id)))
        except (Unreadable, OSError):
            return ""
        pixels = prepare(decoded.pixels, self._spec, "bicubic")
        return image_data_uri(pixels.transpose(1, 2, 0).copy(), kind="webp", quality=70)


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
