"""The verb `studio`: what is refused before anything starts, and the server's beginning and end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from streamlit.testing.v1 import AppTest
from studio_kit import make_drawings, raw, words

from dessin.errors import DessinError, install_command
from dessin.studio import verb
from dessin.studio.texts import texts_in

pytestmark = pytest.mark.slow

ENGLISH = texts_in("en")
KOREAN = texts_in("ko")

DEADLINE_S = 60.0


def test_no_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DessinError, match="There is no folder"):
        verb.studio(tmp_path / "nothing")
    with pytest.raises(DessinError, match="is a file"):
        verb.studio(tmp_path / "file")


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DessinError, match=f"127.0.0.1:{port} cannot be listened on"):
            verb.studio(tmp_path, port=port)


def test_without_streamlit_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "find_spec", lambda name: None)
    with pytest.raises(DessinError, match=re.escape(install_command("studio"))):
        verb.studio(tmp_path)


def test_the_server_starts_on_a_free_port_and_ends_with_sigterm(tmp_path: Path) -> None:
    # Somebody's workspace may hold a configuration, which must not be taken for ours.
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "elsewhere"\n')
    command = [sys.executable, "-m", "dessin", "studio", ".", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            address = next(word for word in said.split() if word.startswith("http://127.0.0.1:"))
            assert str(tmp_path) in said
            assert _health(address) == "ok"
            begun = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert server.wait(DEADLINE_S) == 0
            assert time.monotonic() - begun < DEADLINE_S / 2
            with pytest.raises(OSError):
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=5)
        finally:
            server.kill()


def test_the_server_ends_when_what_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dessin", "studio", ".", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as studio:
        assert studio.stdout is not None
        address = next(word for word in studio.stdout.readline().split() if word.startswith("http://"))
        assert _health(address) == "ok"
        children = psutil.Process(studio.pid).children()
        studio.kill()
    gone, alive = psutil.wait_procs(children, DEADLINE_S)
    for each in alive:
        each.kill()
    assert gone
    assert not alive


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "dessin", "studio", ".", "--port", "0", "--no-browser"]
    command += ["--allow-host", "drawings.example.org"]
    folder = tmp_path_factory.mktemp("workspace")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http://"))
            _health(address)
            yield address
        finally:
            server.terminate()


def test_every_answer_forbids_frames_and_what_is_from_elsewhere(address: str) -> None:
    for path in ("/", "/_stcore/health", "/data?lang=ko", "/nothing/there.js"):
        reply = httpx.get(address + path)
        assert reply.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert "default-src 'self'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("LOCALHOST:1", 200),
        ("drawings.example.org", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.7", 421),
    ],
)
def test_it_answers_to_its_own_names(address: str, host: str, status: int) -> None:
    reply = httpx.get(f"{address}/_stcore/health", headers={"host": host})
    assert reply.status_code == status
    assert _socket_status(address, host, f"http://{host}") == (101 if status == 200 else 403)


def test_it_answers_to_its_own_pages(address: str) -> None:
    own = address.removeprefix("http://")
    port = own.partition(":")[2]
    assert _socket_status(address, own, f"http://{own}") == 101
    # Another server on this machine is another origin; Streamlit alone would let its pages in.
    for origin in ("http://evil.example", "null", "http://localhost:1", f"http://localhost:{port}"):
        assert _socket_status(address, own, origin) == 403
        put = httpx.put(f"{address}/_stcore/upload_file/x/y", headers={"origin": origin})
        assert put.status_code == 403


def _socket_status(address: str, host: str, origin: str) -> int:
    """The status of an answer to somebody who asks for a WebSocket."""
    name, port = address.removeprefix("http://").split(":")
    head = f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\n"
    head += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    head += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    with socket.create_connection((name, int(port)), timeout=DEADLINE_S) as connection:
        connection.sendall(head.encode())
        return int(connection.recv(4096)[9:12])


def test_all_addresses_of_this_machine_are_its_names_where_all_are_listened_on() -> None:
    script = """
import asyncio, sys
sys.argv = ["front.py", ".", "0.0.0.0", "localhost"]
from dessin.studio.front import Guard

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})

async def status(host):
    said = []
    async def send(message):
        said.append(message)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    await Guard(app, frozenset(sys.argv[2:]))(scope, None, send)
    return said[0]["status"]

print([asyncio.run(status(host)) for host in ("192.0.2.7:8501", "[2001:db8::1]", "evil.example", "1.evil")])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[200, 200, 421, 421]"


def test_the_browser_is_opened_once_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(verb.webbrowser, "open", opened.append)
    with (
        socket.create_server(("127.0.0.1", 0)) as there,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server,
    ):
        address = f"http://127.0.0.1:{there.getsockname()[1]}"
        verb._open(address, server)
        server.communicate(b"\n")
        verb._open("http://127.0.0.1:1", server)  # which has ended
    assert opened == [address]


def _health(address: str) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    make_drawings(tmp_path / "drawings")
    monkeypatch.setattr(sys, "argv", ["app.py", str(tmp_path)])
    return AppTest.from_file(str(verb.APP), default_timeout=60)


def test_where_nothing_can_answer_the_app_begins_with_its_collections(app: AppTest, tmp_path: Path) -> None:
    app.run()
    assert [error.message for error in app.exception] == []
    assert [title.value for title in app.title] == [ENGLISH("frame.start")]
    assert str(tmp_path) in words(app)


def test_the_language_is_taken_from_the_address_and_kept_there(app: AppTest) -> None:
    app.query_params["lang"] = "ko"
    app.run()
    assert [title.value for title in app.title] == [KOREAN("frame.start")]
    assert KOREAN("start.choose") in raw(app)
    app.radio(key="language").set_value("en").run()
    assert [title.value for title in app.title] == [ENGLISH("frame.start")]
    assert app.query_params["lang"] in ("en", ["en"])


def test_a_workspace_that_is_gone_is_a_sentence(app: AppTest, tmp_path: Path) -> None:
    (tmp_path / "drawings").rename(tmp_path.parent / "moved")
    tmp_path.rmdir()
    app.run()
    assert [error.message for error in app.exception] == []
    assert "There is no folder" in words(app)
