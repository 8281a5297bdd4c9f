"""A request that is not answered: the status, and the sentences that every error of the API consists of."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

RETRY_AFTER_S = 1


class Refusal(Exception):  # noqa: N818 (what the server answers, not a fault of its own)
    """Raised wherever a request cannot go on; `reason` is a short word for the metrics."""

    def __init__(
        self,
        status: int,
        reason: str,
        seen: str,
        *,
        allowed: str = "",
        do: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(seen)
        self.status, self.reason = status, reason
        self.error = {"seen": seen, "allowed": allowed, "do": do}
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.error}, self.status, self.headers)


def later(status: int, reason: str, seen: str, *, allowed: str = "") -> Refusal:
    """A refusal for now: the same request may succeed in a moment."""
    return Refusal(
        status,
        reason,
        seen,
        allowed=allowed,
        do="Send it again in a moment.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
