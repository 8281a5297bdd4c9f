"""Openings of a holdout: each is counted before a number of it is computed, and one that was killed, once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from dessin.answers.committee import COMMITTEE_FILE, change_committee, read_committee
from dessin.errors import DessinError
from dessin.files import digest_of, read_json, remove, write_json
from dessin.folders import hold
from dessin.runs.record import now, read_record, write_record


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


def open_holdout(home: Path, asks: Mapping[str, object]) -> Opening:
    """Count a look at the holdout in the run or committee in `home`, before any number of it is computed.

    `asks` is the question. Where the same one was counted for a process that died before it was answered,
    that opening is gone on with; any other question, and one that is being answered, counts anew.
    """
    marker = home / f".opening-{digest_of(asks)[:12]}.json"
    with hold(home, wait=True):
        opened, pending = _opened(home), _pending(marker)
        if pending is not None:
            number, when, process = pending
            if process != os.getpid() and psutil.pid_exists(process):
                _count(home, (*opened, now()))
                return Opening(len(opened) + 1)
            if opened[number - 1 : number] == (when,):
                write_json(marker, [number, when, os.getpid()])
                return Opening(number, marker)
        # The marker first: killed in between, it names an opening that is not in the record, so it counts.
        number, when = len(opened) + 1, now()
        write_json(marker, [number, when, os.getpid()])
        _count(home, (*opened, when))
    return Opening(number, marker)


def _pending(marker: Path) -> tuple[int, str, int] | None:
    try:
        number, when, process = read_json(marker) if marker.is_file() else (0, "", 0)
    except (DessinError, TypeError, ValueError):
        return None
    typed = type(number) is int and type(when) is str and type(process) is int
    return (number, when, process) if typed and number > 0 and process > 0 else None


def _opened(home: Path) -> tuple[str, ...]:
    return (read_committee(home) if _is_committee(home) else read_record(home)).holdout_opened


def _count(home: Path, opened: tuple[str, ...]) -> None:
    if _is_committee(home):
        change_committee(home, {"holdout_opened": opened})
    else:
        write_record(home, read_record(home).changed(holdout_opened=opened))


def _is_committee(home: Path) -> bool:
    return (home / COMMITTEE_FILE).is_file()
