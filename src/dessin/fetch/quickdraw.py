"""Quick, Draw!: a sample of each class from the beginning of its file, drawn as PNG.

Ha and Eck 2017, "A Neural Representation of Sketch Drawings".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError, field_validator

from dessin.errors import DessinError
from dessin.fetch.client import Client, NotThereError
from dessin.fetch.download import Origin, PartialFile, download
from dessin.fetch.record import Ledger
from dessin.fetch.sources import Source, sample
from dessin.images.colour import one_opencv_thread
from dessin.progress import track

Points = NDArray[np.float64]
Strokes = list[Any]

LONGEST_LINE = 2**18
_MOST_POINTS = 20_000
_SIDE, _MARGIN, _PEN = 256, 14, 3.0
_FINER = 4
_SUBPIXEL_BITS = 6
SAMPLING = (
    "a seeded sample of the recognised drawings in the beginning of each file (`size` bytes of `length`); "
    "the files are not ordered by quality"
)
_LEAST, _A_DRAWING, _MOST = 2**19, 2**12, 2**25


_Axis = Annotated[list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=1)]


class Line(BaseModel, strict=True):
    """A line of the file: a stroke is its x, its y and, in some files, its times."""

    word: Any
    key_id: str = Field(pattern=r"^\d{1,20}$")
    recognized: Any
    drawing: list[tuple[_Axis, _Axis] | tuple[_Axis, _Axis, Any]] = Field(min_length=1)

    @field_validator("drawing")
    @classmethod
    def _can_be_drawn(cls, strokes: Strokes) -> Strokes:
        if (
            any(len(xs) != len(ys) for xs, ys, *_ in strokes)
            or sum(len(s[0]) for s in strokes) > _MOST_POINTS
        ):
            raise ValueError("no drawing")
        return strokes

    def points(self) -> list[Points]:
        """Each stroke as points (n, 2)."""
        return [np.array(stroke[:2], dtype=np.float64).T for stroke in self.drawing]


@dataclass(frozen=True)
class Pool:
    """The recognised drawings of a class, key id to line of JSON, and why others were left out."""

    lines: dict[str, bytes]
    left_out: Counter[str]


def fetch_quickdraw(
    ledger: Ledger, client: Client, source: Source, labels: Sequence[str], parts: Path
) -> None:
    """Fetch the classes that are not there yet, one after the other.

    Raises:
        DessinError: a class has no file or no usable drawing, or the network does not let it.
    """
    missing = [label for label in labels if not ledger.done(label)]
    with one_opencv_thread():
        for label in track(missing, len(missing), source.title, unit="classes"):
            _fetch_class(ledger, client, source, label, PartialFile(parts / f"{label}.ndjson"))


def _fetch_class(ledger: Ledger, client: Client, source: Source, label: str, part: PartialFile) -> None:
    origin, pool = _fetch_pool(client, source, label, part, ledger.record.per_class)
    chosen = sample(sorted(pool.lines), ledger.record.per_class, label=label, seed=ledger.record.seed)
    images = {f"{key}.png": draw(pool.lines[key]) for key in chosen}
    ledger.write_class(label, images, pool=len(pool.lines), left_out=pool.left_out, origin=origin)
    part.discard()


def _fetch_pool(
    client: Client, source: Source, label: str, part: PartialFile, count: int
) -> tuple[Origin, Pool]:
    """As much of the file as holds several times the drawings wanted, and twice as much while it does not."""
    url = source.address.format(name=quote(label))
    want = max(_LEAST, _A_DRAWING * count)
    while True:
        try:
            origin = download(client, url, part, want=want)
        except NotThereError as error:
            raise DessinError(
                f"{source.title} has no file for {label}: {error.seen}",
                do="Leave this class out with --classes, or see whether the source has moved.",
            ) from None
        pool = read_pool(part.path, label, whole=origin.whole)
        if len(pool.lines) >= count or origin.whole or want >= max(_MOST, _A_DRAWING * count):
            return origin, pool
        want *= 2


def read_pool(path: Path, word: str, *, whole: bool) -> Pool:
    """The drawings in the beginning of an ndjson file; without `whole`, the cut last line is ignored."""
    lines: dict[str, bytes] = {}
    left_out: Counter[str] = Counter()
    for line, ended in _lines(path):
        if not ended and not whole:
            break
        if not line.strip():
            continue
        try:
            parsed = Line.model_validate_json(line)
        except ValidationError:
            left_out["not a drawing"] += 1
            continue
        if parsed.word != word:
            left_out["of another class"] += 1
        elif parsed.recognized is not True:
            left_out["not recognised"] += 1
        elif parsed.key_id in lines:
            left_out["twice"] += 1
        else:
            lines[parsed.key_id] = line
    return Pool(lines, left_out)


def draw(line: bytes) -> bytes:
    """A drawing as PNG, 256 pixels a side: dark anti-aliased strokes, in the middle of white paper."""
    strokes = Line.model_validate_json(line).points()
    points = np.concatenate(strokes)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    scale = (_SIDE - 2 * _MARGIN) / max(255.0, float(np.ptp(points, axis=0).max()))
    page = np.full((_SIDE * _FINER, _SIDE * _FINER), 255, dtype=np.uint8)
    for stroke in strokes:
        placed = ((stroke - middle) * scale + _SIDE / 2) * _FINER * 2**_SUBPIXEL_BITS
        corners = np.round(placed).astype(np.int32)
        corners = np.concatenate([corners, corners[-1:]])  # of a single point OpenCV draws nothing
        cv2.polylines(page, [corners], False, 0, round(_PEN * _FINER), cv2.LINE_AA, _SUBPIXEL_BITS)
    small = cv2.resize(page, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", small)[1])


def _lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Each line and whether its end was seen; of one that is too long, a little more than the limit."""
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            ended = line.endswith(b"\n")
            while not ended and (rest := file.readline(2**16)):
                ended = rest.endswith(b"\n")
            yield line, ended
