"""`fetch.json`: what was asked for, what came from where, and which classes are done."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dessin.errors import DessinError
from dessin.fetch.download import Fetched
from dessin.fetch.sources import Source
from dessin.files import claim_folder, digest_of, read_json, sha256_bytes, sha256_file, write_json, write_text
from dessin.progress import warn

RECORD, LICENCE = "fetch.json", "LICENCE.txt"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Part):
    """A file at the source: `size` bytes of it were fetched, and `sha256` is of these."""

    url: str
    etag: str
    modified: str
    length: int | None
    size: int
    sha256: str
    date: str


class ClassRecord(_Part):
    """A finished class: its images, how many could be chosen from (`pool`), and the digest of their bytes."""

    images: int
    pool: int
    left_out: dict[str, int]
    digest: str
    origin: Origin


class FetchRecord(_Part):
    """`left_out` of an archive counts members that were not even looked at, by the reason."""

    collection: str
    address: str
    licence: str
    per_class: int
    seed: int
    sampling: str
    begun: str
    made_by: str
    left_out: dict[str, int] = {}
    classes: dict[str, ClassRecord] = {}


def origin_of(fetched: Fetched, now: datetime) -> Origin:
    version_ = fetched.version
    return Origin(
        url=version_.url,
        etag=version_.etag,
        modified=version_.modified,
        length=version_.length,
        size=fetched.size,
        sha256=fetched.sha256,
        date=now.date().isoformat(),
    )


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
        if digest_of_folder(folder) != known.digest:
            warn(f"The images in {folder} are no longer those that were fetched; they are left as they are.")
        return True

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
        found = FetchRecord.model_validate(read_json(path))
    except ValidationError:
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


def digest_of_images(images: dict[str, bytes]) -> str:
    return digest_of({name: sha256_bytes(data) for name, data in images.items()})


def digest_of_folder(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return digest_of({path.name: sha256_file(path) for path in files})
