"""A session of labelling: what was said of which drawing, kept after every answer and gone on with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from dessin.errors import DessinError, quoted
from dessin.files import write_csv
from dessin.labelling.choose import Floats, Outlook, choose, outlook, reduced, suggest
from dessin.labelling.images import Unlabelled
from dessin.reading import read_csv

COLUMNS = ("image_path", "label")
# How many are chosen at a time: each choice fits a probe and looks for groups.
_TOGETHER = 10
_KEYS = 9


@dataclass
class Session:
    """Labels by row, and rows that were put aside; `file` holds the labels and nothing else."""

    drawings: Unlabelled
    file: Path
    classes: list[str]
    labels: dict[int, str] = field(default_factory=dict)
    passed: list[int] = field(default_factory=list)
    _said: list[int] = field(default_factory=list)
    _next: list[int] = field(default_factory=list)

    @classmethod
    def begin(cls, drawings: Unlabelled, file: Path, classes: tuple[str, ...]) -> Session:
        """A new session, or the one that the file holds.

        Raises:
            DessinError: the file has another table, or names a drawing that is not there.
        """
        session = cls(drawings, file, list(dict.fromkeys(classes)))
        if file.is_file():
            place = {image_id: row for row, image_id in enumerate(drawings.image_ids)}
            for line in read_csv(file, COLUMNS)[1]:
                if line["image_path"] not in place:
                    raise DessinError(
                        f"{file} has a label for {quoted(line['image_path'])}, which is not in "
                        f"{drawings.root}.",
                        do="Choose another --out, or name the folder that it was begun with.",
                    )
                session._note(place[line["image_path"]], line["label"])
        return session

    @cached_property
    def places(self) -> Floats:
        return reduced(self.drawings.features)

    def ask(self) -> int | None:
        """The next drawing to be named, by its row; None where all have been."""
        if not self._next:
            chosen = choose(self.drawings.features, self.places, self.labels, set(self.passed), _TOGETHER)
            self._next = chosen.tolist()
        return self._next[0] if self._next else None

    def suggested(self, row: int) -> list[str]:
        """Up to nine classes, the likeliest first."""
        known = suggest(self.drawings.features, self.labels)
        if known is None:
            return self.classes[:_KEYS]
        order = np.argsort(-known.probabilities[row], kind="stable")
        likely = [known.classes[number] for number in order]
        return [*likely, *(name for name in self.classes if name not in likely)][:_KEYS]

    def answer(self, row: int, label: str) -> None:
        """Note a label, and write all of them."""
        self._note(row, label)
        self._write()

    def put_aside(self, row: int) -> None:
        """Ask no more about a drawing; it gets no label."""
        self.passed.append(row)
        self._done(row)

    def undo(self) -> int | None:
        """Take back what was last said, and ask about that drawing again; None where nothing was."""
        if not self._said:
            return None
        row = self._said.pop()
        self.labels.pop(row, None)
        self.passed = [each for each in self.passed if each != row]
        self._next.insert(0, row)
        self._write()
        return row

    def outlook(self, more: int) -> Outlook | None:
        return outlook(self.drawings.features, self.labels, more)

    def _note(self, row: int, label: str) -> None:
        self.labels[row] = label
        if label not in self.classes:
            self.classes.append(label)
        self._done(row)

    def _done(self, row: int) -> None:
        self._said.append(row)
        self._next = [each for each in self._next if each != row]

    def _write(self) -> None:
        ids = self.drawings.image_ids
        rows = sorted((ids[row], label) for row, label in self.labels.items())
        write_csv(self.file, COLUMNS, rows)
