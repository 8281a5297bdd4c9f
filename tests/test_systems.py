"""Other systems: no module needs what Windows or macOS lack, and whatever differs lies in one module."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dessin import system

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[1] / "src"
SEAM = SOURCE / "dessin" / "system.py"
MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "msvcrt", "winreg"}
CALLS = {
    "os": {
        *(
            "fork",
            "forkpty",
            "killpg",
            "getpgid",
            "setsid",
            "setpgid",
            "getuid",
            "geteuid",
            "getgid",
            "getegid",
        ),
        *("sched_getaffinity", "sched_setaffinity", "mkfifo", "nice", "fchown", "chown", "wait", "waitid"),
        *("getloadavg", "sysconf", "uname", "statvfs", "posix_fadvise", "posix_fallocate", "sendfile"),
        *("O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_BINARY", "fsync"),
    },
    "signal": {
        "SIGKILL",
        "SIGHUP",
        "SIGALRM",
        "SIGUSR1",
        "SIGUSR2",
        "SIGSTOP",
        "SIGCHLD",
        "alarm",
        "setitimer",
    },
    "socket": {"AF_UNIX", "SO_REUSEPORT"},
}
ARGUMENTS = {"preexec_fn", "start_new_session", "process_group", "pass_fds", "creationflags"}
# Everything of the core is imported and put to work with these gone, as on a system that never had them.
HIDDEN = """
import os, signal, sys
import psutil, torch  # the libraries have their own ways on each system
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "killpg", "getpgid", "setsid", "setpgid", "getuid", "geteuid", "getgid",
             "sched_getaffinity", "mkfifo", "getloadavg", "O_DIRECTORY"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGSTOP"):
    delattr(signal, name)
"""
IMPORT = """
import importlib, pkgutil
import dessin
OPTIONAL = {"fastapi", "uvicorn", "httptools", "prometheus_client", "multipart", "onnx", "onnxscript",
            "onnxruntime", "streamlit", "ray", "starlette"}
for module in pkgutil.walk_packages(dessin.__path__, "dessin."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        assert (error.name or "").partition(".")[0] in OPTIONAL, (module.name, error)
"""
WORK = """
import sys
from pathlib import Path
import dessin
from dessin.doodles.doodles import generate_doodles
from tiny_run import tiny_recipe

root = Path(sys.argv[1])
generate_doodles(root / "doodles", classes=12, per_class=10, seed=3)
data = root / "doodles" / "drawings"
dessin.audit(data, out=root / "audit")
dessin.split(data, out=root / "split.csv", folds=3, holdout=0.2)
run = dessin.train(tiny_recipe(), data=data, split=root / "split.csv", out=root / "run")
dessin.predict(run, [data], out=root / "predictions.csv")
assert len((root / "predictions.csv").read_text().splitlines()) > 20
assert not (run / ".lock").exists()
"""


def used(path: Path) -> set[str]:
    """What a module takes from a system that another may not have, with its line."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name in MODULES]
        elif isinstance(node, ast.ImportFrom):
            several = CALLS.get(node.module or "", set())
            names = [node.module or ""] if node.module in MODULES else []
            names += [alias.name for alias in node.names if alias.name in several]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [node.attr] if node.attr in CALLS.get(node.value.id, set()) else []
        elif isinstance(node, ast.keyword):
            names = [node.arg] if node.arg in ARGUMENTS else []
        found |= {f"{path.name}:{getattr(node, 'lineno', 0)} {name}" for name in names}
    return found


def test_only_the_seam_asks_for_a_systems_own_calls() -> None:
    found = {line for path in (SOURCE / "dessin").rglob("*.py") if path != SEAM for line in used(path)}
    assert found == set()


def test_the_seam_would_be_found(tmp_path: Path) -> None:
    assert any("sched_getaffinity" in line for line in used(SEAM))
    (tmp_path / "bad.py").write_text("import fcntl\nfrom os import fork\nrun(start_new_session=True)\n")
    assert len(used(tmp_path / "bad.py")) == 3


def run_hidden(code: str, *arguments: str) -> None:
    kits = f"import sys; sys.path.insert(0, {str(Path(__file__).parent / 'kits')!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", kits + HIDDEN + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_module_is_imported_without_what_other_systems_lack() -> None:
    run_hidden(IMPORT)


def test_audit_split_train_and_predict_work_without_what_other_systems_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "cache"))
    run_hidden(WORK, str(tmp_path))


def test_what_cannot_be_bounded_is_said() -> None:
    code = HIDDEN + "from dessin.system import restrain; print(restrain(2**30))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "memory, files, core dumps"


def test_the_end_of_a_process_has_a_cause() -> None:
    assert system.cause_of_end(3) == "it ended with code 3"
    assert "out of memory" in system.cause_of_end(-9)
    assert system.cause_of_end(-11) == "signal 11"


@pytest.mark.parametrize("native", [True, False])
def test_reserving_room_keeps_the_bytes(
    native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    file = tmp_path / "holes"
    with file.open("wb") as opened:
        opened.write(b"beginning")
        opened.truncate(3 * 2**20 + 5)
    before = file.read_bytes()
    assert file.stat().st_blocks * 512 < 2**20
    system.reserve(file)
    assert file.read_bytes() == before
    assert file.stat().st_blocks * 512 >= 3 * 2**20
