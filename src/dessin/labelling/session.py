"""A session of labelling: what was said of which drawing, kept after every answer and gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from dessin.collection.readers.columns import LABELLED
from dessin.errors import DessinError, quoted
from dessin.files import cache_folder, locked, sha256_bytes, write_csv, write_json
from dessin.labelling.choose import Floats, Outlook, choose, outlook, reduced, suggest
from dessin.labelling.images import Unlabelled
from dessin.language import tr
from dessin.page.numbers import points, share
from dessin.reading import read_csv, read_json
from dessin.schema import Section, versioned

# How many are chosen at a time: each choice fits a probe and looks for groups.
_TOGETHER = 10
_KEYS = 9


class _Memory(Section):
    """What the table of labels has no place for: classes, drawings put aside, and the order of answers."""

    format: int = 1
    kind: Literal["labelling"] = "labelling"
    given: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass
class Session:
    """Labels by row, and rows that were put aside; `file` holds the labels and nothing else.

    `given` are classes that are offered before any drawing is of them. Several sessions may write one file,
    in windows and terminals: each takes over what the others said.
    """

    drawings: Unlabelled
    file: Path
    given: list[str] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    passed: list[int] = field(default_factory=list)
    _said: list[int] = field(default_factory=list)
    _own: list[int] = field(default_factory=list)
    _next: list[int] = field(default_factory=list)

    @classmethod
    def begin(cls, drawings: Unlabelled, file: Path, classes: tuple[str, ...]) -> Session:
        """A new session, or the one that the file holds.

        Raises:
            DessinError: the file has another table, or names a drawing that is not there.
        """
        session = cls(drawings, file, list(dict.fromkeys(classes)))
        session._read()
        return session

    @property
    def classes(self) -> list[str]:
        return list(dict.fromkeys((*self.given, *self.labels.values())))

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
        with self._joined():
            self.labels[row] = label
            self.passed = [each for each in self.passed if each != row]
            self._done(row)

    def put_aside(self, row: int) -> None:
        """Ask no more about a drawing; it gets no label."""
        with self._joined():
            if row not in (*self.labels, *self.passed):
                self.passed.append(row)
                self._done(row)

    def ask_again(self) -> None:
        """Ask about the drawings that were put aside after all."""
        with self._joined():
            self.passed = []

    def add_classes(self, names: list[str]) -> None:
        """Offer these classes, before any drawing is of them."""
        with self._joined():
            self.given = list(dict.fromkeys((*self.given, *names)))

    def undo(self) -> int | None:
        """Take back what was said last, here if anything was; ask about that drawing again.

        None where nothing was said.
        """
        with self._joined():
            said = self._own or self._said
            if not said:
                return None
            row = said[-1]
            self._own, self._said = (
                [each for each in all_ if each != row] for all_ in (self._own, self._said)
            )
            self.labels.pop(row, None)
            self.passed = [each for each in self.passed if each != row]
            self._next = [row, *(each for each in self._next if each != row)]
        return row

    @property
    def can_undo(self) -> bool:
        return bool(self._own or self._said)

    def outlook(self, more: int) -> Outlook | None:
        return outlook(self.drawings.features, self.labels, more)

    def _done(self, row: int) -> None:
        for said in (self._said, self._own):
            if row in said:
                said.remove(row)
            said.append(row)
        self._next = [each for each in self._next if each != row]

    @contextmanager
    def _joined(self) -> Iterator[None]:
        """What others said meanwhile is taken over, then what the block says is written."""
        with locked(self._memory.with_suffix(".lock")):
            before = self._read()
            yield
            ids = self.drawings.image_ids
            rows = sorted((ids[row], label) for row, label in self.labels.items())
            if rows != before:
                write_csv(self.file, LABELLED, rows)
            memory = _Memory(
                given=tuple(self.given),
                passed=tuple(ids[row] for row in self.passed),
                said=tuple(ids[row] for row in self._said),
            )
            write_json(self._memory, memory.model_dump(mode="json"))

    @cached_property
    def _memory(self) -> Path:
        name = sha256_bytes(str(self.file.resolve()).encode())[:32]
        return cache_folder() / "labelling" / f"{name}.json"

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {image_id: row for row, image_id in enumerate(self.drawings.image_ids)}

    def _read(self) -> list[tuple[str, str]]:
        """Take over what lies on disk; the labels in the file."""
        lines = read_csv(self.file, LABELLED)[1] if self.file.is_file() else ()
        found = [(line["image_path"], line["label"]) for line in lines]
        for image_id, _ in found:
            if image_id not in self._row_of:
                raise DessinError(
                    f"{self.file} has a label for {quoted(image_id)}, which is not in {self.drawings.root}.",
                    do="Choose another --out, or name the folder that it was begun with.",
                )
        memory = _Memory()
        # What it has is of use, and no loss.
        with suppress(DessinError):
            memory = versioned(_Memory, read_json(self._memory), str(self._memory), 1, what="a memory")
        self.labels = {self._row_of[image_id]: label for image_id, label in found}
        self.passed = [row for row in self._rows(memory.passed) if row not in self.labels]
        self.given = list(dict.fromkeys((*self.given, *memory.given)))
        answered = dict.fromkeys((*self.labels, *self.passed))
        said = [row for row in self._rows(memory.said) if row in answered]
        self._said = [*(row for row in answered if row not in said), *said]
        self._own = [row for row in self._own if row in answered]
        self._next = [row for row in self._next if row not in answered]
        return found

    def _rows(self, image_ids: tuple[str, ...]) -> list[int]:
        return [self._row_of[each] for each in dict.fromkeys(image_ids) if each in self._row_of]


def describe_outlook(found: Outlook | None) -> str:
    """What more labels would bring, in a sentence or two."""
    if found is None:
        return tr("What more labels would bring is known once each class has two, and there are twenty.")
    return tr(
        "Of the labelled drawings {accuracy} are named right by the others. Another {n} labels would add "
        "about {gain} points, drawings like these.",
        accuracy=share(found.accuracy),
        n=found.more,
        gain=points(found.gain),
    )
