"""Checks of single images: files that cannot be read or are of another kind, and sizes, shapes and ink unlike
the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dessin.collection.checks.base import Check, Context, Issue


class UnreadableFiles(Check):
    """Files that are no image, are cut short, or are refused as unsafe."""

    name = "unreadable"
    title = "Unreadable files"
    short = "unreadable"
    urgent = True
    dropped = True
    summary = "These cannot be decoded, so they can be neither trained on nor predicted."

    def run(self, context: Context) -> list[Issue]:
        return [self.issue(row, 1.0, m.reason) for row, m in context.images() if not m.readable]


class CutShort(Check):
    """JPEG files without their end mark, whose rows of pixels are all there."""

    name = "truncated"
    title = "Files without their last bytes"
    short = "last bytes missing"
    summary = "All rows of pixels are there, so they are used. Copy them anew if you can: more may be lost."

    def run(self, context: Context) -> list[Issue]:
        detail = "a JPEG without its end mark; all pixels are there"
        return [self.issue(row, 0.5, detail) for row, m in context.readable() if m.truncated]


class WhiteInk(Check):
    """White ink on a transparent ground, which would be invisible on white paper."""

    name = "white_ink"
    title = "White ink on transparency"
    short = "white ink"
    summary = (
        "Nothing of these would be seen on white, so what is transparent in them is black, here and for "
        "models. Transparent pictures with darker ink are laid on white."
    )

    def run(self, context: Context) -> list[Issue]:
        detail = "light ink on a transparent ground, laid on black"
        return [self.issue(row, 0.5, detail) for row, m in context.readable() if m.ground == "black"]


class Photographs(Check):
    """Photographs of a page: a sheet on a desk, or paper that fills the picture in uneven light."""

    name = "photograph"
    title = "Photographs of pages"
    short = "photograph"
    section = ""
    summary = (
        "No fault. Ink and copies are measured on the page: the sheet is cut out, straightened, evenly lit. "
        "image.page: auto shows it so to a model, cropped to what is drawn. Where no sheet is "
        "found nothing is cropped."
    )

    def run(self, context: Context) -> list[Issue]:
        issues = []
        for row, measured in context.readable():
            if photograph := measured.photograph:
                detail = (
                    f"{photograph.reason}; the page is {photograph.share:.0%} of the picture, confidence "
                    f"{photograph.confidence:.2f}; darkest light {photograph.evenness:.0%} of the brightest"
                )
                issues.append(self.issue(row, photograph.confidence if photograph.found else 0.5, detail))
        return issues


@dataclass(frozen=True)
class ModeDiffers(Check):
    """Images whose channels are not those of the majority; nothing is said where there is no majority."""

    majority: float = 0.5

    name = "mode_differs"
    title = "Another channel mode"
    short = "other mode"
    section = ""
    summary = (
        "Gray, palette or transparent files among others. dessin reads them all as the recipe asks; "
        "a mode that goes with a class can give the class away."
    )

    def run(self, context: Context) -> list[Issue]:
        modes = Counter(measured.mode for _, measured in context.readable())
        if not modes:
            return []
        total = modes.total()
        usual, count = min(modes.items(), key=lambda item: (-item[1], item[0]))
        if count <= self.majority * total:
            return []
        return [
            self.issue(row, 1 - modes[m.mode] / total, f"{m.mode}; {count / total:.0%} are {usual}")
            for row, m in context.readable()
            if m.mode != usual
        ]


def _far_from_median(
    values: Sequence[float], factor: float, deviations: float
) -> Iterator[tuple[int, float]]:
    """The places of values `factor` times the median or more away, in logs, and scores from 0.5 on.

    Where the values vary more than that, they must be `deviations` away.
    """
    if not values:
        return
    away = np.abs(np.array(values) - np.median(values))
    spread = 1.4826 * float(np.median(away))  # as a standard deviation, from quantiles
    limit = max(float(np.log(factor)), deviations * spread)
    for place in np.flatnonzero(away > limit):
        yield int(place), float(away[place]) / (2 * limit)


@dataclass(frozen=True)
class OddSize(Check):
    """Images `factor` times larger or smaller than the median, where the collection varies less than that."""

    factor: float = 3.0
    deviations: float = 3.0

    name = "odd_size"
    title = "Unusual sizes"
    short = "odd size"
    summary = "Far larger or smaller than the rest: scans, icons or crops that look different."

    def run(self, context: Context) -> list[Issue]:
        images = list(context.readable())
        sizes = [float(np.log(m.width * m.height)) / 2 for _, m in images]
        issues = []
        for place, score in _far_from_median(sizes, self.factor, self.deviations):
            row, m = images[place]
            usual = float(np.exp(np.median(sizes)))
            issues.append(self.issue(row, score, f"{m.width} x {m.height}; {usual:.0f} a side is usual"))
        return issues


@dataclass(frozen=True)
class OddAspect(Check):
    """Images `factor` times wider or taller than is usual, where the collection varies less than that."""

    factor: float = 2.0
    deviations: float = 4.0

    name = "odd_aspect"
    title = "Unusual aspect ratios"
    short = "odd aspect"
    summary = "Much wider or taller than the rest: fit squash distorts them, crop cuts them."

    def run(self, context: Context) -> list[Issue]:
        images = list(context.readable())
        aspects = [float(np.log(m.width / m.height)) for _, m in images]
        issues = []
        for place, score in _far_from_median(aspects, self.factor, self.deviations):
            row, m = images[place]
            shape = f"{m.width} x {m.height}, {m.width / m.height:.2f} wide for 1 high"
            issues.append(self.issue(row, score, shape))
        return issues


@dataclass(frozen=True)
class BlankPages(Check):
    """Pages without ink, or with a few specks only."""

    specks: float = 0.001

    name = "blank"
    title = "Blank pages"
    short = "blank"
    urgent = True
    summary = "There is nothing, or next to nothing, on these pages to learn from."

    def run(self, context: Context) -> list[Issue]:
        issues = []
        for row, measured in context.readable():
            if measured.blank or measured.ink < self.specks:
                score = 1.0 if measured.blank else 1 - 0.5 * measured.ink / self.specks
                issues.append(self.issue(row, score, f"{measured.ink:.3%} of the page is ink"))
        return issues


@dataclass(frozen=True)
class LowContrast(Check):
    """Drawings whose strongest strokes differ from the paper by less than `least` of 255 levels."""

    least: float = 80.0

    name = "low_contrast"
    title = "Low contrast"
    short = "low contrast"
    summary = "Even the strongest strokes are faint; CLAHE (image.clahe) may help."

    def run(self, context: Context) -> list[Issue]:
        return [
            self.issue(row, 1 - m.contrast / self.least, f"strokes {m.contrast:.0f} levels from the paper")
            for row, m in context.readable()
            if m.contrast < self.least and not m.blank
        ]


@dataclass(frozen=True)
class SeveralObjects(Check):
    """Pages with a second drawing that is large and far enough from the first one.

    The score is the second's size over `full_size` of the first's, times the white space between them over
    `full_gap` of the whole drawing's diagonal, each at most 1.
    """

    full_size: float = 0.5
    full_gap: float = 0.15
    least: float = 0.4

    name = "several_objects"
    title = "Several objects"
    short = "several objects"
    summary = "More than one separate drawing on the page; the label may fit only one of them."

    def run(self, context: Context) -> list[Issue]:
        issues = []
        for row, measured in context.readable():
            size = min(measured.second_size / self.full_size, 1.0)
            score = size * min(measured.second_gap / self.full_gap, 1.0)
            if score >= self.least and not measured.blank:
                detail = f"{measured.objects} objects; the second is {measured.second_size:.0%} of the first"
                issues.append(self.issue(row, score, detail))
        return issues
