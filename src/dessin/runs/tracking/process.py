"""The run's end of a tracker's process: messages go out one at a time, and nothing is waited for too long."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from dessin.runs.tracking.choices import Tracker
from dessin.runs.tracking.messages import Answer, Message, read_answer, to_line
from dessin.system import APART, kill_all

# The first answer takes in the import of the library; the libraries have shorter limits for each request.
FIRST_SECONDS = 60.0
SECONDS = 20.0
_END_SECONDS = 10.0


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
        """Wait until every message is answered, for so long at most.

        Raises:
            TrackerError: as in `send`.
        """
        until = time.monotonic() + seconds
        with self._answered:
            while self._waiting and not self._failed:
                left = min(until, self._deadline) - time.monotonic()
                if left <= 0:
                    break
                self._answered.wait(left)
        self._check()

    def end(self) -> None:
        """Let the process go; one that does not go is killed, with what it started."""
        self._ending = True
        self._messages.put(None)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            kill_all(self._process)
        self._thread.join()

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
            return read_answer(answer)
        return Answer(failed=f"its process ended with status {self._process.wait()}")
