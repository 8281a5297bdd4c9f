"""Jobs on this machine: one worker process a device, each doing one job after another.

Run as a module it is the worker: a JSON job a line on standard input, a record a line back. What it says goes
to standard error, which the executor keeps in a log file.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from socket import gethostname
from typing import TextIO

import torch

from dessin.errors import DessinError
from dessin.progress import say
from dessin.runs.executors.job import JobSpec, carry_out_job, from_text, thread_environment
from dessin.runs.executors.record import JOBS, JobRecord, write_job
from dessin.system import APART, cause_of_end

_COMMAND = (sys.executable, "-m", "dessin.runs.executors.local")


def local_devices() -> tuple[str, ...]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; `cpu` where there is none."""
    if not torch.cuda.is_available():
        return ("cpu",)
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(named.split(",")) if named else tuple(map(str, range(torch.cuda.device_count())))


class LocalExecutor:
    """One process a device. Where a process dies its job is recorded as failed, and another takes the rest.

    What the workers say is in `jobs/worker-<device>.log` of the study.
    """

    name = "local"

    def __init__(self, devices: Sequence[str] | None = None) -> None:
        self.devices = tuple(devices or local_devices())

    def places(self, threads: int) -> int:  # noqa: ARG002  one a device
        return len(self.devices)

    def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]:
        """Yield each job's record as it ends; leaving early ends the workers, whose runs can be resumed."""
        waiting, ended = deque(jobs), queue.SimpleQueue[JobRecord | Exception]()
        lanes = [_Lane(device, waiting, ended) for device in self.devices[: len(jobs)]]
        threads = [threading.Thread(target=lane.work, daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        try:
            for _ in jobs:
                record = ended.get()
                if isinstance(record, Exception):
                    raise record
                yield record
        finally:
            for lane in lanes:
                lane.stop()
            for thread in threads:
                thread.join()


class _Lane:
    """A device's worker process and the thread that feeds it; a worker that died is replaced."""

    def __init__(
        self, device: str, waiting: deque[JobSpec], ended: queue.SimpleQueue[JobRecord | Exception]
    ) -> None:
        self.device, self.waiting, self.ended = device, waiting, ended
        self.process: subprocess.Popen[str] | None = None
        self.stopping = False
        self.lock = threading.Lock()

    def work(self) -> None:
        """Give the worker a job after another until none waits."""
        try:
            while self.waiting and not self.stopping:
                self._do(self.waiting.popleft())
        except IndexError:
            return  # another lane took the last
        except Exception as error:
            self.ended.put(error)
        finally:
            self._end()

    def stop(self) -> None:
        """End the worker, whatever it does."""
        with self.lock:
            self.stopping = True
            if self.process is not None:
                self.process.kill()

    def _do(self, spec: JobSpec) -> None:
        started = time.monotonic()
        answer = self._ask(spec)
        if answer.endswith("\n"):
            self.ended.put(JobRecord.model_validate_json(answer))
        elif not self.stopping:
            code = self._end()
            self.ended.put(_died(spec, code, time.monotonic() - started, _log(self.device, spec)))

    def _ask(self, spec: JobSpec) -> str:
        """The worker's answer; not a whole line where it died."""
        with self.lock:
            if self.stopping:
                return ""
            if self.process is None:
                self.process = _start(self.device, spec)
        if self.process.stdin is None or self.process.stdout is None:
            return ""
        try:
            self.process.stdin.write(spec.to_text() + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self.process.stdout.readline()

    def _end(self) -> int:
        """See the worker off: it ends when its input does."""
        with self.lock:
            process, self.process = self.process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return process.wait()


def _died(spec: JobSpec, code: int, seconds: float, log: Path) -> JobRecord:
    """The record of a job whose process died, unless the job itself had ended before."""
    record = spec.ended
    if record is not None and record.status != "failed":
        return record
    record = JobRecord(
        job=spec.name,
        status="failed",
        reason=f"The process died: {cause_of_end(code)}. What it said last is in {JOBS}/{log.name}.",
        seconds=round(seconds, 2),
        host=gethostname(),
    )
    write_job(spec.home, record)
    return record


def _start(device: str, spec: JobSpec) -> subprocess.Popen[str]:
    """A new process; what decides about devices and threads is set before it imports torch."""
    environment = {**os.environ, **thread_environment(spec.threads)}
    if device != "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = device
    log = _log(device, spec)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as said:
            return subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment,
                text=True,
                **APART,
            )
    except OSError as error:
        raise DessinError(
            f"No process for the jobs could be started: {error.strerror or error}.",
            do="Check that the study's folder may be written to, and that memory is left.",
        ) from error


def _log(device: str, spec: JobSpec) -> Path:
    return spec.home / JOBS / f"worker-{device}.log"


def serve(lines: TextIO, answers: TextIO) -> None:
    """Carry out jobs until the process that gives them is gone, which ends this one at once."""
    specs: queue.SimpleQueue[JobSpec] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines, specs), daemon=True).start()
    while True:
        spec = specs.get()
        say(f"\n== {spec.name}")
        answers.write(carry_out_job(spec, LocalExecutor.name).model_dump_json() + "\n")
        answers.flush()


def _listen(lines: TextIO, specs: queue.SimpleQueue[JobSpec]) -> None:
    """Pass jobs on. The stream ends when the executor closes it or dies; a run may be stopped anywhere."""
    for line in lines:
        specs.put(from_text(line))
    os._exit(0)


if __name__ == "__main__":
    own = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, own)
