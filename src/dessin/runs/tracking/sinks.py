"""The run's end of its trackers, each in a process of its own: messages go out one at a time, and nothing is
waited for too long. A tracker that fails is dropped, and the run goes on."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.ops import parse_op
from dessin.progress import say, warn
from dessin.runs.record import RunRecord, read_record, write_record
from dessin.runs.tracking.messages import Answer, Message, beginning, ending, point, to_line
from dessin.system import APART, kill_all
from dessin.trackers import Tracker, read_tracker
from dessin.training.curve import CurveRow

FOLDER = "tracking"
DECISION = "tracking"
# The first answer takes in the import of the library; the libraries have shorter limits for each request.
FIRST_SECONDS = 60.0
SECONDS = 20.0
_END_SECONDS = 10.0
_CLOSE_SECONDS = 10.0


class TrackerError(Exception):
    """A tracker cannot go on; the message says why."""


class TrackerProcess:
    """A tracker at work beside the training; every method returns at once but `settle` and `end`."""

    def __init__(self, tracker: Tracker, folder: Path) -> None:
        self.name, self.note = tracker.name, ""
        folder.mkdir(parents=True, exist_ok=True)
        command = ["-P", "-m", "dessin.runs.tracking.worker"]
        settings = [tracker.name, str(folder.resolve()), json.dumps(tracker.settings)]
        with (folder / f"{tracker.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command, *settings],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                **APART,
            )
        self._messages: SimpleQueue[bytes | None] = SimpleQueue()
        self._ending = False
        self._answered = threading.Condition()
        self._waiting, self._failed = 0, ""
        self._limit, self._deadline = FIRST_SECONDS, math.inf
        # A thread of its own waits for the answers, for Windows cannot wait for a pipe with a limit.
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Hand a message over as soon as the one before is answered.

        Raises:
            TrackerError: the tracker said so, died, or did not answer in time.
        """
        self._check()
        with self._answered:
            if not self._waiting:
                self._deadline = time.monotonic() + self._limit
            self._waiting += 1
        self._messages.put(to_line(message))

    def settle(self, seconds: float = math.inf) -> None:
        """Wait until every message is answered, for so long at most; raises like `send`."""
        until = time.monotonic() + seconds
        with self._answered:
            while self._waiting and not self._failed:
                left = min(until, self._deadline) - time.monotonic()
                if left <= 0:
                    break
                self._answered.wait(left)
        self._check()

    def end(self) -> int:
        """Let the process go, and return its status; one that does not go is killed, with what it started."""
        self._ending = True
        self._messages.put(None)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            kill_all(self._process)
        self._thread.join()
        return self._process.wait()

    def _check(self) -> None:
        if self._failed:
            raise TrackerError(self._failed)
        if self._waiting and time.monotonic() >= self._deadline:
            raise TrackerError("it did not answer in time")

    def _talk(self) -> None:
        """Hand over message after message; the process ends with its input."""
        with self._process:
            while (line := self._messages.get()) is not None and not self._ending:
                answer = self._ask(line)
                with self._answered:
                    self.note, self._failed = answer.note or self.note, answer.failed
                    self._waiting -= 1
                    self._limit, self._deadline = SECONDS, time.monotonic() + SECONDS
                    self._answered.notify()
                if answer.failed:
                    return

    def _ask(self, line: bytes) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Where it has died, what it said before comes first.
        with suppress(OSError):
            self._process.stdin.write(line)
        answer = self._process.stdout.readline()
        if answer:
            return Answer.model_validate_json(answer)
        return Answer(failed=f"its process ended with status {self._process.wait()}")


class Sinks:
    """The trackers of one run. No method raises for what a tracker does, and none waits but `finish`."""

    def __init__(self, texts: Sequence[str], folder: Path) -> None:
        self._texts, self._folder = {parse_op(text).name: text for text in texts}, folder / FOLDER
        self._open: list[TrackerProcess] = []
        self._notes: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self.seconds = 0.0

    def start(self, record: RunRecord) -> None:
        """Begin the run in every tracker, or go on with it where it had begun."""
        message = beginning(record)
        for name, text in self._texts.items():
            try:
                process = TrackerProcess(read_tracker(text), self._folder)
            # A run that is resumed may name a tracker whose package is gone.
            except DessinError as error:
                self._fail(name, str(error))
            except OSError as error:
                self._fail(name, f"its process cannot be started: {error}")
            else:
                self._open.append(process)
                self._try(process, partial(process.send, message))

    def epoch(self, attempt: int, row: CurveRow) -> None:
        """Send a row of the curve; one that a tracker has already changes nothing there."""
        self._send(point(attempt, row))

    def finish(self, record: RunRecord) -> None:
        """Send how the run ended, and wait, within limits, until everything has arrived."""
        self._send(ending(record))
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
        values = [f"{name} failed" if name in self._failures else name for name in self._texts]
        found = self._notes | self._failures
        reasons = [f"{name}: {found[name]}" for name in self._texts if found.get(name)]
        return Decision(DECISION, "; ".join(values), "; ".join(reasons) or "as the recipe asks")

    def _send(self, message: Message) -> None:
        for process in tuple(self._open):
            self._try(process, partial(process.send, message))

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


@contextmanager
def tracked(texts: Sequence[str], folder: Path) -> Iterator[Sinks]:
    """Sinks for the block that carries out a run, which begins and ends in them as its record says."""
    sinks = Sinks(texts, folder)
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
