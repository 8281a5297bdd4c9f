"""A request that is not answered: the status, and the sentences that every error of the API consists of."""

from __future__ import annotations

import json
from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 (what the server answers, not a fault of its own)
    """Raised wherever a request cannot go on; `kind` is a short word for the metrics."""

    def __init__(
        self,
        status: int,
        kind: str,
        seen: str,
        *,
        allowed: str = "",
        do: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(seen)
        self.status, self.kind = status, kind
        self.seen, self.allowed, self.do = seen, allowed, do
        self.headers = dict(headers or {})


def error_of(refusal: Refusal) -> dict[str, str]:
    """What was seen, what is allowed, what to do."""
    return {"seen": refusal.seen, "allowed": refusal.allowed, "do": refusal.do}


def error_body(refusal: Refusal) -> bytes:
    """The JSON of an error."""
    return json.dumps({"error": error_of(refusal)}, ensure_ascii=False, separators=(",", ":")).encode()
