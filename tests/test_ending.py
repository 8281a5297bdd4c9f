"""How the command line ends: faults, stops, and output that cannot be shown or written, in real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from dessin.progress import on_stop

pytestmark = pytest.mark.slow

# `dessin doctor` with another body.
PROGRAM = """
import signal, sys, threading, time, warnings, logging
# Whoever started the tests may have done so with Ctrl-C ignored, which is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
from dessin import cli, verbs
from dessin.progress import on_stop, say, track

def body():
{body}

verbs.Verb.function = lambda self: body
sys.argv = ["dessin", "doctor"]
cli.main()
"""


def command(body: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(body=indent(body, "    "))]


def run(body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(body),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | environment,
        timeout=60,
    )


# Faults


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise KeyError('a\\n' * 5000)", "KeyError"),
        ("raise BrokenPipeError(32, 'Broken pipe')", "a pipe to another process broke"),
    ],
)
def test_a_fault_is_one_sentence_and_its_traceback_a_private_file(
    body: str, said: str, own_cache: Path
) -> None:
    ended = run(body)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("dessin: This is a fault of dessin, not of yours: ")
    assert ended.stderr.count("\n") == 1
    assert len(ended.stderr) < 700
    assert said in ended.stderr
    (report,) = (own_cache / "faults").iterdir()
    assert str(report) in ended.stderr
    text = report.read_text(encoding="utf-8")
    assert "\ndessin doctor\n" in text
    assert "Traceback (most recent call last)" in text
    if os.name == "posix":
        assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_report_goes_to_the_temporary_folder_where_the_cache_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    ended = run("1 / 0", DESSIN_CACHE=str(tmp_path / "file"), TMPDIR=str(tmp_path / "tmp"))
    (report,) = (tmp_path / "tmp").iterdir()
    assert str(report) in ended.stderr


def test_without_a_place_for_the_report_the_line_says_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    nowhere = "import tempfile\ntempfile.tempdir = str(__import__('pathlib').Path.cwd())\n"
    ended = run(nowhere + "1 / 0", DESSIN_CACHE=str(tmp_path / "file"))
    assert "division by zero. Please report it with this line and the command." in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_traceback_is_shown_to_who_asks_for_it() -> None:
    assert "Traceback" in run("1 / 0", DESSIN_DEBUG="1").stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("bytearray(2**60)", "There is not enough memory"),
        ("raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried')", "enough memory"),
        ("raise PermissionError(13, 'Permission denied', 'x.csv')", "x.csv could not be used: you have no"),
        ("raise OSError(28, 'No space left on device')", "the disk is full"),
    ],
)
def test_what_the_machine_lacks_is_no_fault(body: str, said: str, own_cache: Path) -> None:
    ended = run(body)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "fault" not in ended.stderr
    assert not (own_cache / "faults").exists()


def test_what_libraries_warn_of_is_not_on_the_screen() -> None:
    body = "warnings.warn('a')\nlogging.getLogger('x').warning('b')\nlogging.getLogger('x').error('c')"
    assert run(body).stderr == "c\n"
    assert "a\n" in run(body, DESSIN_DEBUG="1").stderr


# Stops


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("say('begun')\ntime.sleep(60)", "Nothing half-written was left under a final name."),
        (
            "with on_stop('result/ is kept; the same command goes on.'), on_stop('an inner verb'):\n"
            "    say('begun')\n"
            "    time.sleep(60)",
            "result/ is kept; the same command goes on.",
        ),
    ],
)
def test_a_stop_says_what_is_kept_in_one_line(body: str, said: str, number: int, code: int) -> None:
    with subprocess.Popen(
        command(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        _, words = process.communicate(timeout=30)
        assert process.returncode == code
        assert words.lstrip("\n") == f"dessin: stopped. {said}\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_second_stop_ends_at_once() -> None:
    # The first one waits for a thread that does not end; it has no place in the output but its own line.
    body = "threading.Thread(target=time.sleep, args=(120,)).start()\nsay('begun')\ntime.sleep(120)"
    with subprocess.Popen(
        command(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert any("stopped" in line for line in process.stderr)
        code = None
        while code is None:
            # Those within half a second of the first count as the first.
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert code == 130


def test_of_blocks_in_one_another_the_outermost_speaks() -> None:
    with pytest.raises(KeyboardInterrupt, match="outer"), on_stop("outer"), on_stop("inner"):
        raise KeyboardInterrupt


# Output


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({"PYTHONIOENCODING": "ascii"}, r"\uadf8\ub9bc -0.4 \udcff.png"),
        ({"PYTHONIOENCODING": "cp1252"}, r"\uadf8\ub9bc -0.4 \udcff.png"),
        ({"PYTHONIOENCODING": "cp949"}, r"그림 -0.4 \udcff.png"),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            r"\uadf8\ub9bc -0.4 \udcff.png",
        ),
        ({"PYTHONIOENCODING": "utf-8"}, r"그림 −0.4 \udcff.png"),
    ],
)
def test_what_a_console_cannot_show_is_written_as_escapes(environment: dict[str, str], seen: str) -> None:
    body = r"say('\uadf8\ub9bc \u22120.4 \udcff.png')"
    ended = subprocess.run(command(body), capture_output=True, env=os.environ | environment, check=True)
    encoding = environment.get("PYTHONIOENCODING", "ascii")
    assert ended.stdout.decode(encoding).rstrip() == seen
    failed = subprocess.run(command("raise cli.DessinError('그림')"), capture_output=True, check=False)
    assert failed.returncode == 1


def test_the_work_goes_on_when_nobody_reads_any_more(tmp_path: Path) -> None:
    done = tmp_path / "done"
    body = f"for n in range(20000): say(f'line {{n}}')\nopen({str(done)!r}, 'w').close()"
    with subprocess.Popen(
        command(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 0
        assert done.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_said() -> None:
    for body in ("say('x')", "print('x', end='')"):
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                command(body), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
        assert ended.returncode == 1
        assert ended.stderr.startswith("dessin: The output could not be written: the disk is full.")
        assert ended.stderr.count("\n") == 1


def test_closed_streams_are_no_fault(tmp_path: Path) -> None:
    done = tmp_path / "done"
    body = f"say('x')\nlist(track([1], 1, 'a'))\nopen({str(done)!r}, 'w').close()"
    words = [
        sys.executable,
        "-c",
        "import os, sys; os.close(1); os.close(2); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    assert subprocess.run([*words, *command(body)], timeout=60, check=False).returncode == 0
    assert done.exists()
