"""One polite HTTP client: one connection at a time, paced, bounded in time, bytes and redirects."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPException, HTTPResponse
from importlib.metadata import version
from typing import IO
from urllib import request
from urllib.error import HTTPError, URLError

from dessin.errors import DessinError
from dessin.fetch.address import check_address, may_follow, on_this_machine
from dessin.fetch.clock import Clock, SystemClock
from dessin.fetch.retry_after import seconds_to_wait
from dessin.fetch.trouble import AGAIN, Manners, PassingError

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_BLOCK = 2**16
_GRACE_S = 30.0
_REDIRECTS = 5


class NotThereError(DessinError):
    """The server has no such file."""


class Client:
    """Asks for files; `budget` is how many bytes it may read in all."""

    def __init__(self, *, budget: int, manners: Manners | None = None, clock: Clock | None = None) -> None:
        self.manners, self.clock = manners or Manners(), clock or SystemClock()
        self._left = self._budget = budget
        self._next_s = 0.0

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        """A reply of status 200, 206 or 416.

        Raises:
            PassingError: what may pass: a lost connection, a busy server.
            NotThereError: 404 or 410.
            DessinError: anything else, such as an address or a redirect that is not allowed.
        """
        check_address(url)
        self._pace()
        asked = request.Request(url, headers={**headers, **_always()})
        try:
            reply = _opener(url).open(asked, timeout=self.manners.timeout_s)
        except HTTPError as error:
            with error:
                if error.code != 416:
                    raise self._refusal(url, error) from None
                yield error  # type: ignore[misc]  # an HTTPError has the reply's status and headers
            return
        except (OSError, HTTPException) as error:
            raise _lost(url, error) from None
        with reply:
            yield reply

    def blocks(self, reply: HTTPResponse, limit: int | None) -> Iterator[bytes]:
        """The body in pieces, `limit` bytes at most; it ends early where the server does.

        Raises:
            PassingError: the connection is lost or stuck.
            DessinError: the budget is spent.
        """
        start, received = self.clock.monotonic(), 0
        while limit is None or received < limit:
            try:
                block = reply.read1(_BLOCK if limit is None else min(_BLOCK, limit - received))
            except (OSError, HTTPException) as error:
                raise _lost(reply.url, error) from None
            if not block:
                return
            received += len(block)
            self._spend(len(block))
            yield block
            seconds = self.clock.monotonic() - start
            if seconds > _GRACE_S and received / seconds < self.manners.slowest:
                raise PassingError(f"it sent {received:,} bytes in {seconds:.0f} s")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise DessinError(
                f"More than {self._budget:,} bytes came, which is more than this collection should need.",
                do="Ask for fewer classes or drawings, or see what the source serves now.",
            )

    def _pace(self) -> None:
        now = self.clock.monotonic()
        if now < self._next_s:
            self.clock.sleep(self._next_s - now)
        self._next_s = max(now, self._next_s) + self.manners.interval_s

    def _refusal(self, url: str, error: HTTPError) -> Exception:
        if error.code in _PASSING:
            wait = seconds_to_wait(error.headers.get("Retry-After"), self.clock.now())
            return PassingError(f"it answered {error.code}", wait=wait)
        if error.code in (404, 410):
            return NotThereError(f"There is no file {url} (the server answered {error.code}).")
        if 300 <= error.code < 400:
            target = error.headers.get("Location", "nowhere")
            return DessinError(
                f"{url} redirects to {target}, which is not followed.",
                allowed=f"Redirects are followed to https, {_REDIRECTS} times at most.",
            )
        return DessinError(f"{url} was refused: the server answered {error.code}.", do=AGAIN)


def _always() -> dict[str, str]:
    # Identity: the bytes counted, resumed and hashed must be those of the file.
    return {"User-Agent": f"dessin/{version('dessin')}", "Accept-Encoding": "identity"}


def _lost(url: str, error: Exception) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DessinError(
            f"The certificate of {url} could not be verified: {reason.verify_message}.",
            do="Check the date of this machine and its certificates.",
        )
    return PassingError(f"the connection failed ({reason or type(reason).__name__})")


class _Redirects(request.HTTPRedirectHandler):
    max_redirections = max_repeats = _REDIRECTS

    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> request.Request | None:
        if not may_follow(req.full_url, newurl):
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener(url: str) -> request.OpenerDirector:
    # Made by hand: urllib's own opener would also read file:, ftp: and data:.
    opener = request.OpenerDirector()
    handlers: tuple[request.BaseHandler, ...] = (
        request.ProxyHandler({} if on_this_machine(url) else None),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        _Redirects(),
        request.HTTPErrorProcessor(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener
