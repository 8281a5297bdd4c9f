"""All checks of an audit, carried out in the order of their issues."""

from __future__ import annotations

# Imported for their checks, which register themselves.
from dessin.collection.checks import copies, files, ink, labels  # noqa: F401
from dessin.collection.checks.base import CHECKS, Context
from dessin.collection.issues import ISSUE_KINDS, Issue


def run_checks(context: Context) -> tuple[Issue, ...]:
    """All issues, in the order of `ISSUE_KINDS`, the surest first; each check runs with its defaults."""
    issues = [issue for kind in ISSUE_KINDS for issue in CHECKS[kind]().run(context)]
    rank = {kind: number for number, kind in enumerate(ISSUE_KINDS)}
    return tuple(sorted(issues, key=lambda i: (rank[i.issue], -i.score, i.image_id, i.other_id)))
