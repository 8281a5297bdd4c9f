"""The word of entry: nothing is answered without it, and it is told nobody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from studio_server import begun

from dessin.errors import DessinError
from dessin.studio.entry import COOKIE, PATH, check_word, new_word

pytestmark = pytest.mark.slow
WORD = "drei äpfel"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with begun(str(tmp_path_factory.mktemp("workspace")), "--word", WORD) as (_, address):
        yield address


def test_without_the_word_nothing_is_answered(address: str) -> None:
    page = httpx.get(address, headers={"accept": "text/html"})
    assert page.status_code == 401
    assert 'name="word"' in page.text
    for path in ("/_stcore/health", "/_stcore/stream", "/static/js/index.js", PATH, "/try"):
        reply = httpx.get(address + path, headers={"cookie": f"{COOKIE}=guessed"})
        assert reply.status_code == 401
        assert "<script" not in reply.text


def test_a_wrong_word_lets_nobody_in_and_the_right_one_does(address: str) -> None:
    with httpx.Client(base_url=address) as browser:
        for wrong in ("", WORD + "x", "x" * 5_000):
            reply = browser.post(PATH, data={"word": wrong})
            assert (reply.status_code, COOKIE in reply.cookies) == (401, False)
        reply = browser.post(PATH, data={"word": f" {WORD} "})
        assert reply.status_code == 303
        assert {"httponly", "samesite=strict"} <= set(reply.headers["set-cookie"].lower().split("; "))
        assert WORD not in str(reply.headers)
        assert browser.get("/_stcore/health").text == "ok"


def test_a_page_elsewhere_cannot_enter(address: str) -> None:
    reply = httpx.post(address + PATH, data={"word": WORD}, headers={"origin": "http://evil.example"})
    assert reply.status_code == 403


def test_one_is_made_where_others_are_let_in_and_can_be_said() -> None:
    words = {new_word() for _ in range(200)}
    assert len(words) == 200
    assert all(word.isalpha() and word.islower() and len(word) == 10 for word in words)


@pytest.mark.parametrize("word", ["", "short", " spaces ", "a\nbcdefgh"])
def test_a_word_that_can_be_guessed_is_refused(word: str) -> None:
    with pytest.raises(DessinError, match="word of entry"):
        check_word(word)


def test_on_a_network_a_word_is_printed_and_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dessin", "studio", str(tmp_path), "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert "word of entry is: " in server.stdout.readline()
        finally:
            server.terminate()
