"""A tracker's own process: `python -m dessin.runs.tracking.worker NAME FOLDER SETTINGS`.

A library that hangs, warns, starts threads, draws random numbers or dies does so here, and not in a training
process. Messages come in on standard input and answers go out on what was standard output, line by line; what
the library prints goes to the log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from dessin.files import locked, write_json
from dessin.reading import read_json
from dessin.runs.tracking.messages import Adapter, Answer, Begin, End, Message, read_message, to_line
from dessin.schema import Section, validated
from dessin.trackers import TRACKERS

_REASON_LIMIT = 600


class State(Section):
    """What an interrupted run needs to go on in the same place: its name there, and the points sent."""

    identity: str = ""
    sent: tuple[str, ...] = ()


class Worker:
    """One run in one tracker."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        self._name, self._folder, self._settings = name, folder, settings
        self._file = folder / f"{name}.json"
        self._state = State()
        self._adapter: Adapter | None = None
        self._under_way = False

    def take(self, message: Message) -> Answer:
        """Pass a message on to the adapter; a point that the tracker has already is left out."""
        if isinstance(message, Begin):
            return self._begin(message)
        assert self._adapter is not None, "the first message begins the run"
        if isinstance(message, End):
            self._under_way = False
            self._adapter.end(message)
        elif message.key not in self._state.sent:
            self._adapter.point(message)
            self._remember(State(identity=self._state.identity, sent=(*self._state.sent, message.key)))
        return Answer()

    def stop(self) -> None:
        """No more messages will come."""
        if self._adapter is not None and self._under_way:
            self._adapter.interrupted()

    def _begin(self, message: Begin) -> Answer:
        earlier = validated(State, read_json(self._file), str(self._file)) if self._file.exists() else State()
        module, _, adapter = TRACKERS[self._name].adapter.partition(":")
        made: Adapter = getattr(import_module(module), adapter)(self._folder, self._settings)
        begun = made.begin(message, earlier.identity, len(earlier.sent))
        self._adapter, self._under_way = made, True
        self._remember(State(identity=begun.identity, sent=earlier.sent if begun.continues else ()))
        return Answer(note=begun.note)

    def _remember(self, state: State) -> None:
        self._state = state
        write_json(self._file, state.model_dump(mode="json"))


def why(error: Exception, name: str) -> str:
    """The reason of a failure in a line."""
    absent = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == name
    if absent and (install := TRACKERS[name].install):
        return f"it is not installed: pip install '{install}'"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_REASON_LIMIT]


def serve(worker: Worker, name: str, messages: BinaryIO, answers: BinaryIO) -> int:
    """Deal with message after message until there are no more, or one fails."""
    try:
        for line in messages:
            answers.write(to_line(worker.take(read_message(line))))
        worker.stop()
    except Exception as error:
        # Whatever a library raises is a reason to stop tracking, and only that.
        answers.write(to_line(Answer(failed=why(error, name))))
        raise
    return 0


def main(arguments: list[str]) -> int:
    name, folder = arguments[0], Path(arguments[1])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # The process of an interrupted beginning of the same run may still be putting its last point away.
    with locked(folder / f"{name}.log"):
        return serve(Worker(name, folder, json.loads(arguments[2])), name, sys.stdin.buffer, answers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
