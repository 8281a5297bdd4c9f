"""An audit whose models' doubts are given, where a test has no models."""

from __future__ import annotations

from pathlib import Path

from dessin.audit.result import AuditResult
from dessin.audit.verb import look_at, write_audit
from dessin.audit.view import next_steps
from dessin.collection.checks.base import LabelReview
from dessin.collection.readers.detect import read_collection


def audit_with(labels: LabelReview, data: Path, out: Path) -> AuditResult:
    """Audit `data` into the folder `out`."""
    context, result = look_at(read_collection(data), labels)
    write_audit(out, context, result, next_steps(data, out, None, result.summary))
    return result
