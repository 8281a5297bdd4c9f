"""What an evaluation says in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from dessin.committees.ensemble.result import ViewsGain
from dessin.runs.record import SetName
from dessin.statistics.headline import metric_lines
from dessin.statistics.metrics import Metrics


def lines(set_name: SetName, metrics: Metrics, views: ViewsGain | None, nested: str) -> Iterator[str]:
    """The headline numbers; `nested` is the accuracy of a committee on images that its choice did not see."""
    yield from metric_lines(set_name, metrics.items())
    if metrics.absent:
        names = ", ".join(metrics.absent[:6]) + (" …" if len(metrics.absent) > 6 else "")
        count = len(metrics.absent)
        yield f"{set_name}: nothing is said of classes without an image in it ({count}): {names}"
    if views is not None:
        gain = views.gain.verdict_text
        yield f"{len(views.views)} views against the plain one ({views.plain}): {gain}"
    if nested and set_name == "validation":
        yield f"its members were chosen on these very images; on images that the choice did not see: {nested}"
