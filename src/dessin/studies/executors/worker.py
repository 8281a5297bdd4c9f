"""The process that does a local executor's jobs: a JSON job a line on standard input, a record a line back.

Run as `python -m dessin.studies.executors.worker`. What it says goes to standard error, which the
executor keeps in a log file.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from dessin.progress import say
from dessin.studies.executors.job import JobSpec, carry_out_job, from_text


def serve(lines: TextIO, answers: TextIO, executor: str) -> None:
    """Carry out jobs until the process that gives them is gone, which ends this one at once."""
    specs: queue.SimpleQueue[JobSpec] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines, specs.put), daemon=True).start()
    while True:
        spec = specs.get()
        say(f"\n== {spec.job.name}")
        record = carry_out_job(spec, executor)
        answers.write(json.dumps(record.model_dump(mode="json")) + "\n")
        answers.flush()


def _listen(lines: TextIO, put: Callable[[JobSpec], None]) -> None:
    """Pass jobs on. The stream ends when the executor closes it or dies; a run may be stopped anywhere."""
    for line in lines:
        put(from_text(line))
    os._exit(0)


if __name__ == "__main__":
    own = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, own, "local")
