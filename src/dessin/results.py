"""A result on disk: one versioned JSON file in a folder, read and written the same way by every verb."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.page.notebook import Shown
from dessin.reading import read_json
from dessin.schema import Section, versioned


class Result(Shown, Section):
    """What a verb found, typed. A subclass names its `FILE`, and in `WHAT` what it is in words.

    `FOLDER` says what a folder with such a file is, and `DO` what to do where another one was named.

    A newer `FORMAT` than the one of the class is refused; of a class whose keys changed, `format` has a new
    default and old files are brought up by a validator.
    """

    FILE: ClassVar[str]
    WHAT: ClassVar[str] = "a result of dessin"
    FOLDER: ClassVar[str] = ""
    DO: ClassVar[str] = "Check the path."
    TABLE: ClassVar[str] = ""

    format: int = 1

    def write(self, folder: Path) -> None:
        """Write the file into `folder`, whole or not at all."""
        write_json(folder / self.FILE, self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `write` left in `folder`.

        Raises:
            DessinError: no such file, a damaged one, another kind of result, or a newer format.
        """
        path = folder / cls.FILE
        if cls.FOLDER and not path.is_file():
            seen = f"{folder} is not a {cls.FOLDER}: it has no {cls.FILE}."
            if not folder.is_dir():
                seen = f"There is no {cls.FOLDER} {folder}."
            raise DessinError(seen, do=cls.DO)
        newest = cls.model_fields["format"].default
        return versioned(cls, read_json(path), str(path), newest, what=cls.WHAT)

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """Like `read`, but None where there is no such file."""
        return cls.read(folder) if (folder / cls.FILE).is_file() else None

    @classmethod
    def lies_in(cls, folder: Path) -> bool:
        """Whether the folder's file is of this `kind`: several verbs write a `results.json`."""
        kind = cls.model_fields.get("kind")
        try:
            values = read_json(folder / cls.FILE) if (folder / cls.FILE).is_file() else None
        except DessinError:
            return False
        return isinstance(values, dict) and (kind is None or values.get("kind") == kind.default)
