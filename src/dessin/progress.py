"""What a person sees while something runs: bars on a terminal, plain lines with an estimate otherwise."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
_PLAIN_INTERVAL_S = 10.0
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_quiet = False
_said: set[str] = set()


@contextmanager
def quiet() -> Iterator[None]:
    """Say nothing inside the block (for callers of the Python functions, and tests)."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def say(text: str = "") -> None:
    """One plain line on standard output."""
    if not _quiet:
        print(_harmless(text), flush=True)


def say_once(text: str) -> None:
    """Like `say`, but nothing when this process has said the very same before."""
    if not _quiet and text not in _said:
        _said.add(text)
        say(text)


def warn_once(about: str, text: str) -> None:
    """Like `warn`, but nothing when this process has warned about the same before."""
    if not _quiet and about not in _said:
        _said.add(about)
        warn(text)


def warn(text: str) -> None:
    """A line that must not be missed, on standard error."""
    if not _quiet:
        print(f"WARNING: {_harmless(text)}", file=sys.stderr, flush=True)


def _harmless(text: str) -> str:
    """Without what a name in a foreign file could say to a terminal: such characters are spelt out."""
    return _CONTROL.sub(lambda found: ascii(found.group())[1:-1], text)


@contextmanager
def on_stop(sentence: str) -> Iterator[None]:
    """What Ctrl-C or SIGTERM inside the block says: what is kept, and how to go on.

    Of blocks in one another the outermost speaks, whose verb the person started.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.args = (sentence,)
        raise


def track(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    """Yield `items` while showing how many of `total` are done and how long is left."""
    if _quiet or total <= 0:
        yield from items
    elif sys.stderr is not None and sys.stderr.isatty():
        yield from _bar(items, total, label)
    else:
        yield from _lines(items, total, label)


def _bar(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, total=total, description=label, console=Console(stderr=True), transient=True)


def _lines(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last > _PLAIN_INTERVAL_S and done:
            left = (now - start) / done * (total - done)
            print(f"{label}: {done}/{total}, about {duration(left)} left", file=sys.stderr, flush=True)
            last = now
        yield item


def duration(seconds: float) -> str:
    """`75.2` → `1 min 15 s`; under a minute in seconds."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
