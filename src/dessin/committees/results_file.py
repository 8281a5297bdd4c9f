"""`results.json` of the verbs about committees: which verb wrote it, and reading it back."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from dessin.files import read_json
from dessin.schema import Section, versioned

RESULTS_FILE = "results.json"
Results = TypeVar("Results", bound=Section)


def result_kind(folder: Path) -> str:
    """The `kind` in the folder's results, such as `ensemble`; empty where there is none."""
    path = folder / RESULTS_FILE
    values = read_json(path) if path.is_file() else None
    kind = values.get("kind", "") if isinstance(values, dict) else ""
    return kind if isinstance(kind, str) else ""


def read_kind(model: type[Results], folder: Path, newest: int) -> Results:
    """The results of a folder.

    Raises:
        DessinError: damaged files, or a format above `newest`.
    """
    path = folder / RESULTS_FILE
    return versioned(model, read_json(path), str(path), newest, what="a result of dessin")
