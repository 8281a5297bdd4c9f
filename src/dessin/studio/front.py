"""What stands before the studio's pages, run by Streamlit: `streamlit run front.py -- WORKSPACE [HOST ..]`.

Streamlit has no setting for the headers of a page, takes pages of other servers on this machine for its own,
and asks a server on the internet for this machine's address before it refuses others. So whoever asks is
checked here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dessin.serving.api.security import host_name, is_foreign, is_known
from dessin.studio.entry import WORD, Entry

# Scripts and styles of Streamlit stand in the page itself, and its charts make functions from text.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "base-uri 'self'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
)
ANY_ADDRESS = ("0.0.0.0", "::")
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Answers under known names only, to its own pages only, and lets nobody frame them or add to them.

    The last is left to the browser, which is told by the `HEADERS` of every answer.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if not (is_known(headers, self._hosts) or self._is_address(headers)):
            words = "The studio does not answer to this host name; start it with --allow-host NAME."
            return await _refuse(421, words, scope, receive, send)
        if (scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")) and is_foreign(headers):
            return await _refuse(403, "The studio answers to its own pages only.", scope, receive, send)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        return await self._app(scope, receive, told)

    def _is_address(self, headers: Headers) -> bool:
        """Where all of this machine's addresses are listened on each is known: a foreign page has a name."""
        try:
            ip_address(host_name(headers.get("host", "")))
        except ValueError:
            return False
        return not self._hosts.isdisjoint(ANY_ADDRESS)


async def _refuse(status: int, words: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": words})
    else:
        await PlainTextResponse(words, status, headers=HEADERS)(scope, receive, send)


_GRACE_S = 10.0


def _end_with_starter() -> None:
    """Wait until whoever started this server is gone, whose end of the pipe is then closed, and end it."""
    sys.stdin.buffer.read()
    signal.raise_signal(signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


def _warm() -> None:
    """Import what the first page needs, while the browser still loads what all pages need."""
    for name in ("app", "views.start"):
        import_module(f"dessin.studio.{name}")


@asynccontextmanager
async def _begun(_: st.App) -> AsyncIterator[None]:
    threading.Thread(target=_warm, daemon=True).start()
    yield


# Taken out: what the studio starts is not to know it. Where `dessin studio` began this it is there, if empty.
_word = os.environ.pop(WORD, None)
if _word is not None:
    threading.Thread(target=_end_with_starter, daemon=True).start()
app = st.App(
    Path(__file__).with_name("app.py"),
    lifespan=_begun,
    middleware=[
        Middleware(Guard, hosts=frozenset(sys.argv[2:])),
        Middleware(Entry, word=_word or ""),
    ],
)
