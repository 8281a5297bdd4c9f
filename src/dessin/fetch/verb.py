"""The verb `fetch`: a public collection into class folders, with its licence and a record beside."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dessin.collection.names import class_names, imagenet_wnids
from dessin.errors import DessinError
from dessin.fetch import quickdraw, sketch
from dessin.fetch.client import Client
from dessin.fetch.record import RECORD, FetchRecord, open_ledger
from dessin.fetch.sources import QUICKDRAW, Source, choose_classes, known_source, quickdraw_classes
from dessin.folders import going_on
from dessin.language import tr
from dessin.ops import names
from dessin.page.numbers import counted
from dessin.progress import say

_PARTS = ".part"


def fetch(
    collection: Literal["quickdraw", "imagenet-sketch"],
    *,
    out: str | Path,
    classes: str | Sequence[str] = (),
    per_class: Annotated[int, "from 1"] = 30,
    seed: Annotated[int, "from 0"] = 0,
) -> FetchRecord:
    """Fetch a public collection of drawings as class folders, with its licence.

    A second call goes on where the first one stopped.

    Args:
        collection: Quick, Draw! (CC BY 4.0), or ImageNet-Sketch (for research).
        out: A new folder, or one that the same fetch began.
        classes: Names, or WordNet ids of ImageNet-Sketch; by default all of them.
        per_class: How many drawings a class.
        seed: Which drawings. A larger `per_class` with the same seed holds those of a smaller one where they
            were drawn from the same beginning of a file.

    Raises:
        DessinError: an unknown class, a folder with other things in it, or a source that cannot be reached.
    """
    source = known_source(collection)
    return fetch_from(
        source,
        Client(budget=source.budget),
        out=Path(out),
        classes=names(classes),
        per_class=per_class,
        seed=seed,
    )


def fetch_from(
    source: Source, client: Client, *, out: Path, classes: Sequence[str], per_class: int, seed: int
) -> FetchRecord:
    """`fetch` from any address with any client."""
    if per_class < 1:
        raise DessinError(f"{per_class} drawings a class were asked for.", allowed="At least 1.")
    drawn = source.name == QUICKDRAW.name
    names = {name: name for name in quickdraw_classes()} if drawn else class_names(imagenet_wnids())
    labels = choose_classes(classes, names, source.title)
    carry_out = quickdraw.fetch_quickdraw if drawn else sketch.fetch_sketch
    with going_on(out, keeps="What is fetched so far"):
        _sweep(out, f".{RECORD}.*.tmp")
        ledger = open_ledger(
            out,
            source,
            per_class=per_class,
            seed=seed,
            sampling=quickdraw.SAMPLING if drawn else sketch.SAMPLING,
            now=client.now(),
        )
        _sweep(out, ".*.tmp")
        say(tr("{source}: asking {host}", source=source.title, host=urlsplit(source.address).hostname))
        carry_out(ledger, client, source, labels, out / _PARTS)
        shutil.rmtree(out / _PARTS, ignore_errors=True)
    images = sum(ledger.record.classes[label].images for label in labels)
    said = tr(
        "{folder}: {drawings} in {classes} of {source}; licence in LICENCE.txt",
        folder=out,
        drawings=counted(images, "drawing"),
        classes=counted(len(labels), "class", "classes"),
        source=source.title,
    )
    say(said)
    return ledger.record.with_words(source.title, said)


def _sweep(root: Path, pattern: str) -> None:
    """Remove what a killed fetch was writing under temporary names."""
    for path in root.glob(pattern):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
