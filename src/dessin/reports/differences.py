"""What differs between runs, key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dessin.runs.listing.keys import Value, flatten, text_of
from dessin.runs.record import RunRecord
from dessin.schema import Section
from dessin.studies.changes import added_and_gone

# What defines a run, in the order in which it is shown. What a run came to (results, timings, its weights)
# differs between any two.
_PARTS = (
    "recipe.",
    "digests.",
    "counts.train",
    "counts.classes",
    "decisions.",
    "versions.",
    "git_commit",
    "hardware.",
)
_DECISIONS = ("device", "precision", "batch_size", "interpolation", "normalisation")
_DERIVED = ("digests.model", "digests.store")
# A path says nothing where the bytes behind it are known to be equal.
_PATHS: Mapping[str, str] = {
    "recipe.data.path": "digests.manifest",
    "recipe.data.split": "digests.split",
    "recipe.data.curation": "digests.curation",
    "recipe.model.weights": "digests.weights",
    "recipe.model.beside": "digests.beside",
}
_DIGEST_SHOWN = 12


class Difference(Section):
    """A key whose values differ between runs; None where a run has no such key.

    `texts` are for people. A later run's is `same` where it has the first one's value, and of a list of ops
    what it adds to the first one's and what it lacks of them.
    """

    key: str
    values: tuple[Value, ...]
    texts: tuple[str, ...]


def differences(records: Sequence[RunRecord]) -> tuple[Difference, ...]:
    """What differs between two or more runs, recipe first; keys without `recipe.` before them."""
    flats = [flatten(record.model_dump(mode="json")) for record in records]
    found = []
    for key in sorted({key for flat in flats for key in flat if _defines(key)}, key=_place):
        values = tuple(flat.get(key) for flat in flats)
        digests = {flat.get(_PATHS[key]) for flat in flats} if key in _PATHS else set()
        same_bytes = len(digests) == 1 and None not in digests
        if len(set(values)) > 1 and not same_bytes:
            name = key.removeprefix("recipe.")
            found.append(Difference(key=name, values=values, texts=_texts(key, values)))
    return tuple(found)


def recipe_keys(found: Sequence[Difference]) -> tuple[str, ...]:
    """The keys among differences that are someone's choice in a recipe, without seed and fold."""
    apart = ("seed", "track", "data.fold", "data.path", "data.split")
    keys = (each.key for each in found)
    return tuple(key for key in keys if not key.startswith(_PARTS[1:]) and key not in apart)


def _defines(key: str) -> bool:
    if key.startswith("decisions."):
        return key.removeprefix("decisions.") in _DECISIONS
    return key.startswith(_PARTS) and key not in _DERIVED


def _place(key: str) -> tuple[int, str]:
    return next(i for i, part in enumerate(_PARTS) if key.startswith(part)), key


def _texts(key: str, values: tuple[Value, ...]) -> tuple[str, ...]:
    first, *others = values
    shown = _DIGEST_SHOWN if key.startswith(("digests.", "git_commit")) else None
    texts = [(text_of(value) or "none")[:shown] for value in values]
    for place, other in enumerate(others, 1):
        if other == first:
            texts[place] = "same"
        elif isinstance(first, tuple) and isinstance(other, tuple):
            changed = added_and_gone(first, other, str)
            texts[place] = ", ".join(changed) or f"in another order: {text_of(other)}"
    return tuple(texts)
