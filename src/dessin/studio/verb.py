"""The verb `studio`: pages on a workspace in a browser, served by Streamlit in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dessin.errors import DessinError, install_command
from dessin.language import tr
from dessin.ops import as_texts
from dessin.progress import say, warn
from dessin.serving.api.security import known_hosts
from dessin.studio.entry import WORD, check_word, new_word

INK, MUTED, LINE, GROUND = "#1f2430", "#6b7280", "#e6e8ec", "#f6f7f9"
ACCENT, GOOD = "#3157c4", "#1e7a4c"
# Told apart without colour vision as well; the first is dessin's own.
SERIES = (ACCENT, "#c4661f", GOOD, "#8a4fa3", "#b03a5b", "#3d8fa8", "#7a6a1e", MUTED)
# Made where nobody names one.
WORKSPACE = "dessin-studio"
APP = Path(__file__).with_name("app.py")
FRONT = Path(__file__).with_name("front.py")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_GRACE_S = 10.0
_LOOK_S = 0.2
_OPTIONS: Mapping[str, object] = {
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 8,
    "server.showEmailPrompt": "false",
    # Its own defaults, which somebody's settings for other pages must not change here.
    "server.enableCORS": "true",
    "server.enableXsrfProtection": "true",
    "server.headless": "true",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "logger.hideWelcomeMessage": "true",
    "theme.base": "light",
    "theme.primaryColor": ACCENT,
    "theme.textColor": INK,
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": GROUND,
    "theme.borderColor": LINE,
    "theme.baseRadius": "10px",
    "theme.chartCategoricalColors": json.dumps(SERIES),
    "theme.font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
}


def studio(
    workspace: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, "from 0 to 65535"] = 8501,
    allow_host: Sequence[str] = (),
    word: str | None = None,
    browser: bool = True,
) -> None:
    """Open the studio: collect drawings, teach a model, draw for it, and look at all results.

    It runs until Ctrl-C or SIGTERM; a model that is being taught is taught on.

    Args:
        workspace: A folder with collections, runs and studies, or the result of auto or demo; nothing outside
            it is listed but the drawings that a result in it was made of. Without it, a folder dessin-studio
            here, which is made.
        host: Where to listen; 0.0.0.0 lets other machines in, which are asked for a word.
        port: Where to listen; 0 takes any free one.
        allow_host: A further Host name to answer to, beside those of this machine and the host.
        word: What everyone is asked for who comes; where other machines are let in and none is given, one is
            made and printed.
        browser: Open the page.

    Raises:
        DessinError: Streamlit is not installed, no such folder, a word that is too short, a port in use, or
            Streamlit failed.
    """
    if not _has_streamlit():
        raise DessinError(
            "The studio needs Streamlit 1.57 or newer.", do=f"Install with {install_command('studio')}"
        )
    root = _checked(Path(workspace)) if workspace is not None else _own_folder()
    port = _free_port(host, port)
    asked = word
    if asked is None and host not in _LOOPBACK:
        asked = new_word()
    check_word(asked)
    if asked:
        say(tr("The word of entry is: {word}", word=asked))
    if host not in _LOOPBACK:
        warn(
            tr(
                "Whoever reaches {place} with the word can look at {folder}, add drawings and teach models.",
                place=f"{host}:{port}",
                folder=root,
            )
        )
    address = f"http://{_in_address(host)}:{port}"
    say(tr("studio of {folder}: {address} (Ctrl-C ends it)", folder=root, address=address))
    command = _command(root, host, port, as_texts(allow_host))
    code = _serve(command, address if browser else None, asked or "")
    if code not in (0, -signal.SIGINT, -signal.SIGTERM):
        raise DessinError(f"Streamlit ended with the code {code}.", do="Its own words are above.")


def _has_streamlit() -> bool:
    """Whether it is new enough, found without importing it, which takes a third of a second."""
    found = find_spec("streamlit")
    inside = found.submodule_search_locations if found else None
    return inside is not None and PathFinder.find_spec("streamlit.starlette", inside) is not None


def _own_folder() -> Path:
    """The workspace where nobody names one, made where it is not there yet."""
    root = Path(WORKSPACE).resolve()
    try:
        root.mkdir(exist_ok=True)
    except OSError as error:
        raise DessinError(
            f"The folder {root} cannot be made: {error.strerror or error}.", do="Name a workspace."
        ) from None
    return root


def _checked(workspace: Path) -> Path:
    root = workspace.resolve()
    if not root.is_dir():
        seen = f"{root} is a file" if root.exists() else f"There is no folder {root}"
        raise DessinError(f"{seen}, and a workspace is a folder.", do="Check the path.")
    return root


def _free_port(host: str, port: int) -> int:
    """The port itself, or a free one for 0; an error where it is in use, or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are only being wound up is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise DessinError(
                f"{host}:{port} cannot be listened on: {error.strerror or error}.",
                do="Choose another --port, or --port 0 for any free one.",
            ) from None
        return int(probe.getsockname()[1])


def _command(root: Path, host: str, port: int, allow_host: Sequence[str]) -> list[str]:
    options = {"server.address": host, "server.port": port, **_OPTIONS}
    flags = [f"--{name}={value}" for name, value in options.items()]
    own = socket.gethostname()
    hosts = sorted(known_hosts(host, (own, f"{own}.local", *allow_host)))
    return [sys.executable, "-m", "streamlit", "run", str(FRONT), *flags, "--", str(root), *hosts]


def _serve(command: list[str], address: str | None, word: str) -> int:
    """Run the server to its end; its exit code. The address is opened in a browser as soon as it answers."""
    # From its own folder: a .streamlit/config.toml in somebody's workspace is not to configure it.
    # The word not on the command line, which everyone on this machine can read.
    # The pipe says when this process has ended, however it did.
    server = subprocess.Popen(command, cwd=APP.parent, env={**os.environ, WORD: word}, stdin=subprocess.PIPE)
    # Over a line to another machine a browser in the terminal is not what is meant.
    shows = sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if address is not None and shows:
        threading.Thread(target=_open, args=(address, server), daemon=True).start()
    with server, _handed_on(server):
        try:
            # Not by `wait` of the block: that closes the pipe first.
            return server.wait()
        except KeyboardInterrupt:
            # A terminal sends Ctrl-C to both; a program may have sent it to this process alone. Its code then
            # says nothing: on Windows it is that of a failure.
            end(server)
            return 0


def _open(address: str, server: subprocess.Popen[Any]) -> None:
    parts = urlsplit(address)
    while server.poll() is None:
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1).close()
        except OSError:
            time.sleep(_LOOK_S)
        else:
            webbrowser.open(address)
            return


@contextmanager
def _handed_on(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """A SIGTERM inside the block ends the server, whose end then ends this."""
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        end(server)


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to end, and make it end where it does not; one that has ended is left alone."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
