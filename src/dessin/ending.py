"""How the command line ends: by a mistake, a stop or a fault, and with streams that cannot take its words."""

from __future__ import annotations

import codecs
import errno
import io
import os
import platform
import shlex
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from dessin.errors import DessinError, quoted
from dessin.language import retold, retold_error
from dessin.places import reason

# Set to anything, it shows tracebacks and the warnings of libraries on the screen.
DEBUG: Final = "DESSIN_DEBUG"
# What sends one stop may send it twice: to the process, then to its group.
_SAME_STOP_S: Final = 0.5
_NOTHING_HALF: Final = "Nothing half-written was left under a final name."
# What the machine or its folders cause, which no change of dessin would mend.
_OF_THE_MACHINE: Final = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENAMETOOLONG),
    *(errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EMFILE, errno.ENFILE, errno.ENXIO),
}


# What a code page such as cp1252 or cp949 may lack, in letters that all have; anything else as its escape.
_PLAIN: Final = str.maketrans(
    {"\u202f": " ", "\u00a0": " ", "−": "-", "–": "-", "→": "->", "…": "...", "×": "x", "≥": ">=", "≤": "<="}
)


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: what a stream cannot show, as it can."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_PLAIN)
    return lacking.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("dessin.plain", _in_plain_letters)


class Stopped(KeyboardInterrupt):
    """SIGTERM, which ends as Ctrl-C does."""


@contextmanager
def told(version: str, words: Sequence[str]) -> Iterator[None]:
    """Run a command line in the block; whatever ends it is said in one paragraph, and gives the exit code.

    0 where it came to its end, 1 for a mistake or a fault, 130 for Ctrl-C and 143 for SIGTERM.
    """
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_Patient.of(stream) for stream in streams)
    try:
        with _stops(), _own_words():
            code = 0
            try:
                yield
            except DessinError as error:
                code = _say(retold_error(error))
            except KeyboardInterrupt as stop:
                _say(_retold(f"stopped. {' '.join(map(str, stop.args)) or _NOTHING_HALF}"))
                code = 128 + (signal.SIGTERM if isinstance(stop, Stopped) else signal.SIGINT)
            except Exception as error:
                code = _say(_retold(explained(error, version, words)))
            code = _lost(sys.stdout) or code
        if code:
            sys.exit(code)
    finally:
        sys.stdout, sys.stderr = streams


def explained(error: Exception, version: str, words: Sequence[str]) -> str:
    """What to say of an exception that nothing expected; of a fault of dessin a report is written."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        less = "where a model is trained, lower train.batch_size or image.size with --set"
        return f"There is not enough memory for this. Close other programs; {less}."
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        place = quoted(Path(os.fsdecode(error.filename))) if error.filename else ""
        name = f"{place} could not be used" if place else "Stopped"
        return f"{name}: {reason(error)}. Mend that, and run again."
    whole = "".join(traceback.format_exception(error))
    if os.environ.get(DEBUG) and sys.stderr is not None:
        sys.stderr.write(whole)
    command = shlex.join(["dessin", *words])
    file = _report("\n".join((f"dessin {version}", platform.platform(), sys.version, command, "", whole)))
    what = f"This is a fault of dessin, not of yours: {quoted(' '.join(text.split()), 200)}."
    if file is None:
        return f"{what} Please report it with this line and the command."
    return f"{what} Please report it with the file {file} (it holds your command and paths: read it first)."


def _report(text: str) -> Path | None:
    """A private file in the cache, or in the system's folder for temporary files; None where none can be."""
    for folder in (_faults, _temporary):
        with suppress(OSError, RuntimeError):
            # Readable by its owner alone.
            handle, name = tempfile.mkstemp(".txt", f"dessin-{time.strftime('%Y%m%d-%H%M%S')}-", folder())
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode(errors="backslashreplace"))
            return Path(name)
    return None


def _faults() -> Path:
    from dessin.files import cache_folder

    folder = cache_folder() / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _temporary() -> Path:
    folder = Path(tempfile.gettempdir())
    if folder == Path.cwd():
        # What Python takes where it finds no other: whatever the person works on.
        raise FileNotFoundError(folder)
    return folder


def _retold(text: str) -> str:
    with suppress(DessinError):
        return retold(text)
    return text


def _say(text: str) -> int:
    """One paragraph on standard error; what others said into it has lines of its own."""
    if sys.stderr is not None:
        sys.stderr.write(f"dessin: {' '.join(filter(None, map(str.strip, text.splitlines())))}\n")
        sys.stderr.flush()
    return 1


def _lost(stream: Any) -> int:
    """1, and a word about it, where the output could not be written, except to a reader that had enough."""
    with suppress(ValueError):
        if stream is not None:
            stream.flush()
    error = getattr(stream, "lost", None)
    if error is None or error.errno == errno.EPIPE:
        return 0
    return _say(_retold(f"The output could not be written: {reason(error)}. Files that it names are whole."))


class _Patient(io.TextIOWrapper):
    """A stream that goes on where nobody reads any more, and has plain letters for what it cannot show."""

    lost: OSError | None = None

    @classmethod
    def of(cls, stream: Any) -> Any:
        """A stream in its place; anything but a plain stream stays as it is."""
        if type(stream) is not io.TextIOWrapper:
            return stream
        return cls(
            stream.buffer,
            encoding=stream.encoding,
            errors="dessin.plain",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str) -> int:
        with self._kept():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._kept():
            super().flush()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.lost = self.lost or error
            # What is buffered, and all that follows, goes nowhere; otherwise the end of Python fails as well.
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)

    def __del__(self) -> None:
        """The buffer is not this one's to close."""
        with suppress(ValueError):
            self.detach()


@contextmanager
def _own_words() -> Iterator[None]:
    """Keep the warnings of libraries off the screen, which say nothing to who did not write the call."""
    import logging

    with warnings.catch_warnings():
        if not (sys.warnoptions or os.environ.get(DEBUG)):
            warnings.simplefilter("ignore")
            if logging.lastResort is not None:
                logging.lastResort.setLevel(logging.ERROR)
        yield


@contextmanager
def _stops() -> Iterator[None]:
    """SIGTERM stops as Ctrl-C does, and a second of either ends the process at once, also in foreign code."""
    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    # A process that was started to ignore one (nohup) goes on ignoring it.
    ours = [number for number, handler in usual.items() if signal.getsignal(number) == handler]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = False

    def stop(number: int, _: object) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise Stopped if number == signal.SIGTERM else KeyboardInterrupt

    # Python's handlers run between two steps of Python alone. The bytes that the system's handler writes are
    # read by a thread, which runs beside foreign code, and while the first stop waits for what it tidies up.
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    for number in ours:
        signal.signal(number, stop)
    threading.Thread(target=_end_at_second, args=(reading, writing), daemon=True).start()
    try:
        yield
    finally:
        if not stopped:
            for number in ours:
                signal.signal(number, usual[number])
            signal.set_wakeup_fd(before)
            writing.close()


def _end_at_second(reading: socket.socket, writing: socket.socket) -> None:
    first = 0.0
    with reading, writing:
        while byte := reading.recv(1):
            now = time.monotonic()
            if byte[0] not in (signal.SIGINT, signal.SIGTERM):
                continue
            if first and now - first > _SAME_STOP_S:
                os._exit(128 + byte[0])
            first = first or now
