"""What differs between runs: recipes, data, weights and machines side by side, and nothing that is equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dessin.runs.listing.keys import Flat, Value, flatten, text_of
from dessin.runs.record import RunRecord
from dessin.schema import Section

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
}
_DIGEST_SHOWN = 12
_SAME = "same"


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
    keys = sorted({key for flat in flats for key in flat if _defines(key)}, key=_place)
    found = []
    for key in keys:
        values = tuple(flat.get(key) for flat in flats)
        if len(set(values)) > 1 and not _same_bytes(key, flats):
            name = key.removeprefix("recipe.")
            found.append(Difference(key=name, values=values, texts=_texts(key, values)))
    return tuple(found)


def recipe_keys(found: Sequence[Difference]) -> tuple[str, ...]:
    """The keys among differences that are someone's choice in a recipe, without seed and fold."""
    chosen = (difference.key for difference in found)
    apart = ("seed", "track", "data.fold", "data.path", "data.split")
    return tuple(key for key in chosen if not key.startswith(_PARTS[1:]) and key not in apart)


def _defines(key: str) -> bool:
    if key.startswith("decisions."):
        return key.removeprefix("decisions.") in _DECISIONS
    return key.startswith(_PARTS) and key not in _DERIVED


def _place(key: str) -> tuple[int, str]:
    return next(i for i, part in enumerate(_PARTS) if key.startswith(part)), key


def _same_bytes(key: str, flats: Sequence[Flat]) -> bool:
    digest = _PATHS.get(key)
    return digest is not None and len({flat.get(digest) for flat in flats}) == 1


def _texts(key: str, values: tuple[Value, ...]) -> tuple[str, ...]:
    first, *others = values
    whole = not key.startswith(("digests.", "git_commit"))

    def written(value: Value) -> str:
        text = text_of(value) or "none"
        return text if whole else text[:_DIGEST_SHOWN]

    return (
        written(first),
        *(_SAME if other == first else _changed(first, other, written) for other in others),
    )


def _changed(first: Value, other: Value, written: Callable[[Value], str]) -> str:
    """How a value differs from the first one; a list, by what it adds and lacks: `+ cutmix(1.0), − hflip`."""
    if not (isinstance(first, tuple) and isinstance(other, tuple)):
        return written(other)
    added = [f"+ {entry}" for entry in other if entry not in first]
    removed = [f"− {entry}" for entry in first if entry not in other]
    return ", ".join(added + removed) or f"in another order: {text_of(other)}"
