"""The run's end of a tracker's process: messages go out one at a time, and nothing is waited for too long."""

from __future__ import annotations

import json
import math
import selectors
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from dessin.runs.tracking.choices import Tracker
from dessin.runs.tracking.messages import Message, read_answer, to_line
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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._messages, self._answers = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)
        self._waiting: deque[bytes] = deque()
        self._received = b""
        self._busy, self._deadline = False, 0.0
        self._limit = FIRST_SECONDS

    def send(self, message: Message) -> None:
        """Hand a message over as soon as the one before is answered.

        Raises:
            TrackerError: the tracker said so, died, or did not answer in time.
        """
        self._waiting.append(to_line(message))
        if not self._busy:
            self._hand_over()
        self._attend(0.0)

    def settle(self, seconds: float = math.inf) -> None:
        """Wait until every message is answered, for so long at most.

        Raises:
            TrackerError: as in `send`.
        """
        until = time.monotonic() + seconds
        while self._busy and (now := time.monotonic()) < until:
            self._attend(min(until, self._deadline) - now)

    def end(self) -> None:
        """Let the process go; one that does not go is killed, with what it started."""
        self._selector.close()
        self._messages.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            kill_all(self._process)
        self._answers.close()

    def _hand_over(self) -> None:
        """The next message, if there is one; the process reads it at once, for it has nothing else to do."""
        self._busy = bool(self._waiting)
        if not self._busy:
            return
        self._deadline = time.monotonic() + self._limit
        self._limit = SECONDS
        try:
            self._messages.write(self._waiting.popleft())
        except BrokenPipeError:
            # What it said before it died comes first.
            self._attend(_END_SECONDS)

    def _attend(self, seconds: float) -> None:
        """Read the answers that are there, or come within that time."""
        while self._selector.select(max(0.0, seconds)):
            received = self._answers.read(65536)
            if not received:
                raise TrackerError(f"its process ended with status {self._process.wait(_END_SECONDS)}")
            *lines, self._received = (self._received + received).split(b"\n")
            for line in lines:
                answer = read_answer(line)
                if answer.failed:
                    raise TrackerError(answer.failed)
                self.note = answer.note or self.note
                self._hand_over()
            seconds = 0.0
        if self._busy and time.monotonic() >= self._deadline:
            raise TrackerError("it did not answer in time")
