"""uvicorn's HTTP/1.1 with what it lacks: a time and a size for a request's head, and errors in our shape."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dessin.serving.api.limits import Limits
from dessin.serving.api.refusal import JSON, Refusal, error_body, refusal_reply

# Requests of one connection that may wait for the answers of earlier ones.
_MOST_WAITING = 16
_SPOKEN = "HTTP/1.1 is spoken here; a body has one Content-Length, or is chunked."


class Protocol(HttpToolsProtocol):
    """One connection; `limits` are those of `bounded`."""

    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head_bytes = self._unread_bytes = 0
        self._in_head = self._moved = False
        # How much has come since it was refused, after which nothing is read any more; None before.
        self._dropped: int | None = None
        self._refused: Refusal | None = None
        self._deadline: asyncio.TimerHandle | None = None
        if len(self.connections) > self.limits.connections:
            self._write(Refusal(503, "connections", "Too many connections are open.", do="Try again later."))
            self.transport.close()
        else:
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # In pieces, so that nothing is let through only for it came in one read.
        step = self.limits.head_bytes
        for start in range(0, len(data), step):
            if self.transport.is_closing():
                return
            piece = data[start : start + step]
            if self._dropped is None:
                self._parse(piece)
            else:
                self._drop(piece)

    def _parse(self, data: bytes) -> None:
        self._moved = False
        super().data_received(data)
        if self._dropped is not None or self.transport.is_closing():
            return
        # Neither a head nor what stands between a body's bytes (sizes of chunks, trailers) may be endless.
        self._unread_bytes = 0 if self._moved else self._unread_bytes + len(data)
        if self._unread_bytes > self.limits.head_bytes:
            self._refuse(_too_long())
        elif self._deadline is None and self._is_idle:
            # A blank line after an answer has ended uvicorn's own timer.
            self._set_deadline()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= _MOST_WAITING:
            self._give_up(Refusal(429, "pipeline", "Too many requests wait on one connection."))
        self._in_head, self._head_bytes = True, 0
        if self._deadline is None:
            self._set_deadline()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        # What follows a body is no header of the request, which is under way.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._moved = False, True
        self._clear_deadline()
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._give_up(Refusal(505, "version", f"This is HTTP {version}.", allowed=_SPOKEN))
        self._check_coding(version)
        if self.parser.should_upgrade():
            # The parser takes what follows for the other protocol's, and must not go on.
            self._give_up(
                Refusal(
                    400,
                    "upgrade",
                    "The request asks for another protocol.",
                    allowed="HTTP/1.1 is spoken here.",
                    do="Send it without the header Upgrade (curl --http1.1).",
                )
            )
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refused or Refusal(400, "http", msg, allowed=_SPOKEN))

    def _check_coding(self, version: str) -> None:
        """The parser sees to it that a chunked body has no length; a body may have no other coding."""
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if not codings:
            return
        if version == "1.0":
            self._give_up(Refusal(400, "coding", "HTTP/1.0 has no Transfer-Encoding.", allowed=_SPOKEN))
        if codings != [b"chunked"]:
            seen = "The Transfer-Encoding is not chunked."
            self._give_up(Refusal(501, "coding", seen, allowed=_SPOKEN, do="Send the body as it is."))

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self.limits.head_bytes:
            self._give_up(_too_long())

    def _give_up(self, refusal: Refusal) -> None:
        """From within the parser, which ends at once and has `send_400_response` called."""
        self._refused = refusal
        raise ConnectionAbortedError

    @property
    def _is_idle(self) -> bool:
        """No request is under way that was not answered."""
        return self.cycle is None or self.cycle.response_complete

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(self.limits.head_seconds, self._too_slow)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self._refuse(Refusal(408, "slow_sender", "The head of the request did not arrive in time."))

    def _refuse(self, refusal: Refusal) -> None:
        """Read no more, and answer without the application; earlier requests get their answers first."""
        if self._dropped is not None or self.transport.is_closing():
            return
        self._dropped = 0
        self._clear_deadline()
        if self.pipeline:
            cycle, _ = self.pipeline[0]
            cycle.keep_alive = False
            # Where its head was whole it has its turn; what is no request ends with the one before.
            if cycle.more_body:
                answer: Any = refusal_reply(refusal)
                self.pipeline[0] = (cycle, answer)
            return
        if not self._is_idle and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if self._is_idle or not self.cycle.response_started:
            self._write(refusal)
        if not self._is_idle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._linger()

    def _write(self, refusal: Refusal) -> None:
        body = error_body(refusal)
        fields = {"content-type": JSON, "content-length": len(body), **refusal.headers, "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.transport.write(STATUS_LINE[refusal.status] + head.encode() + b"\r\n" + body)

    def _linger(self) -> None:
        """Closing at once would have the client's system throw the answer away, if it is still sending."""
        self.transport.write_eof()
        self._deadline = self.loop.call_later(self.limits.linger_seconds, self.transport.close)

    def _drop(self, data: bytes) -> None:
        assert self._dropped is not None
        self._dropped += len(data)
        if self._dropped > self.limits.linger_bytes:
            self.transport.close()


def _too_long() -> Refusal:
    return Refusal(431, "head", "The head of the request is too large.", do="Send fewer or shorter headers.")


def bounded(limits: Limits) -> type[Protocol]:
    """The protocol with these limits."""
    return type("BoundedProtocol", (Protocol,), {"limits": limits})
