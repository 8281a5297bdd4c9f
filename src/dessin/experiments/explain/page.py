"""The page of an explanation: whether the maps can be trusted, then drawings with their maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dessin.answers.committee import Committee
from dessin.experiments.explain.gallery import shelves
from dessin.experiments.explain.outcome import Faithfulness, MapRow, Measure, MethodRow
from dessin.experiments.explain.words import MEANING, METHOD_NAMES, SMALLEST, difference, judged_short, tick
from dessin.page.dots import Dot, DotPlot, dot_plot
from dessin.page.numbers import counted, listed, plain
from dessin.page.pictures import ACCENT, MUTED, SECOND, figure_data_uri, new_figure
from dessin.page.render import render_page
from dessin.runs.record import Result

_TONES = {"faithful": "good", "partly faithful": "", "not shown": "warn", "misleading": "warn"}
_LINES = {"maps": (ACCENT, "-"), "ink": (SECOND, "--"), "random": (MUTED, ":")}


def explain_page(
    folder: Path,
    rows: Sequence[MapRow],
    found: Faithfulness,
    committee: Committee,
    refused: Mapping[str, str],
    asked: int,
) -> str:
    """`report.html`, whole: nothing is loaded from outside and every name is escaped."""
    shown = shelves(folder, rows)
    drawings = len({row.image_id for row in rows})
    main = [row for row in rows if row.is_main]
    return render_page(
        "dessin.experiments.explain",
        "explain.html",
        title=f"Where {committee.name} looks",
        found=found,
        committee=committee,
        drawings=drawings,
        asked=asked,
        refused=refused,
        shelves=shown,
        more=drawings - sum(len(shelf.tiles) for shelf in shown),
        name_of=lambda label: committee.names.get(label, label),
        method_names=METHOD_NAMES,
        meaning=MEANING,
        tones=_TONES,
        short=judged_short,
        smallest=SMALLEST,
        plots={row.method: _plot(row) for row in found.methods},
        figures={row.method: _figure(row) for row in found.methods},
        mass={row.method: _mass([one for one in main if one.method == row.method]) for row in found.methods},
        counted=counted,
        listed=listed,
        plain=plain,
        difference=difference,
    )


def _plot(row: MethodRow) -> DotPlot:
    """What the maps gain, so turned that more is better in both tests; the line is no gain."""
    dots = [
        _dot(name, getattr(measure, key), sign)
        for key, against in (("over_random", "random maps"), ("over_ink", "maps of the ink"))
        for name, measure, sign in _tests(row, against)
    ]
    return dot_plot(dots, tick, line=0.0)


def _tests(row: MethodRow, against: str) -> list[tuple[str, Measure, int]]:
    return [
        (f"Taken away, against {against}", row.deletion, -1),
        (f"Shown, against {against}", row.insertion, 1),
    ]


def _dot(name: str, result: Result, sign: int) -> Dot:
    low, high = sorted((sign * result.low, sign * result.high))
    turned = Result(value=sign * result.value, low=low, high=high, n=result.n)
    tone = "better" if low > 0 else "worse" if high < 0 else "cannot-tell"
    words = difference(turned, digits=2)
    return Dot(name, words, f"{name}: {words}, n = {result.n}", turned.value, low, high, tone)


def _figure(row: MethodRow) -> dict[str, str]:
    """The mean curves of the two tests, as pictures."""
    return {curve: _curves(row, curve) for curve in ("deletion", "insertion")}


def _curves(row: MethodRow, curve: str) -> str:
    figure, axes = new_figure(4.6, 2.7)
    for name, (colour, style) in _LINES.items():
        values = row.curves[f"{curve} {name}"]
        shares = [100 * step / (len(values) - 1) for step in range(len(values))]
        label = {"maps": "these maps", "ink": "maps of the ink", "random": "random maps"}[name]
        axes.plot(shares, values, color=colour, linestyle=style, linewidth=1.8, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"% of the area {'taken away' if curve == 'deletion' else 'shown'}")
    axes.set_ylabel("probability of the class")
    axes.legend(fontsize=9, frameon=False)
    return figure_data_uri(figure)


def _mass(rows: Sequence[MapRow]) -> tuple[float, float] | None:
    """The mean shares of a map's mass on ink, and of the square under ink; None where all maps are empty."""
    full = [row for row in rows if row.on_ink is not None]
    if not full:
        return None
    return sum(row.on_ink or 0.0 for row in full) / len(full), sum(row.ink for row in full) / len(full)
