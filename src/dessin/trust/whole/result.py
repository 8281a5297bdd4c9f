"""`trust.json`: which model a trust report is of, so that the same command goes on with it."""

from __future__ import annotations

from dessin.results import Result


class TrustReport(Result):
    """`weights` are the digests of the model's parts; the card itself lies in `card.json` beside it."""

    FILE = "trust.json"
    WHAT = "a trust report"

    name: str
    weights: dict[str, str]
