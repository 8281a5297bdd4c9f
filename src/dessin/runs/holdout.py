"""Openings of a holdout: each is counted before a number of it is computed, and one that was killed, once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from dessin.answers.committee import COMMITTEE_FILE, change_committee, read_committee
from dessin.errors import DessinError
from dessin.files import digest_of, remove, write_json
from dessin.folders import hold, is_finished
from dessin.language import tr
from dessin.page.numbers import counted, listed
from dessin.progress import warn
from dessin.reading import read_json
from dessin.runs.record import FILE, now, read_record, write_record


@dataclass(frozen=True)
class Opening:
    """The `number`-th look at a model's holdout, under way until `delivered` is called.

    `marker` says so on disk: the same question by a process that was killed is not counted twice.
    """

    number: int
    marker: Path | None = None

    def delivered(self) -> None:
        """To be called once all that was found is where it belongs."""
        if self.marker is not None:
            remove(self.marker)


def open_holdout(home: Path, asks: Mapping[str, object], out: Path | None = None) -> Opening:
    """Count a look at the holdout in the run or committee in `home`, before any number of it is computed.

    `asks` is the question, `out` the folder of the answer. Where the same one was counted for a process that
    died before it had answered, that opening is gone on with. Any other counts anew, and so does one that a
    process is answering now.
    """
    marker = home / f".opening-{digest_of(asks)[:12]}.json"
    with hold(home, wait=True):
        opened, before = _opened(home), _pending(marker)
        pending = _Pending(len(opened) + 1, now(), os.getpid(), str(out.absolute()) if out else "")
        if before is not None:
            if before.process != pending.process and psutil.pid_exists(before.process):
                _count(home, (*opened, pending.when))
                return Opening(pending.number)
            if opened[before.number - 1 : before.number] == (before.when,):
                write_json(marker, pending._replace(number=before.number, when=before.when))
                return Opening(before.number, marker)
        # The marker first: killed in between, it names one that the record has not, so it counts then.
        # Whatever takes its number before that forgets it.
        for other in home.glob(".opening-*.json"):
            uncounted = _pending(other)
            if uncounted is None or uncounted.number > len(opened):
                remove(other)
        write_json(marker, pending)
        _count(home, (*opened, pending.when))
    return Opening(pending.number, marker)


def settle(home: Path) -> None:
    """Remove the markers of openings whose answers lie whole where they belong, none of which is held."""
    for marker in home.glob(".opening-*.json"):
        pending = _pending(marker)
        # One that is being written now is not settled.
        with suppress(DessinError):
            if pending is None or (pending.out and is_finished(Path(pending.out))):
                remove(marker)


@dataclass(frozen=True)
class Looks:
    """The dates on which holdouts were opened, in order, and how many runs and committees keep count."""

    opened: tuple[str, ...]
    runs: int
    committees: int

    @property
    def looked_at(self) -> str:
        """`3 runs and 1 committee`."""
        kinds = {"run": self.runs, "committee": self.committees}
        return listed([counted(count, kind) for kind, count in kinds.items() if count])


def looks_below(folders: Iterable[Path]) -> Looks:
    """All openings that are counted in the folders or anywhere below them, each record once.

    A group of folds has a committee and a run for each fold, an ensemble a committee, a distillation runs. A
    record that cannot be read is warned of.
    """
    homes = dict.fromkeys(home for folder in folders for home in _homes(folder.resolve()))
    opened: list[str] = []
    runs = committees = 0
    for home in homes:
        try:
            opened += _opened(home)
        except DessinError as error:
            warn(
                tr(
                    "How often the holdout was opened is not known of {folder}: {why}",
                    folder=home,
                    why=error.seen,
                )
            )
            continue
        if _is_committee(home):
            committees += 1
        else:
            runs += 1
    return Looks(tuple(sorted(opened)), runs, committees)


def _homes(folder: Path) -> Iterator[Path]:
    """Where openings are counted, `folder` first; links are not followed, hidden folders are unfinished."""
    for place, inner, files in os.walk(folder):
        if FILE in files or COMMITTEE_FILE in files:
            yield Path(place)
        inner[:] = sorted(name for name in inner if not name.startswith("."))


class _Pending(NamedTuple):
    number: int
    when: str
    process: int
    out: str


def _pending(marker: Path) -> _Pending | None:
    """What a marker says, or None: there is none, or it is damaged, and then the opening counts anew."""
    try:
        found = _Pending(*read_json(marker)) if marker.is_file() else None
    except (DessinError, TypeError):
        return None
    typed = found is not None and [type(value) for value in found] == [int, str, int, str]
    return found if typed else None


def _opened(home: Path) -> tuple[str, ...]:
    return (read_committee(home) if _is_committee(home) else read_record(home)).holdout_opened


def _count(home: Path, opened: tuple[str, ...]) -> None:
    if _is_committee(home):
        change_committee(home, {"holdout_opened": opened})
    else:
        write_record(home, read_record(home).changed(holdout_opened=opened))


def _is_committee(home: Path) -> bool:
    return (home / COMMITTEE_FILE).is_file()
