"""The studio served as a user serves it, and a window on it that keeps what it complains of and asks for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

DEADLINE_S = 90.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    # A camera that shows a pattern, and may be used.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


KITS = Path(__file__).parent


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The address of a studio on a free port; it is ended as a service manager would."""
    with begun(str(workspace)) as (server, address):
        yield address
        server.terminate()
        assert server.wait(DEADLINE_S) == 0


@contextmanager
def begun(
    *arguments: str, cwd: Path | None = None, tiny: bool = False
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A studio on a free port with its address, ended at the end; with `tiny` whatever it teaches is tiny."""
    command = [sys.executable, "-m", "dessin", "studio", *arguments, "--port", "0", "--no-browser"]
    paths = [str(KITS / "tiny_site"), str(KITS)] if tiny else []
    path = os.pathsep.join(filter(None, [*paths, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd, env=environment) as server:
        try:
            assert server.stdout is not None
            address = ""
            while not address:
                line = server.stdout.readline()
                assert line, "it ended before it said where it listens"
                address = next((word for word in line.split() if word.startswith("http://")), "")
            _wait_for(f"{address}/_stcore/health")
            yield server, address
        finally:
            # Asked first: one that is killed leaves the server that it had started.
            server.terminate()
            try:
                server.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:  # it answers, and asks for a word
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@dataclass
class Window:
    """A page in a browser window; `complaints` are errors of the console, `requests` every address asked."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until Streamlit has run the script to its end.

        A click begins a run only when the server has heard of it: wait for something of that run before.
        """
        self.page.wait_for_selector("h1", timeout=DEADLINE_S * 1000)
        self.page.wait_for_selector(
            '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=DEADLINE_S * 1000
        )

    def scroll_to(self, one: Locator) -> None:
        """Bring it into view, and wait until the page was told of that, in its next frame.

        A list that was opened before then would be closed, as scrolling closes any.
        """
        one.scroll_into_view_if_needed()
        one.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def widest(self) -> float:
        """How far to the right anything reaches that is not inside something that can be moved sideways."""
        return float(self.page.evaluate(_WIDEST))

    def picture(self, file: Path) -> None:
        """A picture of the whole page, which scrolls inside the window."""
        size = self.page.viewport_size
        assert size is not None
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": min(int(height) + 40, 8000)})
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=file)
        self.page.set_viewport_size(size)


_WIDEST = """
Math.max(...[...document.querySelectorAll('[data-testid=stMain] *')]
  .filter(e => !e.parentElement.closest('.dessin.table') && e.getClientRects().length)
  .map(e => e.getBoundingClientRect().right))
"""


def _is_fault(said: ConsoleMessage) -> bool:
    # Below a page's own address Streamlit looks for its server there first, and then a level above.
    sought = re.search(r"/\w+/_stcore/", said.location["url"])
    return said.type == "error" and not sought


def open_window(browser: Browser, address: str, width: int) -> Window:
    """A window of that width on the studio's first page."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    window = Window(page)
    page.on("console", lambda said: _is_fault(said) and window.complaints.append(said.text))
    page.on("pageerror", lambda error: window.complaints.append(str(error)))
    page.on("request", lambda request: window.requests.append(request.url))
    page.on("websocket", lambda socket: window.requests.append(socket.url))
    page.goto(address)
    window.settle()
    return window
