"""`dessin serve` as a user starts and ends it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dessin.errors import DessinError
from dessin.serving.api.security import read_token
from dessin.serving.api.verb import serve

pytestmark = pytest.mark.slow


@pytest.fixture
def running(bundle: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dessin", "serve", str(bundle), "--port", "0", "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def test_what_is_under_way_is_answered_before_it_ends(
    running: tuple[subprocess.Popen[str], int], drawings: dict[str, list[bytes]]
) -> None:
    process, port = running
    data = drawings["star"][0]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ready = b""
        while not ready.endswith(b'{"status":"ready"}'):
            ready += connection.recv(4096)
        connection.sendall(head.encode() + data[:100])
        process.send_signal(signal.SIGTERM)
        connection.sendall(data[100:])
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"label":"star"' in answer
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "stopped" in output
    assert "Traceback" not in output


def test_a_port_that_is_taken_and_a_model_that_is_none_get_a_sentence(bundle: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DessinError, match=f"{port} cannot be listened on"):
            serve(bundle, port=port)
    with pytest.raises(DessinError, match="There is no folder"):
        serve(tmp_path / "nothing", port=0)


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "tökén\n"])
def test_a_token_file_needs_a_token(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(DessinError, match="not a token"):
        read_token(tmp_path / "token")


def test_the_token_is_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\nwhatever\n")
    assert read_token(tmp_path / "token") == "sesame"
    with pytest.raises(DessinError, match="There is no file"):
        read_token(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_no_token_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(DessinError, match="a pipe or a device"):
        read_token(tmp_path / "token")
