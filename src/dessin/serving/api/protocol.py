"""uvicorn's HTTP/1.1 with what it lacks: a time and a size for a request's head, and errors in our shape."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dessin.serving.api.limits import Limits
from dessin.serving.api.refusal import Refusal, error_body


class Protocol(HttpToolsProtocol):
    """One connection; `limits` are those of `bounded`."""

    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unread_bytes = 0
        self._moved = False
        self._refused: Refusal | None = None
        self._deadline: asyncio.TimerHandle | None = None
        if len(self.connections) > self.limits.connections:
            self._refuse(Refusal(503, "connections", "Too many connections are open.", do="Try again later."))
        else:
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._moved = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        # Neither a head nor what stands between a body's bytes (sizes of chunks, trailers) may be endless.
        self._unread_bytes = 0 if self._moved else self._unread_bytes + len(data)
        if self._unread_bytes > self.limits.head_bytes:
            self._refuse(Refusal(431, "head", "The head of the request is too large."))
        elif self._deadline is None and self._is_idle:
            # A blank line after an answer has ended uvicorn's own timer.
            self._set_deadline()

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._set_deadline()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._moved = True
        self._clear_deadline()
        if self.parser.should_upgrade():
            self._refused = Refusal(
                400,
                "upgrade",
                "The request asks for another protocol.",
                allowed="HTTP/1.1 is spoken here.",
                do="Send it without the header Upgrade (curl --http1.1).",
            )
            # The parser takes what follows for the other protocol's, and must not go on.
            raise ConnectionAbortedError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refused or Refusal(400, "http", msg))

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
        """Answer without the application, which has not seen the request, and close.

        An earlier request of the connection that is not answered yet would get this as its answer; then there
        is only the closing.
        """
        if self.transport.is_closing():
            return
        if self._is_idle:
            body = error_body(refusal)
            head = (
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[refusal.status] + head.encode() + body)
        self.transport.close()


def bounded(limits: Limits) -> type[Protocol]:
    """The protocol with these limits."""
    return type("BoundedProtocol", (Protocol,), {"limits": limits})
