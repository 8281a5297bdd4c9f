"""The word of entry: asked for once of each browser, where the studio is open to other machines."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from html import escape
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dessin.errors import DessinError
from dessin.language import tr

# In the environment of the server.
WORD = "DESSIN_STUDIO_WORD"
COOKIE, PATH = "dessin_entry", "/_dessin/enter"
_LEAST = 6
_MOST_BYTES = 2_000
# Of a wrong word, by which guessing takes years: all who guess wait for one another.
_WAIT_S = 1.0
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_SYLLABLES = 5


def new_word() -> str:
    """A word that can be said aloud, of 1.7 billion."""
    return "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(_SYLLABLES))


def check_word(word: str | None) -> None:
    """Refuse a word that could be guessed; none is asked for where it is None."""
    if word is not None and (len(word.strip()) < _LEAST or word != word.strip() or not word.isprintable()):
        raise DessinError(
            "The word of entry is too short, or has spaces around it.",
            allowed=f"It has at least {_LEAST} characters.",
            do="Give a longer --word, or none, and one is made.",
        )


class Entry:
    """Lets in who has the word, which a cookie then says; without a word, everyone.

    The cookie is of this server alone, cannot be read by scripts, and is not sent from other pages.
    """

    def __init__(self, app: ASGIApp, word: str) -> None:
        self._app, self._word = app, word
        self._token = secrets.token_urlsafe(32)
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._word or scope["type"] not in ("http", "websocket") or self._is_in(scope):
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "The word of entry is missing."})
            return None
        request = Request(scope, receive)
        return await (await self._answer(request))(scope, receive, send)

    def _is_in(self, scope: Scope) -> bool:
        given = HTTPConnection(scope).cookies.get(COOKIE, "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    async def _answer(self, request: Request) -> Response:
        if request.url.path == PATH and request.method == "POST":
            return await self._enter(request)
        if request.method == "GET" and "text/html" in Headers(scope=request.scope).get("accept", ""):
            return HTMLResponse(_page(""), 401)
        return PlainTextResponse("The word of entry is missing.", 401)

    async def _enter(self, request: Request) -> Response:
        word = await _word_of(request)
        # Compared as bytes, in a time that says nothing; wrong words one after the other.
        if not hmac.compare_digest(word.encode(), self._word.encode()):
            async with self._turn:
                await asyncio.sleep(_WAIT_S)
            return HTMLResponse(_page(tr("That is not the word.")), 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
        return answer


async def _word_of(request: Request) -> str:
    """The word of the form; nothing where more is sent than a word can be."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > _MOST_BYTES:
            return ""
    found = parse_qs(data.decode("utf-8", errors="replace")).get("word", [""])
    return found[0].strip()


_STYLE = """
body { font: 18px system-ui, sans-serif; max-width: 26rem; margin: 18vh auto; padding: 0 1rem }
input, button { font: inherit; padding: .6rem .8rem; border-radius: 10px; border: 1px solid #c9cdd6 }
button { background: #3157c4; color: #fff; border-color: #3157c4 }
form { display: flex; gap: .6rem; flex-wrap: wrap }
input { flex: 1; min-width: 10rem }
[role=alert] { color: #b3261e }
"""


def _page(wrong: str) -> str:
    asks = escape(tr("The word of entry, which whoever started the studio has:"))
    alert = f'<p role="alert">{escape(wrong)}</p>' if wrong else ""
    return f"""<!doctype html><html><head><meta charset="utf-8"><title>dessin studio</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><h1>dessin studio</h1><p><label for="word">{asks}</label></p>
<form method="post" action="{PATH}">
<input id="word" name="word" type="password" autofocus autocomplete="current-password" required>
<button>{escape(tr("Enter"))}</button></form>{alert}</body></html>"""
