"""A file on its way: its bytes so far, and which version of the source's file they are of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dessin.errors import DessinError
from dessin.files import read_json, sha256_file, write_json


class Version(BaseModel):
    """What tells one state of the source's file from another; `length` in bytes, where it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    etag: str = ""
    modified: str = ""
    length: int | None = None

    @property
    def validator(self) -> str:
        """What If-Range may carry (RFC 9110, section 13.1.5): a strong ETag, else the date, else nothing."""
        strong = self.etag if self.etag.startswith('"') else ""
        return strong or self.modified

    def same_as(self, other: Version) -> bool:
        lengths = None in (self.length, other.length) or self.length == other.length
        return lengths and (self.url, self.etag, self.modified) == (other.url, other.etag, other.modified)


class Part:
    """Kept at `path`, with its version in a file beside it; it survives the death of the process."""

    def __init__(self, path: Path) -> None:
        self.path, self._version = path, path.with_name(path.name + ".version.json")

    def version(self) -> Version | None:
        if not (self.path.is_file() and self._version.is_file()):
            return None
        try:
            return Version.model_validate(read_json(self._version))
        except (ValidationError, DessinError):
            return None

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def sha256(self) -> str:
        return sha256_file(self.path)

    def begin(self, version: Version) -> None:
        """Empty the part, then note the version: bytes never lie under a version that is not theirs."""
        self.discard()
        self.note(version)
        self.path.touch()

    def note(self, version: Version) -> None:
        write_json(self._version, version.model_dump())

    def append(self, blocks: Iterable[bytes]) -> Iterator[int]:
        """Write the blocks, yielding the size of each; what came is on the disk however this ends."""
        try:
            file = self.path.open("ab")
        except OSError as error:
            raise self._not_written(error) from None
        try:
            for block in blocks:
                self._write(file.fileno(), block)
                yield len(block)
        finally:
            os.fsync(file.fileno())
            file.close()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def _write(self, descriptor: int, block: bytes) -> None:
        view = memoryview(block)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise self._not_written(error) from None

    def _not_written(self, error: OSError) -> DessinError:
        return DessinError(
            f"{self.path} could not be written: {error.strerror or error}.",
            do="Free some space or check the folder, then run the same command again; it goes on from there.",
        )
