"""Whether an auto looks for the page in photographs, and how many of its drawings are such."""

from __future__ import annotations

from collections.abc import Sequence

from dessin.collection.manifest import Manifest
from dessin.collection.scan import Scan
from dessin.decisions import Decision
from dessin.images.spec import Page
from dessin.page.numbers import counted, percent

NAME = "page"
SHOWN = 4


def choose_page(photographs: Sequence[str], looked_at: int, asked: Page | None = None) -> Decision[Page]:
    """From the ids of those that are photographs of paper, of so many that were looked at; `asked` decides.

    It costs a third of a millisecond a drawing, and other drawings come out as they are to the byte. So it is
    done where none is a photograph too: those that the model is asked about later may be.
    """
    share = len(photographs) / max(1, looked_at)
    some = f"{percent(share)} of the drawings are photographs of paper ({len(photographs)} of {looked_at})"
    if asked is not None:
        return Decision(NAME, asked, f"asked for; {some}")
    if photographs:
        return Decision(NAME, "auto", f"{some}: their sheet alone is looked at, all others stay as they are")
    none = f"none of {counted(looked_at, 'drawing')} is a photograph of paper, and all stay as they are"
    return Decision(NAME, "auto", f"{none}; of a photograph that the model is asked about, the sheet counts")


def photographs_of(manifest: Manifest, scan: Scan) -> tuple[list[str], int]:
    """The ids of the photographs of paper, those with a sheet first, and how many images can be read."""
    found = [
        (not measured.photograph.found, row.image_id)
        for row, measured in zip(manifest.rows, scan.measurements, strict=True)
        if measured.photograph is not None
    ]
    readable = sum(measured.readable for measured in scan.measurements)
    return [image_id for _, image_id in sorted(found)], readable


def some_of(photographs: Sequence[str]) -> tuple[str, ...]:
    """A few, from the first to the last."""
    step = max(1, len(photographs) // SHOWN)
    return tuple(photographs[::step][:SHOWN])
