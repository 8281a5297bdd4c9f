"""`fetch.json`: what was asked for, what came from where, and which classes are there, each of them whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import Field

from dessin.errors import DessinError
from dessin.fetch.download import Origin
from dessin.fetch.sources import Source
from dessin.files import atomic_path, digest_of, sha256_bytes, sha256_file, write_json, write_text
from dessin.folders import claim_folder
from dessin.page.notebook import Shown
from dessin.page.numbers import counted
from dessin.progress import warn
from dessin.reading import read_json
from dessin.schema import Section, validated

RECORD, LICENCE = "fetch.json", "LICENCE.txt"


class ClassRecord(Section):
    """A finished class: its images, how many could be chosen from (`pool`), and the digest of their bytes."""

    images: int
    pool: int
    left_out: dict[str, int]
    digest: str
    origin: Origin


class FetchRecord(Shown, Section):
    """`left_out` of an archive counts members that were not even looked at, by the reason."""

    collection: str
    address: str
    licence: str
    per_class: int
    seed: int
    sampling: str
    begun: str
    made_by: str
    left_out: dict[str, int] = Field({})
    classes: dict[str, ClassRecord] = Field({})


class Ledger:
    """The record of a folder, written anew whenever a class is done."""

    def __init__(self, root: Path, record: FetchRecord) -> None:
        self.root, self.record = root, record

    def done(self, label: str) -> bool:
        """Whether a class is there; images that were changed or removed since are left as they are, and said.

        Raises:
            DessinError: a folder of this name is there that no fetch made.
        """
        folder, known = self.root / label, self.record.classes.get(label)
        if not folder.exists():
            return False
        if known is None:
            raise DessinError(
                f"{folder} is there already, and no fetch made it.",
                do="Move it away, or choose another --out.",
            )
        files = sorted(path for path in folder.iterdir() if path.is_file())
        if digest_of({path.name: sha256_file(path) for path in files}) != known.digest:
            warn(f"The images in {folder} are no longer those that were fetched; they are left as they are.")
        return True

    def write_class(
        self, label: str, images: Mapping[str, bytes], *, pool: int, left_out: Counter[str], origin: Origin
    ) -> None:
        """Write the chosen images of a class, and its entry in the record.

        Raises:
            DessinError: there is no image to write.
        """
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items()))
        if not images:
            raise DessinError(
                f"{origin.url} holds no usable drawing of {label} in {origin.size:,} bytes "
                f"({reasons or 'nothing at all'}).",
                do="Leave this class out with --classes, or see what the source serves.",
            )
        if len(images) < self.record.per_class:
            warn(
                f"{label}: {counted(len(images), 'drawing')} instead of {self.record.per_class:,}, "
                "for there are no more."
            )
        entry = ClassRecord(
            images=len(images),
            pool=pool,
            left_out=dict(sorted(left_out.items())),
            digest=digest_of({name: sha256_bytes(data) for name, data in images.items()}),
            origin=origin,
        )
        with atomic_path(self.root / label) as folder:
            folder.mkdir()
            for name, data in images.items():
                (folder / name).write_bytes(data)
            self.finish(label, entry)

    def finish(self, label: str, entry: ClassRecord) -> None:
        """To be called just before the class gets its final name."""
        before = self.record.classes.get(label)
        if before and before.digest != entry.digest:
            url, date = entry.origin.url, before.origin.date
            warn(f"{url} has changed since {date}: the drawings of {label} are others now.")
        classes = {**self.record.classes, label: entry}
        self._write(self.record.model_copy(update={"classes": classes}))

    def note_left_out(self, left_out: dict[str, int]) -> None:
        self._write(self.record.model_copy(update={"left_out": left_out}))

    def _write(self, record: FetchRecord) -> None:
        self.record = record
        write_json(self.root / RECORD, record.model_dump())


def open_ledger(
    root: Path, source: Source, *, per_class: int, seed: int, sampling: str, now: datetime
) -> Ledger:
    """Begin a folder, or go on with one that a fetch of the same kind began.

    Raises:
        DessinError: it holds other things, or was begun with another seed, number or collection.
    """
    asked = FetchRecord(
        collection=source.name,
        address=source.address,
        licence=source.licence,
        per_class=per_class,
        seed=seed,
        sampling=sampling,
        begun=now.isoformat(timespec="seconds"),
        made_by=f"dessin {version('dessin')}",
    )
    path = root / RECORD
    if not path.is_file():
        claim_folder(root, what="a collection")
        write_json(path, asked.model_dump())
        write_text(root / LICENCE, source.licence)
        return Ledger(root, asked)
    try:
        found = validated(FetchRecord, read_json(path), str(path))
    except DessinError:
        raise DessinError(f"{path} is not a record of a fetch.", do="Choose another --out.") from None
    for name in ("collection", "address", "per_class", "seed"):
        before, now_ = getattr(found, name), getattr(asked, name)
        if before != now_:
            raise DessinError(
                f"{root} was begun with {name.replace('_', ' ')} {before}, and this asks for {now_}.",
                do="Choose another --out, or ask for the same again to go on.",
            )
    if not (root / LICENCE).is_file():
        write_text(root / LICENCE, source.licence)
    return Ledger(root, found)
