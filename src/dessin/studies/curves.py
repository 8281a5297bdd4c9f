"""Learning curves of a study: a thin line a run, a thick one for the mean of each level's runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dessin.page.numbers import counted
from dessin.page.pictures import ACCENT, INK, SECOND, figure_data_uri, new_figure
from dessin.studies.source import StudySource

_COLOURS = (ACCENT, SECOND, "#1e7a4c", "#8a3fa0", "#b08900", "#0f8b8d", "#c2255c", "#5f6b7a")
_LINE: Mapping[str, str] = {"solid": "-", "dashed": "--", "dotted": ":"}
Curve = dict[int, float]


@dataclass(frozen=True)
class Line:
    """A level's line in the legend: its name, its colour and how it is drawn."""

    level: str
    colour: str
    style: str
    runs: int


@dataclass(frozen=True)
class Curves:
    """The picture without any name in it, its legend, and what it shows for who cannot see it."""

    picture: str
    lines: tuple[Line, ...]
    alt: str


def draw_curves(study: StudySource) -> Curves | None:
    """Validation accuracy by epoch; None where no run has a curve with a second point."""
    runs = {level.name: _curves(study, level.name) for level in study.record.levels}
    if max((len(curve) for curves in runs.values() for curve in curves), default=0) < 2:
        return None
    lines = _lines(study.record.base, {name: curves for name, curves in runs.items() if curves})
    figure, axes = new_figure(5.6, 3.0)
    last = 0
    for line in lines:
        style = {"color": line.colour, "linestyle": _LINE[line.style]}
        for curve in runs[line.level]:
            last = max(last, *curve)
            if len(runs[line.level]) > 1:
                axes.plot(list(curve), [100 * v for v in curve.values()], **style, linewidth=0.8, alpha=0.35)
        mean = _mean(runs[line.level])
        wide = {
            "linewidth": 2.4 if line.level == study.record.base else 1.9,
            "marker": "o",
            "markersize": 3.5,
        }
        axes.plot(list(mean), [100 * value for value in mean.values()], **style, **wide)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy, %")
    axes.set_xticks(range(0, last + 1, max(1, -(-last // 10))))
    axes.margins(x=0.03)
    return Curves(figure_data_uri(figure), lines, _in_words(lines, runs))


def _curves(study: StudySource, level: str) -> list[Curve]:
    """Epoch → accuracy for each run of a level; rows of averaged weights are no epoch."""
    found = []
    for job in study.jobs:
        rows = [row for row in job.curve if job.job.level == level and not row.averaged]
        curve = {row.epoch: row.validation_accuracy for row in rows if row.validation_accuracy is not None}
        if curve:
            found.append(curve)
    return found


def _mean(curves: Sequence[Curve]) -> Curve:
    """The mean over all runs, at the epochs that every one of them reached."""
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    return {epoch: sum(curve[epoch] for curve in curves) / len(curves) for epoch in common}


def _lines(base: str, runs: Mapping[str, Sequence[Curve]]) -> tuple[Line, ...]:
    """The base in ink, the others in turn in the colours, then again dashed and dotted."""
    others = [name for name in runs if name != base]
    styles = list(_LINE)
    lines = [Line(base, INK, "solid", len(runs[base]))] if base in runs else []
    for number, name in enumerate(others):
        style = styles[min(number // len(_COLOURS), len(styles) - 1)]
        lines.append(Line(name, _COLOURS[number % len(_COLOURS)], style, len(runs[name])))
    return tuple(lines)


def _in_words(lines: Sequence[Line], runs: Mapping[str, Sequence[Curve]]) -> str:
    parts = []
    for line in lines:
        mean = _mean(runs[line.level])
        if mean:
            ends = f"from {mean[min(mean)]:.1%} at epoch {min(mean)} to {mean[max(mean)]:.1%} at {max(mean)}"
            parts.append(f"{line.level}, {counted(line.runs, 'run')}: {ends}")
    return f"Validation accuracy by epoch. {'; '.join(parts)}."
