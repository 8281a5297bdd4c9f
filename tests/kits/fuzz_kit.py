"""How much the tests at the doors try: a short seeded run, or `DESSIN_FUZZ` cases a test by hand."""

from __future__ import annotations

import os
from random import Random


def cases(short: int) -> int:
    """How many cases a test tries: `short`, or as many as `DESSIN_FUZZ` says."""
    return int(os.environ.get("DESSIN_FUZZ", short))


def rng(name: str) -> Random:
    """The generator of a test, the same in each run; `DESSIN_FUZZ_SEED` gives other cases."""
    return Random(f"{name}/{os.environ.get('DESSIN_FUZZ_SEED', 0)}")
