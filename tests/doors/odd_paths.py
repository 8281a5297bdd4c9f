"""Paths as people mistype them and disks hold them, and a command line run apart, to see how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

NOBODY = 65534
LONG_NAME = "n" * 300
# Names that a disk takes, and that something on the way to a page, a table or a record might not.
ODD_NAMES = (
    *("그림 🎨", "שלום", "e\u0301", "\u00e9", "a b", "a ", " a", "a.", ".a", "-x", "*", "?", "%s{}", "$HOME"),
    *("a\nb", "a\tb", "\x1b[31m", "\x7f", "a'b\"c", "<b>", "a,b", "a;b", "#a", "=1+1", "a\\b", "a:b", "CON"),
    *(
        "\u202egnp.exe",
        "\u200b",
        "~",
        "~root",
        "n" * 200,
        "그" * 70,
        "nan",
        "null",
        "0",
        os.fsdecode(b"\xff"),
        os.fsdecode(b"\xb1\xd7"),
    ),
)
SUFFIXES = (".csv", ".json", ".yaml", ".png", ".npy", ".onnx", ".html", ".zip", ".safetensors", "")


@dataclass(frozen=True)
class Ended:
    """How a command line ended: exit code (None: it was killed for taking too long), and what it said."""

    code: int | None
    said: str
    seconds: float


def odd_things(home: Path) -> list[str]:
    """Make one of each odd thing below `home`; the paths of all, and of some that are nothing."""
    home.mkdir(parents=True)
    (home / "file").write_text("text\n")
    (home / "folder").mkdir()
    (home / "circle").symlink_to("circle")
    (home / "dangling").symlink_to("gone")
    (home / "to-file").symlink_to("file")
    os.mkfifo(home / "pipe")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(home):
        listening.bind("socket")
    (home / "locked").mkdir(mode=0)
    (home / "locked-file").touch(mode=0)
    deep = home / "deep"
    deep.joinpath(*"d" * 100).mkdir(parents=True)
    noise = Random(0).randbytes(3000)
    named = []
    for suffix in SUFFIXES:
        for kind, data in (("empty", b""), ("noise", noise), ("blank", b"\n \n"), ("nul", bytes(100))):
            path = home / f"{kind}{suffix}"
            path.write_bytes(data)
            named.append(path)
        folder = home / f"a-folder{suffix}"
        folder.mkdir()
        named.append(folder)
    folders = [make(home) for make in (_links, _pipes, _names, _locked, _only_dots, _deep_images)]
    given = [
        *("nowhere", "file/below", "circle", "circle/below", "dangling", "dangling/below", "to-file"),
        *("pipe", "pipe/below", "socket", "locked", "locked/below", "locked-file", "file/", "file/."),
        *(LONG_NAME, f"{LONG_NAME}.csv", "p/" * 2500 + "p", "deep", f"deep/{'d/' * 100}new"),
        *(path.name for path in (*named, *folders)),
        *(f"folder/{name}" for name in ODD_NAMES),
    ]
    own = ["", " ", ".", "..", "/", "//", "./.", "~", "~/x", "-", "--", "a\0b", "\ud800", "\x00"]
    devices = [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/stdin",
        "/dev/fd/0",
        "/proc/self/mem",
        "/proc/new",
    ]
    return [*own, *devices, *(f"{home}/{name}" for name in given)]


def _image() -> bytes:
    return bytes.fromhex(
        "89504e470d0a1a0a0000000d494844520000000800000008080000000"
        "0e164e1570000000e49444154789c63fccf800f309192030000ea830109"
    ) + bytes(20)


def _links(home: Path) -> Path:
    folder = home / "of-links" / "cat"
    folder.mkdir(parents=True)
    (folder / "a.png").symlink_to("a.png")
    (folder / "b.png").symlink_to("gone.png")
    (folder / "up").symlink_to("..")
    return folder.parent


def _pipes(home: Path) -> Path:
    folder = home / "of-pipes" / "cat"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "a.png")
    (folder / "b.png").mkdir()
    return folder.parent


def _names(home: Path) -> Path:
    folder = home / "of-names"
    for name in ODD_NAMES:
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name[:50]}.png").write_bytes(_image())
    return folder


def _locked(home: Path) -> Path:
    folder = home / "of-locks"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "a.png").touch(mode=0)
    (folder / "dog").mkdir(mode=0)
    return folder


def _only_dots(home: Path) -> Path:
    folder = home / "of-dots"
    (folder / ".cat").mkdir(parents=True)
    (folder / ".cat" / ".a.png").write_bytes(_image())
    return folder


def _deep_images(home: Path) -> Path:
    folder = home / "of-depths"
    last = folder.joinpath(*"d" * 60)
    last.mkdir(parents=True)
    (last / "a.png").write_bytes(_image())
    return folder


def run_apart(run: Callable[[], int], cwd: Path, *, seconds: float, as_nobody: bool = False) -> Ended:
    """Call `run` in a forked process, standing in `cwd`, perhaps without any rights; its standard error."""
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if not child:
        _child(run, cwd, writing, as_nobody)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = _all_of(stream.fileno(), start + seconds)
        over = said is None
        if over:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    spent = time.monotonic() - start
    return Ended(None if over else os.waitstatus_to_exitcode(status), said or "", spent)


def _all_of(handle: int, until: float) -> str | None:
    """What is written until the other end closes; None where that takes too long."""
    parts = []
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            part = os.read(handle, 2**16)
            if not part:
                return b"".join(parts).decode(errors="backslashreplace")
            parts.append(part)
    return None


def _child(run: Callable[[], int], cwd: Path, writing: int, as_nobody: bool) -> None:
    code = 99
    try:
        for number, handle in enumerate(
            (os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY), writing)
        ):
            os.dup2(handle, number)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(n, "w"), "utf-8", "backslashreplace") for n in (1, 2)
        )
        os.chdir(cwd)
        if as_nobody:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        code = run()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)
