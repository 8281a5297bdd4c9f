"""Who is answered: only under a known Host name, and where there is a token, only with it."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dessin.errors import DessinError
from dessin.reading import read_text
from dessin.serving.api.refusal import Refusal, refuse

_LOCAL = ("localhost", "127.0.0.1", "::1")
_LONGEST_FILE = 2**16  # bytes


def read_token(path: Path) -> str:
    """The first line of a token file.

    Raises:
        DessinError: it cannot be read, or has no usable token.
    """
    token = read_text(path, most=_LONGEST_FILE).partition("\n")[0].strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise DessinError(
            f"The first line of {path} is not a token.",
            allowed="A token is one word of ASCII letters, digits and signs.",
            do="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return token


def known_hosts(bound: str, further: Iterable[str]) -> frozenset[str]:
    """The Host names that are answered to: those of this machine itself, the bound one, and further ones."""
    return frozenset(name.lower().strip("[]").rstrip(".") for name in (*_LOCAL, bound, *further))


class HostCheck:
    """Answers only to known Host names: a page elsewhere may make its own name point here (DNS rebinding)."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if len(headers.getlist("host")) != 1:
                refusal = Refusal(400, "host", "A request needs one Host header.")
                return await refuse(refusal, scope, receive, send)
            if not is_known(headers, self._hosts):
                refusal = Refusal(
                    421,
                    "host",
                    "This server does not answer to the Host that the request names.",
                    do="Ask for it by localhost, or start it with --allow-host NAME.",
                )
                return await refuse(refusal, scope, receive, send)
        return await self._app(scope, receive, send)


def is_known(headers: Headers, hosts: Collection[str]) -> bool:
    """Whether a request names one host, and that one of these."""
    names = headers.getlist("host")
    return len(names) == 1 and host_name(names[0]) in hosts


def host_name(host: str) -> str:
    """A Host header without its port, brackets and final dot, in lower case."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name.lower() if not rest or rest.startswith(":") else host
    return host.partition(":")[0].rstrip(".").lower()


def is_foreign(headers: Headers, allowed: Collection[str] = ()) -> bool:
    """Whether a web page of another origin asks, and none of the `allowed` ("*": any).

    Browsers say where a page is from: `Origin` with each POST and WebSocket, and `Sec-Fetch-Site`. Whatever
    is no browser says neither.
    """
    origins = headers.getlist("origin")
    if not origins:
        return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if "*" in allowed or all(each in allowed for each in origins):
        return False
    # Behind a proxy that does TLS its own pages are https, so only the rest is compared.
    own = headers.get("host", "").lower()
    return any(each.lower().partition("://")[2] != own for each in origins)


class OriginCheck:
    """Lets no web page of another origin have anything computed, also where its browser asks nobody before.

    What a GET answers cannot be read by such a page.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app, self._allowed = app, frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        foreign = scope["type"] == "http" and is_foreign(Headers(scope=scope), self._allowed)
        if foreign and scope["method"] == "POST":
            refusal = Refusal(
                403,
                "origin",
                "A web page of another origin asks.",
                allowed="Pages of this server itself may, and those that --cors names.",
                do="Start the server with --cors ORIGIN for a page that may ask.",
            )
            return await refuse(refusal, scope, receive, send)
        return await self._app(scope, receive, send)


class TokenCheck:
    """Asks for `Authorization: Bearer TOKEN` on all paths but the `open_paths`."""

    def __init__(self, app: ASGIApp, token: str, open_paths: Collection[str]) -> None:
        self._app, self._token, self._open = app, token.encode(), frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["path"] not in self._open
            and not self._sent(Headers(scope=scope))
        ):
            refusal = Refusal(
                401,
                "token",
                "The request has no valid token.",
                do="Send the header Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
            return await refuse(refusal, scope, receive, send)
        return await self._app(scope, receive, send)

    def _sent(self, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        # In a time that does not depend on where the two differ.
        return hmac.compare_digest(token.strip().encode(), self._token) and kind.lower() == "bearer"
