"""The verb `studio`: what is refused before anything starts, and the server's beginning and end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from studio_kit import make_drawings, raw, words

from dessin.errors import DessinError, install_command
from dessin.studio import verb
from dessin.studio.texts import texts_of

pytestmark = pytest.mark.slow

ENGLISH = texts_of("en")
KOREAN = texts_of("ko")

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


def test_where_nothing_can_answer_the_app_begins_with_the_data(app: AppTest, tmp_path: Path) -> None:
    app.run()
    assert [error.message for error in app.exception] == []
    assert [title.value for title in app.title] == [ENGLISH["frame.data"]]
    assert str(tmp_path) in words(app)


def test_the_language_is_taken_from_the_address_and_kept_there(app: AppTest) -> None:
    app.query_params["lang"] = "ko"
    app.run()
    assert [title.value for title in app.title] == [KOREAN["frame.data"]]
    assert KOREAN["data.drawings"] in raw(app)
    app.radio(key="language").set_value("en").run()
    assert [title.value for title in app.title] == [ENGLISH["frame.data"]]
    assert app.query_params["lang"] in ("en", ["en"])


def test_a_workspace_that_is_gone_is_a_sentence(app: AppTest, tmp_path: Path) -> None:
    (tmp_path / "drawings").rename(tmp_path.parent / "moved")
    tmp_path.rmdir()
    app.run()
    assert [error.message for error in app.exception] == []
    assert "There is no folder" in words(app)
