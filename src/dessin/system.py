"""What differs between Linux, macOS and Windows: no other module asks for a call that one of them lacks."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import psutil

_WINDOWS = sys.platform == "win32"
# For Popen: Ctrl-C at the terminal is for this process alone, which then ends the other.
APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if _WINDOWS
    else {"start_new_session": True}
)
# For os.open: a pipe would block for ever without O_NONBLOCK, and Windows change line ends without O_BINARY.
READING = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    READING |= getattr(os, _flag, 0)
_BLOCK = 2**20
# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER = 2**30
_MADE_UP = frozenset(
    (
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts"),
        *("devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs"),
        *("securityfs", "selinuxfs", "sysfs", "tracefs"),
    )
)
_OUT_OF_MEMORY = -9  # SIGKILL, which Windows does not name


def processors() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_memory() -> int:
    """The most memory in bytes that this process had at any moment so far."""
    now: Any = psutil.Process().memory_info()
    if _WINDOWS:
        return int(now.peak_wset)
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(int(now.rss), most if sys.platform == "darwin" else 1024 * most)


def made_up_places() -> frozenset[str]:
    """Where the system shows itself as files (processes, devices, settings): no file there is of a person."""
    with suppress(OSError):  # no /proc, as in some containers
        return frozenset(
            disk.mountpoint for disk in psutil.disk_partitions(all=True) if disk.fstype in _MADE_UP
        )
    return frozenset()


def leads_out(name: str) -> bool:
    """Whether this system takes a name for a path that is absolute, has a drive, or climbs with `..`.

    Windows sees a folder also before a backslash, and in `C:cat.png` a file of another drive.
    """
    path = PureWindowsPath(name) if _WINDOWS else PurePosixPath(name)
    return bool(path.anchor) or ".." in path.parts


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; Windows cannot do that for a folder."""
    if _WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if _WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reserve(path: Path) -> None:
    """Give a file with holes all of its room on the disk; its bytes stay.

    Raises:
        OSError: the disk is full.
    """
    size = path.stat().st_size
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        for start in range(0, size, _BLOCK):
            file.seek(start)
            block = file.read(_BLOCK)
            file.seek(start)
            file.write(block)


def restrain(memory: int) -> str:
    """Bound this process: `memory` bytes beyond what it has, no file written, no core dump.

    Returns:
        What this system does not bound, with commas; empty where it bounds all.
    """
    bounds = {
        "memory": ("RLIMIT_AS", psutil.Process().memory_info().vms + memory),
        "files": ("RLIMIT_FSIZE", 0),
        "core dumps": ("RLIMIT_CORE", 0),
    }
    try:
        import resource
    except ImportError:
        return ", ".join(bounds)
    unbound = []
    for what, (name, most) in bounds.items():
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (AttributeError, OSError, ValueError):
            unbound.append(what)
    return ", ".join(unbound)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was started `APART`, with what it started, and see it off."""
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.kill()
    process.wait()


def cause_of_end(code: int) -> str:
    """Why a process ended, from its code."""
    if code >= 0:
        return f"it ended with code {code}"
    return f"signal {-code}{', perhaps for it was out of memory' if code == _OUT_OF_MEMORY else ''}"


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Tell glibc not to hand large blocks back to the system between steps; False where there is no glibc.

    Otherwise each layer's output is mapped, faulted in page by page and unmapped again: measured for
    EfficientNet-Lite0 on two cores, half the time of a forward pass. It changes no result.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_THRESHOLD, _NEVER)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, _NEVER))
