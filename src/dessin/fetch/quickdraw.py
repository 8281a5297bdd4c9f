"""Quick, Draw!: a sample of each class from the beginning of its file, drawn as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from dessin.errors import DessinError
from dessin.fetch.choice import sample
from dessin.fetch.client import Client, NotThereError
from dessin.fetch.download import Fetched, download
from dessin.fetch.part import Part
from dessin.fetch.record import Ledger, origin_of
from dessin.fetch.sources import Source
from dessin.fetch.strokes import Pool, draw, read_pool
from dessin.fetch.write_class import write_class
from dessin.images.colour import one_opencv_thread
from dessin.progress import track

SAMPLING = (
    "a seeded sample of the recognised drawings in the beginning of each file (`size` bytes of `length`); "
    "the files are not ordered by quality"
)
_LEAST, _A_DRAWING, _MOST = 2**19, 2**12, 2**25


def fetch_quickdraw(
    ledger: Ledger, client: Client, source: Source, labels: Sequence[str], parts: Path
) -> None:
    """Fetch the classes that are not there yet, one after the other.

    Raises:
        DessinError: a class has no file or no usable drawing, or the network does not let it.
    """
    missing = [label for label in labels if not ledger.done(label)]
    with one_opencv_thread():
        for label in track(missing, len(missing), f"{source.title}, classes"):
            _fetch_class(ledger, client, source, label, Part(parts / f"{label}.ndjson"))


def _fetch_class(ledger: Ledger, client: Client, source: Source, label: str, part: Part) -> None:
    fetched, pool = _fetch_pool(client, source, label, part, ledger.record.per_class)
    chosen = sample(sorted(pool.lines), ledger.record.per_class, label=label, seed=ledger.record.seed)
    write_class(
        ledger,
        label,
        {f"{key}.png": draw(pool.lines[key]) for key in chosen},
        pool=len(pool.lines),
        left_out=pool.left_out,
        origin=origin_of(fetched, client.clock.now()),
    )
    part.discard()


def _fetch_pool(client: Client, source: Source, label: str, part: Part, count: int) -> tuple[Fetched, Pool]:
    """As much of the file as holds several times the drawings wanted, and twice as much while it does not."""
    url = source.address.format(name=quote(label))
    want = max(_LEAST, _A_DRAWING * count)
    while True:
        try:
            fetched = download(client, url, part, want=want)
        except NotThereError as error:
            raise DessinError(
                f"{source.title} has no file for {label}: {error.seen}",
                do="Leave this class out with --classes, or see whether the source has moved.",
            ) from None
        pool = read_pool(part.path, label, whole=fetched.whole)
        if len(pool.lines) >= count or fetched.whole or want >= max(_MOST, _A_DRAWING * count):
            return fetched, pool
        want *= 2
