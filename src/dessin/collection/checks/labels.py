"""The check of the labels' own spelling: two labels that may be one class, and cells that were empty."""

from __future__ import annotations

from collections import Counter, defaultdict

from dessin.collection.checks.base import Check, Context, Issue
from dessin.page.numbers import counted

_EMPTY = frozenset(
    {"", "nan", "none", "null", "na", "n/a", "-", "?", "unknown", "undefined", "unlabeled", "unlabelled"}
)


class OddLabels(Check):
    """Labels that differ only in case, spaces, punctuation or a final s, and labels such as `nan`."""

    name = "odd_label"
    title = "Labels that may be a slip"
    short = "odd label"
    summary = (
        "Two spellings of one name make two classes, and nan is what programs write for an empty cell. "
        "Rename the folder or the rows. One image of each such class is shown."
    )
    urgent = True

    def run(self, context: Context) -> list[Issue]:
        counts = Counter(row.label for row in context.manifest.rows)
        first = {row.label: row.image_id for row in reversed(context.manifest.rows)}
        alike: dict[str, list[str]] = defaultdict(list)
        for label in sorted(counts, key=lambda label: (-counts[label], label)):
            alike[_bare(label)].append(label)
        issues = []
        for label in sorted(counts):
            usual, *others = alike[_bare(label)]
            if label in others:
                plain = usual.casefold() == label.casefold() or usual.strip() == label.strip()
                detail = f"{_shown(label, counts)} beside {_shown(usual, counts)}"
                issues.append(Issue(first[label], self.name, 1.0 if plain else 0.8, first[usual], detail))
            elif label.strip().casefold() in _EMPTY:
                detail = f"{_shown(label, counts)}: is this an empty cell?"
                issues.append(Issue(first[label], self.name, 0.9, detail=detail))
            elif label != label.strip():
                issues.append(
                    Issue(first[label], self.name, 0.5, detail=f"{_shown(label, counts)}: spaces around")
                )
        return issues


def _bare(label: str) -> str:
    """The label where case, spaces, punctuation and a final s do not count."""
    bare = "".join(c for c in label.casefold() if c.isalnum())
    return bare.removesuffix("s") or label.strip()


def _shown(label: str, counts: Counter[str]) -> str:
    return f'"{label}" ({counted(counts[label], "image")})'
