"""Sheets of paper in real photographs: corners found, pages cropped into their drawing, seconds.

`tests/data/pages11_corners.csv` has the corners of 82 pages of hdBPMN (CC BY 4.0), read by eye off pictures
with a grid. How the 60 of the part `tuned` were chosen: of the 356 pages, 82 showed something beside the
sheet on a contact sheet; by name, 60 evenly spaced ones of these, marked before there was a finder. The 22 of
the part `held` were marked before the search that is measured on them was written, which was tuned on the 60
alone: of 39 others that showed a border, by name, every second, and two more in place of two that are unsure.
Where a sheet is cut by the frame, the corner is where its border leaves the picture. `seen` are the sides
(top, right, bottom, left) with something other than the sheet beyond; a page without one, or `sure` no
(sheets on sheets), is not counted. Three corners that were far off were read again at three times the size.

A page counts when the four corners that are used, the frame's own where nothing is cropped, lie within 2.5%
of the diagonal: of a thin sliver of desk nothing need be cut off. A page is cropped into its drawing when
more than 1 in 100 dark pixels of the marked sheet (2.5% inside its border) lie outside of what was found.

    python benchmarks/sheets.py --data PAGES11
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dessin.images.decode import decode
from dessin.images.photograph import Sheet, find_sheet, flattened

MARKS = Path(__file__).parents[1] / "tests" / "data" / "pages11_corners.csv"
NEAR = 0.025  # of the diagonal
LOST = 0.01  # of the ink
INK = 40  # levels darker than the paper around
SPEED_SIZE = (4000, 3000)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    """A page's corners (4, 2) as marked, the sides that are seen, and what the page is for."""

    file: str
    corners: Floats
    seen: str
    sure: bool
    part: str


def read_marks(path: Path = MARKS) -> list[Mark]:
    """The marked pages."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Mark(
            row["file"],
            np.array([[float(row[f"{axis}{i}"]) for axis in "xy"] for i in (1, 2, 3, 4)]),
            row["seen"],
            row["sure"] == "yes",
            row["part"],
        )
        for row in rows
    ]


def corner_errors(found: Floats, marked: Floats, size: tuple[int, int]) -> Floats:
    """Distances (4,) as shares of the diagonal, whichever corner was called the first."""
    turns = [np.hypot(*(np.roll(found, k, axis=0) - marked).T) for k in range(4)]
    return np.asarray(min(turns, key=lambda each: each.sum()) / np.hypot(*size))


def lost_ink(pixels: NDArray[np.uint8], found: Floats, marked: Floats) -> float:
    """Share of the dark pixels well inside the marked sheet that the found one leaves out."""
    height, width = pixels.shape[:2]
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    ink = cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, np.ones((15, 15), np.uint8)) > INK
    inside = [np.zeros((height, width), np.uint8) for _ in range(2)]
    for mask, corners in zip(inside, (marked, found), strict=True):
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
    radius = int(NEAR * np.hypot(height, width))
    framed = cv2.copyMakeBorder(inside[0], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    deep = cv2.erode(framed, np.ones((2 * radius + 1,) * 2, np.uint8))[1:-1, 1:-1]
    ink &= deep > 0
    return float((ink & (inside[1] == 0)).sum() / max(1, ink.sum()))


def seconds_for(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Processor seconds to find and to flatten a page enlarged to 12 megapixels."""
    large = cv2.resize(pixels, SPEED_SIZE, interpolation=cv2.INTER_CUBIC)
    start = time.process_time()
    sheet = find_sheet(large)
    found = time.process_time()
    flattened(large, sheet)
    return found - start, time.process_time() - found


def main() -> None:
    """Print the table and the misses."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder pages11, with its class folders")
    parser.add_argument("--marks", type=Path, default=MARKS)
    options = parser.parse_args()
    pages = {path.name: path for path in sorted(options.data.rglob("*.jpg"))}
    counts: dict[str, Counter[str]] = {"tuned": Counter(), "held": Counter()}
    times = []
    for mark in read_marks(options.marks):
        pixels = decode(pages[mark.file].read_bytes()).pixels
        sheet = find_sheet(pixels)
        errors = corner_errors(sheet.corners, mark.corners, pixels.shape[1::-1])
        lost = lost_ink(pixels, sheet.corners, mark.corners) if sheet.found else 0.0
        is_counted, is_near = bool(mark.seen and mark.sure), bool((errors <= NEAR).all())
        count = counts[mark.part]
        count["all"] += 1
        count["cropped"] += lost > LOST
        if is_counted:
            count["counted"] += 1
            count["near"] += is_near
            count["cut out"] += is_near and sheet.found
            count["corners"] += int((errors <= NEAR).sum())
            times.append(seconds_for(pixels) if len(times) < 10 else (np.nan, np.nan))
        if lost > LOST or (is_counted and not is_near):
            print(_line(mark, sheet, errors, lost))
    for part, count in counts.items():
        print(
            f"{part}: {count['near']} of {count['counted']} pages, {count['cut out']} of them cut out, "
            f"{count['corners']} of {4 * count['counted']} corners; "
            f"cropped into the drawing: {count['cropped']} of {count['all']}"
        )
    find, flatten = np.nanmedian(np.array(times), axis=0)
    worst = np.nanmax(np.array(times).sum(axis=1))
    print(f"12 megapixels: {find:.3f} s to find, {flatten:.3f} s to flatten, at most {worst:.3f} s together")
    verdicts = Counter(_verdict(find_sheet(decode(p.read_bytes()).pixels)) for p in pages.values())
    for verdict, count in verdicts.most_common():
        print(f"{count:5d} {verdict}")


def _line(mark: Mark, sheet: Sheet, errors: Floats, lost: float) -> str:
    off = " ".join(f"{100 * error:.1f}" for error in errors)
    verdict = f"{sheet.reason} ({sheet.confidence:.2f})"
    return f"  {mark.part} {mark.file} seen {mark.seen or '-'}: {verdict}, off {off}%, ink lost {lost:.1%}"


def _verdict(sheet: Sheet) -> str:
    kind = "sheet" if sheet.found else "photograph" if sheet.photograph else "no photograph"
    return f"{kind}: {sheet.reason}"


if __name__ == "__main__":
    main()
