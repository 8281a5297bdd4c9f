"""Learning curves of a study: a thin line a run, a thick one for the mean of each level's runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten

from dessin.language import tr, tr_n
from dessin.page.blocks import Picture
from dessin.page.numbers import percent
from dessin.page.pictures import ACCENT, INK, SECOND, figure_data_uri, new_figure
from dessin.studies.source import StudySource

_COLOURS = (ACCENT, SECOND, "#1e7a4c", "#8a3fa0", "#b08900", "#0f8b8d", "#c2255c", "#5f6b7a")
_STYLES = ("-", "--", ":")
_LONGEST = 48
Curve = dict[int, float]


def draw_curves(study: StudySource) -> Picture | None:
    """Validation accuracy by epoch; None where no run has a curve with a second point."""
    levels = {level.name: _curves(study, level.name) for level in study.record.levels}
    if max((len(curve) for curves in levels.values() for curve in curves), default=0) < 2:
        return None
    shown = {name: curves for name, curves in levels.items() if curves}
    base = study.record.base
    figure, axes = new_figure(5.6, 2.8 + 0.22 * len(shown))
    for place, (name, curves) in enumerate(sorted(shown.items(), key=lambda item: item[0] != base)):
        # The base in ink, the others in turn in the colours, then again dashed and dotted.
        turn = place - (base in shown)
        style = {"color": _COLOURS[turn % len(_COLOURS)], "linestyle": _STYLES[turn // len(_COLOURS) % 3]}
        style = {"color": INK, "linestyle": "-"} if name == base else style
        for curve in curves if len(curves) > 1 else ():
            axes.plot(list(curve), [100 * v for v in curve.values()], **style, linewidth=0.8, alpha=0.35)
        mean = _mean(curves)
        axes.plot(
            list(mean),
            [100 * value for value in mean.values()],
            **style,
            linewidth=2.4 if name == base else 1.9,
            marker="o",
            markersize=3.5,
            label=_label(name, len(curves)),
        )
    last = max(max(curve) for curves in shown.values() for curve in curves)
    axes.set_xlabel(tr("epoch"))
    axes.set_ylabel(tr("validation accuracy, %"))
    axes.set_xticks(range(0, last + 1, max(1, -(-last // 10))))
    axes.margins(x=0.03)
    figure.legend(loc="outside lower left", fontsize=10, frameon=False)
    caption = tr("The table has the epoch that each run kept, which need not be its last.")
    if max(map(len, shown.values())) > 1:
        thick = tr(
            "Thick: the mean of a level's runs, at epochs that all of them reached; thin: single runs."
        )
        caption = f"{caption} {thick}"
    return Picture(figure_data_uri(figure), _in_words(shown), caption, "chart")


def _label(name: str, runs: int) -> str:
    """A level in the legend; its letters stay letters, and a leading underscore would hide it."""
    text = shorten(name, _LONGEST, placeholder="…") if " " in name else name[:_LONGEST]
    # A leading underscore would hide it, and dollars would make it a formula.
    text = "\u200b" + text.replace("$", r"\$")
    return f"{text} ({tr_n('{n} run', '{n} runs', runs)})" if runs > 1 else text


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


def _in_words(levels: Mapping[str, Sequence[Curve]]) -> str:
    parts = []
    for name, curves in levels.items():
        mean = _mean(curves)
        if mean:
            first, last = min(mean), max(mean)
            parts.append(
                tr(
                    "{level}: from {before} at epoch {first} to {after} at {last}",
                    level=f"{name} ({len(curves)})",
                    before=percent(mean[first], 1),
                    first=first,
                    after=percent(mean[last], 1),
                    last=last,
                )
            )
    return f"{tr('Validation accuracy by epoch.')} {'; '.join(parts)}."
