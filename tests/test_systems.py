"""Other systems: no module needs what Windows or macOS lack, and whatever differs lies in one module."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import dessin
from dessin import system
from dessin.collection.curation import read_curation
from dessin.collection.readers.detect import read_collection
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.images.paths import image_path
from dessin.runs.run import as_recipe

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
from contextlib import ExitStack
from pathlib import Path
import dessin
from tiny_auto import TINY, small_portfolio

root = Path(sys.argv[1])
with ExitStack() as stack:
    for patch in small_portfolio():
        stack.enter_context(patch)
    size = {"classes": 12, "per_class": 10, "photographs": 0.0}
    made = dessin.demo(out=root / "demo", **size, models=TINY, budget="10m")
assert all(finding.found for finding in made.findings)
assert made.auto.report.is_file()
answer = dessin.load(made.auto.folder).predict(next((root / "demo").glob("drawings/cat/cat_0*.png")))
assert answer.label in made.auto.split.classes
assert not list(root.rglob("*.lock"))
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


def test_the_demo_runs_without_what_other_systems_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESSIN_CACHE", str(tmp_path / "cache"))
    run_hidden(WORK, str(tmp_path))


WINDOWS_PATHS = (
    "C:/a.png",
    "C:a.png",
    "C:\\a.png",
    "..\\a.png",
    "cat\\..\\..\\a.png",
    "\\\\host\\share\\a.png",
    "\\a.png",
)


@pytest.mark.parametrize("image_id", WINDOWS_PATHS)
def test_no_image_is_read_from_another_drive_or_above_a_backslash(
    image_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where links may lead out: such a name is none."""
    monkeypatch.setenv("DESSIN_FOLLOW_LINKS", "1")
    monkeypatch.setattr(system, "_WINDOWS", True)
    with pytest.raises(DessinError, match="does not lie inside"):
        image_path(tmp_path, image_id)
    assert image_path(tmp_path, "cat/a.png") == tmp_path / "cat" / "a.png"


def test_elsewhere_a_colon_or_a_backslash_is_a_letter_like_any(tmp_path: Path) -> None:
    for name in ("C:a.png", "..\\a.png"):
        (tmp_path / name).touch()
        assert image_path(tmp_path, name) == tmp_path / name


def test_tables_as_windows_write_them_are_read(tmp_path: Path) -> None:
    """Backslashes, CRLF, a byte order mark, semicolons, and names in another case than on the disk."""
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("L", (20, 20 + number), 10 * number).save(tmp_path / label / f"{number}.PNG")
    lines = ["image_path;label"]
    lines += [f"{label.upper()}\\{number}.png;{label}" for label in ("cat", "dog") for number in range(3)]
    (tmp_path / "table.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    found = read_collection(tmp_path / "table.csv")
    assert [item.image_id for item in found.items][:2] == ["cat/0.PNG", "cat/1.PNG"]
    assert found.classes == ("cat", "dog")


def test_files_of_dessin_survive_an_editor_that_ends_lines_its_own_way(tmp_path: Path) -> None:
    """A split, a curation and a recipe that Notepad saved are what they were."""
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(6):
            Image.new("L", (20, 20 + number), 30 * number).save(tmp_path / "data" / label / f"{number}.png")
    made = dessin.split(tmp_path / "data", folds=2, holdout=0.2, out=tmp_path / "split.csv")
    (tmp_path / "curation.csv").write_bytes(b"image_id,action,label,reason\ncat/0.png,drop,,blurred\n")
    (tmp_path / "recipe.yaml").write_bytes(b"image:\n  size: 64\nmodel:\n  backbone: resnet18\n")
    read = {
        "split.csv": read_split,
        "curation.csv": read_curation,
        "recipe.yaml": lambda path: as_recipe(path, ()),
    }
    for name, reader in read.items():
        path = tmp_path / name
        before = path.read_bytes()
        assert b"\r" not in before
        wanted = reader(path)
        path.write_bytes(b"\xef\xbb\xbf" + before.replace(b"\n", b"\r\n"))
        assert reader(path) == wanted
    assert read_split(tmp_path / "split.csv") == made


def console(encoding: str, *words: str, language: str = "en") -> str:
    """What a command prints where the screen has a code page of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dessin", *words],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "DESSIN_LANGUAGE": language},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(encoding, "replace")
    return done.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp949", "ascii"])
def test_a_console_with_a_code_page_shows_plain_letters(encoding: str) -> None:
    said = console(encoding, "--help")
    assert "drawings" in said
    assert "\\u" not in said


def test_what_a_code_page_lacks_is_written_in_letters_that_it_has() -> None:
    code = """
import io, sys
from dessin.ending import told
sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "cp1252", "strict")
with told("0", []):
    print("1\u202f234 drawings, \u22122.1 points \u2192 caf\u00e9 \ub098")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (
        done.stdout
        == "1 234 drawings, -2.1 points -> caf\u00e9 \\ub098".encode("cp1252") + os.linesep.encode()
    )


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
