"""What a person sees while something runs: bars on a terminal and in a notebook, plain lines otherwise."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from dessin.errors import DessinError, quoted

if TYPE_CHECKING:
    from rich.progress import Progress

from dessin.language import Phrase, phrase, retold, tr, translated

Item = TypeVar("Item")
_PLAIN_INTERVAL_S = 10.0
# A bar is shown once its work has taken so long, and is then drawn anew as often.
_FLASH_S, _FRAME_S = 0.3, 0.05
# A notebook keeps every frame that it is sent.
_NOTEBOOK_FRAME_S = 0.25
# Of a work, before what is left of it is told: the first steps are seldom as long as the others.
_LEAST_STEPS, _LEAST_SHARE = 3, 0.05
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# None: as is usual here, which is to speak, but in a notebook, where results show themselves, to warn alone.
_quiet: bool | None = None
_said: set[str] = set()
# The bars of this process, one display for all that are open; none where nothing is shown.
_bars: list[Progress] = []
_lock = threading.Lock()


class quiet:  # noqa: N801 (called like a function)
    """From here on nothing is said: no line, no warning, no bar. `with quiet():` holds for a block alone.

    `quiet(False)` has everything said, also in a notebook, where else a result shows itself.
    """

    def __init__(self, on: bool = True) -> None:
        global _quiet
        self._before, _quiet = _quiet, on

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        global _quiet
        _quiet = self._before


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this (Jupyter, Colab, an editor's), and no terminal."""
    found = sys.modules.get("IPython")
    shell = found.get_ipython() if found is not None and hasattr(found, "get_ipython") else None
    return hasattr(shell, "kernel")


def say(text: str = "") -> None:
    """One plain line on standard output; not in a notebook, unless that is asked for (see `quiet`)."""
    if not (in_notebook() if _quiet is None else _quiet):
        print(_harmless(retold(text)), flush=True)


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
        print(f"{tr('WARNING')}: {_harmless(retold(text))}", file=sys.stderr, flush=True)


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


def track(
    items: Iterable[Item],
    total: int,
    label: str,
    *,
    unit: str = "images",
    size: Callable[[Item], int] | None = None,
) -> Iterator[Item]:
    """Yield `items` while showing how many of `total` units are done and, once that is known, what is left.

    `size` says how many units an item is (default: one), such as `len` for batches of images. Of works in one
    another each has its bar.
    """
    if _quiet or total <= 0:
        yield from items
        return
    label = label.spoken if isinstance(label, Phrase) else translated(label)
    work = _Work(label, total, unit, time.monotonic())
    if in_notebook():
        shown = _notebook_bar(work)
    else:
        shown = _bar(work) if sys.stderr is not None and sys.stderr.isatty() else _lines(work)
    with shown as show:
        for item in items:
            yield item
            work.done = min(total, work.done + (1 if size is None else size(item)))
            work.steps += 1
            show()


@dataclass
class _Work:
    """How many units of a total are done, in how many steps, since when."""

    label: str
    total: int
    unit: str
    began: float
    done: int = 0
    steps: int = 0

    def words(self) -> str:
        """`235 of 499 images, about 11 s left`: the time only once enough is done to tell it from."""
        # With narrow spaces between thousands, as in `page.numbers`, which lies above.
        done, total = (f"{number:,}".replace(",", "\u202f") for number in (self.done, self.total))
        said = tr("{done} of {total} {unit}", done=done, total=total, unit=translated(self.unit))
        known = self.steps >= _LEAST_STEPS and self.done >= _LEAST_SHARE * self.total
        if not known or self.done == self.total:
            return said
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        # Nobody knows it to a tenth of a second.
        time_left = phrase("{seconds} s", seconds=max(1, round(left))) if left < 10 else duration(left)
        return tr("{said}, about {time} left", said=said, time=time_left)


@contextmanager
def _lines(work: _Work) -> Iterator[Callable[[], None]]:
    """A line now and then."""
    last = work.began

    def show() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > _PLAIN_INTERVAL_S and work.done < work.total:
            print(f"{work.label}: {work.words()}", file=sys.stderr, flush=True)
            last = now

    yield show


@contextmanager
def _bar(work: _Work) -> Iterator[Callable[[], None]]:
    """A bar below those that are open already."""
    with _lock:
        if not _bars:
            _bars.append(_new_bars())
            _bars[0].start()
        bars = _bars[0]
        task = bars.add_task(work.label, total=work.total, words=work.words())
    last = work.began

    def show() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _FRAME_S or work.done == work.total:
            bars.update(task, completed=work.done, words=work.words())
            last = now

    try:
        yield show
    finally:
        with _lock:
            if len(bars.task_ids) == 1:
                _bars.clear()
                bars.stop()
            bars.remove_task(task)


class _NotebookBars:
    """The bars of all works under way in one place below the cell, which is empty when they are done."""

    def __init__(self) -> None:
        self.works: list[_Work] = []
        self._handle: Any = None

    def show(self) -> None:
        # IPython is there: its kernel runs this.
        from IPython.display import display

        now = time.monotonic()
        works = [work for work in self.works if now - work.began >= _FLASH_S]
        if self._handle is None and works:
            self._handle = display(_as_html(works), display_id=True)
        elif self._handle is not None:
            self._handle.update(_as_html(works))
            self._handle = self._handle if self.works else None


class _Html(str):
    """What a notebook shows as it is, and a kernel without a browser in words."""

    words = ""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return self.words


def _as_html(works: Sequence[_Work]) -> _Html:
    rows = "".join(
        f"<div>{escape(work.label)} <progress value='{work.done}' max='{work.total}'></progress> "
        f"{escape(work.words())}</div>"
        for work in works
    )
    html = _Html(rows)
    html.words = "; ".join(f"{work.label}: {work.words()}" for work in works)
    return html


_notebook_bars = _NotebookBars()


@contextmanager
def _notebook_bar(work: _Work) -> Iterator[Callable[[], None]]:
    """A bar below the cell that runs."""
    with _lock:
        _notebook_bars.works.append(work)
    last = work.began

    def show() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _NOTEBOOK_FRAME_S:
            with _lock:
                _notebook_bars.show()
            last = now

    try:
        yield show
    finally:
        with _lock:
            _notebook_bars.works.remove(work)
            _notebook_bars.show()


def _new_bars() -> Progress:
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, Progress, TextColumn

    class Bars(Progress):
        """Without a bar that would be gone before it could be read."""

        def get_renderables(self) -> Iterable[RenderableType]:
            yield self.make_tasks_table([task for task in self.tasks if (task.elapsed or 0.0) >= _FLASH_S])

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[words]}"),
        console=Console(stderr=True),
        transient=True,
        # What is said meanwhile goes above the bars; into a file it goes as ever.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        get_time=time.monotonic,
    )


def duration(seconds: float) -> Phrase:
    """`75.2` → `1 min 15 s`, `4503` → `1 h 15 min`; under a minute in seconds."""
    if seconds < 10:
        return phrase("{seconds} s", seconds=f"{seconds:.1f}")
    if seconds >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return phrase("{hours} h {minutes} min", hours=hours, minutes=minutes)
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return phrase("{seconds} s", seconds=rest)
    return phrase("{minutes} min {seconds} s", minutes=minutes, seconds=rest)


def parse_budget(text: str) -> float:
    """Seconds from `90s`, `15m`, `2h` or a plain number of seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise DessinError(
            f'"{quoted(text)}" is not a budget of time.',
            allowed="A budget is written 90s, 15m or 2h, and is above zero.",
        )
    return seconds
