"""Pages of another origin in a real Chromium: they can neither show the studio in a frame nor talk to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from studio_server import DEADLINE_S, open_window, served

pytestmark = pytest.mark.browser

PAGE = """<title>elsewhere</title><iframe id="frame" src="STUDIO" width="1200" height="800"></iframe>
<script>
const socket = new WebSocket("STUDIO/_stcore/stream".replace("http", "ws"), ["streamlit"]);
socket.onopen = () => document.title = "open";
socket.onerror = () => document.title = "closed";
</script>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("workspace")) as address:
        yield address


@pytest.fixture(scope="module")
def elsewhere(address: str) -> Iterator[str]:
    """A page of another port of this machine, with the studio in a frame."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGE.replace("STUDIO", address).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the screen."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_studio_shows_itself_and_asks_itself_alone(address: str, browser: Browser) -> None:
    window = open_window(browser, address, 1280)
    assert window.page.locator("h1").count() == 1
    asked = [url for url in window.requests if not url.startswith(("data:", "blob:"))]
    own = address.removeprefix("http://")
    assert {url.partition("://")[2].partition("/")[0] for url in asked} == {own}
    assert window.complaints == []
    # A page that holds something from elsewhere gets nothing of it.
    window.page.evaluate(
        "new Promise(done => Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png', onerror: done}))"
    )
    assert any("Content Security Policy" in complaint for complaint in window.complaints)
    window.page.close()


def test_a_page_elsewhere_cannot_frame_it_or_open_its_socket(
    address: str, elsewhere: str, browser: Browser, output: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(elsewhere)
    page.wait_for_function("document.title != 'elsewhere'", timeout=DEADLINE_S * 1000)
    assert page.title() == "closed"
    (frame,) = page.main_frame.child_frames
    frame.wait_for_load_state()
    assert not frame.url.startswith(address)
    assert frame.locator('[data-testid="stApp"]').count() == 0
    assert any("frame" in line for line in said)
    output.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=output / "framed.png")
    page.close()
