"""A polite HTTP client: one request at a time, paced, bounded in time, bytes and redirects.

https is asked anywhere, http on this machine alone.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import httpx

from dessin.errors import DessinError
from dessin.progress import duration, say

AGAIN = "Check the network, or wait; the same command goes on where it stopped."
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_TIME_TO_START_S = 30.0
_REDIRECTS = 5


class Clock(Protocol):
    """What of the module `time` is needed, so that a test can wait for an hour in no time."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...

    def time(self) -> float: ...


@dataclass(frozen=True)
class Limits:
    """How a server is treated; a connection of fewer than `slowest` bytes a second counts as stuck.

    As long as no server was reached at all there is probably no network, so that few tries are made.
    """

    timeout_s: float = 30.0
    connect_s: float = 5.0
    tries_unreached: int = 2
    interval_s: float = 0.25
    tries: int = 6
    first_pause_s: float = 1.0
    longest_pause_s: float = 300.0
    slowest: float = 1024.0


class TryAgainError(Exception):
    """A try that failed and may be repeated; `wait` is what the server asked for, in seconds.

    `restart` says that the bytes received so far are of no use, `unreached` that there was no connection.
    """

    def __init__(
        self, reason: str, *, wait: float = 0.0, restart: bool = False, unreached: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait, self.restart, self.unreached = wait, restart, unreached


class NotThereError(DessinError):
    """The server has no such file."""


class Client:
    """Asks for files; `budget` is how many bytes it may read in all."""

    def __init__(self, *, budget: int, limits: Limits | None = None, clock: Clock = time) -> None:
        self.limits, self._clock = limits or Limits(), clock
        self._left = self._budget = budget
        self._next_s = 0.0
        self._reached = False

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """A reply of status 200, 206 or 416.

        Raises:
            TryAgainError: a lost connection, a busy server.
            NotThereError: 404 or 410.
            DessinError: anything else, such as an address or a redirect that is not allowed.
        """
        if not _may_ask(url):
            raise DessinError(
                f"The address {url} is not fetched.",
                allowed="Only https is (and http from this machine itself).",
            )
        self._pace()
        # Identity: the bytes counted, resumed and hashed must be those of the file.
        always = {"User-Agent": f"dessin/{version('dessin')}", "Accept-Encoding": "identity"}
        with _session(url, self.limits) as session:
            try:
                reply = _followed(session, url, {**headers, **always})
            except httpx.TransportError as error:
                raise _lost(url, error) from None
            except httpx.InvalidURL as error:
                raise _not_followed(url, f"no address ({error})") from None
            self._reached = True
            try:
                if reply.status_code not in (200, 206, 416):
                    raise self._refusal(url, reply)
                yield reply
            finally:
                reply.close()

    def blocks(self, reply: httpx.Response, limit: int | None) -> Iterator[bytes]:
        """The body in pieces, `limit` bytes at most; it ends early where the server does.

        Raises:
            TryAgainError: the connection is lost or stuck.
            DessinError: the budget is spent.
        """
        start, received = self._clock.monotonic(), 0
        try:
            for whole in reply.iter_raw():
                block = whole if limit is None else whole[: limit - received]
                received += len(block)
                self._spend(len(block))
                yield block
                if received == limit:
                    return
                seconds = self._clock.monotonic() - start
                if seconds > _TIME_TO_START_S and received / seconds < self.limits.slowest:
                    raise TryAgainError(f"it sent {received:,} bytes in {seconds:.0f} s")
        except httpx.TransportError as error:
            raise _lost(str(reply.url), error) from None

    def pause(self, url: str, trouble: TryAgainError, failures: int) -> None:
        """Sleep before the next try, twice as long each time.

        Raises:
            DessinError: too many failures, or the server asks for a longer pause than is sensible.
        """
        if trouble.unreached and not self._reached and failures >= self.limits.tries_unreached:
            raise DessinError(
                f"{urlsplit(url).hostname} cannot be reached: {trouble}.",
                allowed="What is fetched comes from the internet.",
                do="Check the network and its proxy, then give the same command again.",
            )
        if failures >= self.limits.tries:
            raise DessinError(
                f"{url} could not be fetched in {failures} tries; the last time {trouble}.", do=AGAIN
            )
        pause = max(trouble.wait, self.limits.first_pause_s * 2 ** (failures - 1))
        if pause > self.limits.longest_pause_s:
            raise DessinError(
                f"{url}: {trouble}, and the server asks to wait for {duration(pause)}.", do=AGAIN
            )
        say(f"{url}: {trouble}; again in {duration(pause)}")
        self._clock.sleep(pause)

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise DessinError(
                f"More than {self._budget:,} bytes came, which is more than this collection should need.",
                do="Ask for fewer classes or drawings, or see what the source serves now.",
            )

    def _pace(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_s:
            self._clock.sleep(self._next_s - now)
        self._next_s = max(now, self._next_s) + self.limits.interval_s

    def _refusal(self, url: str, reply: httpx.Response) -> Exception:
        code = reply.status_code
        if code in _TRY_AGAIN:
            wait = _seconds_to_wait(reply.headers.get("Retry-After", ""), self.now())
            return TryAgainError(f"it answered {code}", wait=wait)
        if code in (404, 410):
            return NotThereError(f"There is no file {url} (the server answered {code}).")
        if 300 <= code < 400:
            return _not_followed(url, reply.headers.get("Location", "nowhere"))
        return DessinError(f"{url} was refused: the server answered {code}.", do=AGAIN)


def _session(url: str, limits: Limits) -> httpx.Client:
    timeout = httpx.Timeout(limits.timeout_s, connect=min(limits.timeout_s, limits.connect_s))
    # The system's own certificates, as a proxy of a company needs them; no proxy for this machine itself.
    return httpx.Client(
        timeout=timeout, verify=ssl.create_default_context(), trust_env=not _on_this_machine(url)
    )


def _followed(session: httpx.Client, url: str, headers: Mapping[str, str]) -> httpx.Response:
    """The reply at the end of the redirects that are followed; the last redirect, where one is not."""
    for redirects in range(_REDIRECTS + 1):
        reply = session.send(session.build_request("GET", url, headers=headers), stream=True)
        target = urljoin(url, reply.headers.get("Location", "")) if reply.has_redirect_location else ""
        if redirects == _REDIRECTS or not may_follow(url, target):
            break
        reply.close()
        url = target
    return reply


def may_follow(start: str, target: str) -> bool:
    """Whether a redirect is followed: to https, or from loopback to loopback."""
    return _may_ask(target) and (target.startswith("https:") or start.startswith("http:"))


def _may_ask(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _on_this_machine(url))


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _not_followed(url: str, target: str) -> DessinError:
    return DessinError(
        f"{url} redirects to {target}, which is not followed.",
        allowed=f"Redirects are followed to https, {_REDIRECTS} times at most.",
    )


def _lost(url: str, error: httpx.TransportError) -> Exception:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return DessinError(
            f"The certificate of {url} could not be verified: {error}.",
            do="Check the date of this machine and its certificates.",
        )
    unreached = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
    return TryAgainError(f"the connection failed ({str(error) or type(error).__name__})", unreached=unreached)


def _seconds_to_wait(header: str, now: datetime) -> float:
    """What Retry-After asks for (RFC 9110, section 10.2.3), a number or a date; 0 where it cannot be read."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())
