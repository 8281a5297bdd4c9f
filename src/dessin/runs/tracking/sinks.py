"""What a run's curve and results are sent to; a tracker that fails is dropped, and the run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.progress import say, warn
from dessin.runs.record import RunRecord, read_record, write_record
from dessin.runs.tracking.choices import Tracker, read_trackers
from dessin.runs.tracking.contents import beginning, ending, point
from dessin.runs.tracking.process import TrackerProcess
from dessin.training.curve import CurveRow

FOLDER = "tracking"
DECISION = "tracking"
_CLOSE_SECONDS = 10.0


class Sinks:
    """The trackers of one run. No method raises for what a tracker does, and none waits but `finish`."""

    def __init__(self, trackers: Sequence[Tracker], folder: Path) -> None:
        self._trackers, self._folder = trackers, folder / FOLDER
        self._open: list[TrackerProcess] = []
        self._notes: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self.seconds = 0.0

    def start(self, record: RunRecord) -> None:
        """Begin the run in every tracker, or go on with it where it had begun."""
        message = beginning(record)
        for tracker in self._trackers:
            try:
                process = TrackerProcess(tracker, self._folder)
            except OSError as error:
                self._fail(tracker.name, f"its process cannot be started: {error}")
                continue
            self._open.append(process)
            self._try(process, partial(process.send, message))

    def epoch(self, attempt: int, row: CurveRow) -> None:
        """Send a row of the curve; one that a tracker has already changes nothing there."""
        message = point(attempt, row)
        for process in tuple(self._open):
            self._try(process, partial(process.send, message))

    def finish(self, record: RunRecord) -> None:
        """Send how the run ended, and wait, within limits, until everything has arrived."""
        message = ending(record)
        for process in tuple(self._open):
            self._try(process, partial(process.send, message))
        for process in tuple(self._open):
            self._try(process, process.settle)

    def close(self) -> None:
        """Let every tracker go; a run that was not finished can be resumed there."""
        for process in tuple(self._open):
            self._try(process, partial(process.settle, _CLOSE_SECONDS))
        for process in self._open:
            self._notes[process.name] = process.note
            process.end()
        self._open = []

    @property
    def decision(self) -> Decision[str]:
        """Where the run is found, and what failed."""
        names = [tracker.name for tracker in self._trackers]
        values = [f"{name} failed" if name in self._failures else name for name in names]
        found = self._notes | self._failures
        reasons = [f"{name}: {found[name]}" for name in names if found.get(name)]
        return Decision(DECISION, "; ".join(values), "; ".join(reasons) or "as the recipe asks")

    def _try(self, process: TrackerProcess, action: Callable[[], None]) -> None:
        """Whatever goes wrong with a tracker ends the tracking there, and nothing else."""
        started = time.monotonic()
        try:
            action()
        except Exception as error:
            self._open.remove(process)
            self._fail(process.name, str(error) or type(error).__name__)
            with suppress(OSError):
                process.end()
        finally:
            self.seconds += time.monotonic() - started

    def _fail(self, name: str, reason: str) -> None:
        self._failures[name] = reason.rstrip(". ")
        warn(f"Tracking with {name} has stopped, and the run goes on: {self._failures[name]}.")


def open_sinks(texts: Sequence[str], folder: Path) -> Sinks:
    """The sinks that a recipe names, for a run folder.

    Raises:
        DessinError: a text that names no tracker or gives it settings that it cannot have.
    """
    return Sinks(read_trackers(texts), folder)


@contextmanager
def tracked(texts: Sequence[str], folder: Path) -> Iterator[Sinks]:
    """Sinks for the block that carries out a run, which begins and ends in them as its record says."""
    sinks = open_sinks(texts, folder)
    if not texts:
        yield sinks
        return
    say(f"tracking: {', '.join(texts)}")
    sinks.start(read_record(folder))
    try:
        yield sinks
    finally:
        # The record may be what cannot be written; the error that ended the run is what counts then.
        with suppress(DessinError):
            _conclude(sinks, folder)


def _conclude(sinks: Sinks, folder: Path) -> None:
    """Send the end, unless the run was interrupted, and note in the record what became of the tracking."""
    try:
        record = read_record(folder)
        if record.status != "running":
            sinks.finish(record)
    finally:
        sinks.close()
    record = read_record(folder).with_seconds({FOLDER: sinks.seconds})
    write_record(folder, record.with_decisions([sinks.decision]))
