"""A verb in a process of its own that kills itself just before its n-th act of writing, and what is left.

Python reports each file that is opened, renamed, made or removed to an audit hook, so that every moment at
which something on the disk changes can be reached, by its number. All paths are relative to a case's folder,
with its cache, so that one case is like another.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from unittest import mock

from study_kit import Inline
from tiny_auto import small_portfolio

from dessin.fetch.sources import QUICKDRAW

PATIENCE_S = 300.0
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}

# Verbs by a name: where they live, and what they are given.
COMMANDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "audit": ("audit", {"data": "data", "out": "out"}),
    "scout": ("scout", {"data": "data", "split": "split.csv", "models": "test_efficientnet", "size": 32,
                        "out": "out"}),
    "train": ("train", {"recipe": "recipe.yaml", "data": "data", "split": "split.csv", "out": "out"}),
    "folds": ("train", {"recipe": "recipe.yaml", "data": "data", "split": "split.csv", "out": "out",
                        "folds": "0,1"}),
    "evaluate": ("evaluate", {"run": "runs/a", "holdout": True, "out": "out"}),
    "ensemble": ("ensemble", {"runs": ["runs/a", "runs/b"], "out": "out"}),
    "soup": ("soup", {"runs": ["runs/a", "runs/b"], "out": "out"}),
    "export": ("export", {"model": "runs/a", "out": "out"}),
    "explain": ("explain", {"run": "runs/a", "out": "out"}),
    "mistakes": ("mistakes", {"run": "runs/a", "out": "out"}),
    "calibrate": ("calibrate", {"run": "runs/a", "out": "out", "write": True}),
    "compare": ("compare", {"runs": ["runs/a", "runs/b"], "out": "out"}),
    "recipes": ("recipes", {"copy": "out"}),
    "auto": ("auto", {"data": "data", "out": "out", "models": "test_efficientnet", "budget": "10h"}),
    "study": ("study", {"file": "study.yaml", "data": "data", "split": "split.csv", "out": "out"}),
    "study in one process": ("study", {"file": "study.yaml", "data": "data", "split": "split.csv",
                                       "out": "out"}),
    "distill": ("distill", {"committee": "both", "student": "test_efficientnet", "recipe": "recipe.yaml",
                            "views": "identity,hflip", "out": "out"}),
    "route": ("route", {"run": "runs/a", "families": "families.csv", "experts": "pets", "out": "out"}),
    "families": ("families", {"runs": ["runs/a", "runs/b"], "count": 2, "out": "out/families.csv"}),
    "fetch": ("fetch", {"collection": "quickdraw", "classes": "cat,house", "per_class": 5, "out": "out"}),
}  # fmt: skip


def processes() -> ForkServerContext:
    """A process starts in 0.1 s with what verbs import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dessin.auto.verb", "dessin.serving.export.verb", "torch._dynamo"])
    return context


class Moments:
    """Counts acts of writing below the working folder, and dies before the one that is asked for."""

    def __init__(self, deadly: int) -> None:
        self.count, self._deadly, self._root = 0, deadly, f"{Path.cwd()}{os.sep}"
        self.owner = os.getpid()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & WRITING
        elif event in CHANGES:
            path, writes = arguments[0], True
        else:
            return
        if writes and os.getpid() == self.owner and self._is_below(path):
            self.count += 1
            if self.count == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    def _is_below(self, path: object) -> bool:
        # Of a name below an open folder the folder is not told, but then it was found below it.
        return isinstance(path, (str, bytes)) and str(Path(os.fsdecode(path)).absolute()).startswith(
            self._root
        )


def act(folder: str, name: str, deadly: int, barrier: Barrier | None = None) -> None:
    """Carry out a command in a case's folder; killed at a moment, or its moments and its end written down."""
    import torch

    os.chdir(folder)
    os.environ["DESSIN_CACHE"] = str(Path(folder) / "cache")
    torch.set_num_threads(1)
    sys.stdout = sys.stderr = Path("said.txt").open("a")  # noqa: SIM115 (until the process ends)
    verb, given = COMMANDS[name]
    with ExitStack() as stack:
        for patch in (*small_portfolio(), *_own(name)):
            stack.enter_context(patch)
        from dessin.errors import DessinError
        from dessin.verbs import VERBS

        function = next(each.function() for each in VERBS if each.name == verb)
        if barrier is not None:
            barrier.wait(PATIENCE_S)
        moments = Moments(deadly)
        sys.addaudithook(moments)
        try:
            function(**given)
            said = ""
        except DessinError as error:
            said = str(error)
        moments.owner = 0
    Path(folder, f"ended-{os.getpid()}.json").write_text(json.dumps([moments.count, said]))


def _own(name: str) -> Iterator[Any]:
    """What a command needs: jobs of a study that are counted, one speed, drawings from this machine."""
    if name == "study in one process":
        yield mock.patch("dessin.studies.verb.choose_executor", return_value=Inline())
    if name == "distill":
        yield mock.patch("dessin.committees.distill.measure.seconds_of", _asked_in_a_hundredth)
    if name == "fetch":
        here = dataclasses.replace(QUICKDRAW, address=Path("server.txt").read_text())
        yield mock.patch("dessin.fetch.verb.known_source", return_value=here)


def _asked_in_a_hundredth(ask: Callable[[], object], _device: object) -> float:
    ask()
    return 0.01


def run(
    context: ForkServerContext, folder: Path, name: str, deadly: int = 0
) -> tuple[int | None, tuple[int, str] | None]:
    """The exit code, and of a process that was not killed its moments and what it was refused with."""
    process = context.Process(target=act, args=(str(folder), name, deadly))
    process.start()
    process.join(PATIENCE_S)
    return process.exitcode, ended(folder, process.pid)


def ended(folder: Path, pid: int | None) -> tuple[int, str] | None:
    file = folder / f"ended-{pid}.json"
    if not file.is_file():
        return None
    count, said = json.loads(file.read_text())
    file.unlink()
    return count, said


def case(world: Path, place: Path) -> Path:
    """A new case in `place`, which is always the same path, so that no path differs."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(world, place)
    return place


# What a clock, a date or the number of beginnings makes of a file.
CLOCK = re.compile(
    r"seconds|timings|^\.?started|finished$|created|throughput|per_second|speed|decoding|holdout_opened|"
    r"measured|since|reason|flops|pace|fitting|computing"
)
WHEN = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\+00:00)?)?")
# The tables that a page offers as CSVs.
OFFERED = re.compile("data:text/csv;charset=utf-8;base64,([A-Za-z0-9+/=]+)")
SPENT = re.compile(r"\d[\d\u202f]*([.,]\d+)?\s*(ms|s|min|h|GiB|images/s)\b")


def tree(folder: Path) -> dict[str, object]:
    """Every file below a case's folder but its cache and what was said, by path, as it is compared."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    apart = ("cache/", "said.txt", "ended-", "out/jobs/worker-")
    return {name: plain(path) for name, path in names.items() if not name.startswith(apart)}


def plain(path: Path) -> object:
    """What of a file does not come from a clock."""
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix in (".csv", ".html", ".yaml", ".txt"):
        text = OFFERED.sub(lambda found: b64decode(found[1]).decode(), path.read_text())
        if path.suffix == ".csv":
            text = _columns(text)
        return _told(text)
    return path.read_bytes()


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: _timeless(inner) for key, inner in value.items() if not CLOCK.search(key)}
        # Dates of the openings of a holdout: how many there are is what counts.
        opened = value.get("holdout_opened", [])
        return kept | {"opened": len(opened) if isinstance(opened, list) else opened}
    if isinstance(value, list):
        return [_timeless(inner) for inner in value]
    return _told(value) if isinstance(value, str) else value


def _told(text: str) -> str:
    """A text without times; a run that was begun several times has several."""
    return SPENT.sub("SPENT", re.sub(r"WHEN( UTC)?(, WHEN( UTC)?)*", "WHEN", WHEN.sub("WHEN", text)))


def _columns(text: str) -> str:
    """A table without the columns of clocks; as it is where it has none."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    clocks = {place for place, title in enumerate(rows[0] if rows else ()) if CLOCK.search(title)}
    if not clocks:
        return text
    return repr([[cell for place, cell in enumerate(row) if place not in clocks] for row in rows])


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Files that are only on one side, or differ, and where."""
    names = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    return [f"{name}: {_first(before.get(name, 'nothing'), after.get(name, 'nothing'))}" for name in names]


def _first(one: object, other: object) -> str:
    """Where two values begin to differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        key = next(key for key in {**one, **other} if one.get(key) != other.get(key))
        return f"{key}: {_first(one.get(key), other.get(key))}"
    texts = [value if isinstance(value, str) else repr(value) for value in (one, other)]
    pairs = enumerate(zip(*texts, strict=False))
    start = next((place for place, (here, there) in pairs if here != there), min(map(len, texts)))
    return " -> ".join(repr(text[max(0, start - 40) : start + 80]) for text in texts)
